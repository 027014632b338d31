"""Where a run stops: breakpoints, watchpoints, and the search for them in both directions."""
