"""How large a scenario may be; every limit is checked before memory is asked for."""

MAX_ELEMENTS = 10_000_000
"""Numbers in one tensor."""
