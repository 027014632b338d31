"""The built-in gallery of scenarios."""
