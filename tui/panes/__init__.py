"""Panes: each draws what it is given."""
