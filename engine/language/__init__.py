"""The language of expressions that people write: programs, conditions, watches, commands."""
