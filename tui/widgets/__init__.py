"""The panes: each draws the snapshot it is given, and knows nothing of screens or sessions."""
