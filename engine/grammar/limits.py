"""How large an expression or a program may be: far above any that a person would read."""

MAX_TEXT = 100_000
"""Characters in one text."""

MAX_TOKENS = 50_000
"""Names, numbers and signs in one text."""

MAX_DIGITS = 400
"""Characters in one number."""

MAX_STATEMENTS = 10_000
"""Assignments in one program."""

MAX_DEPTH = 100
"""Operations inside one another; a sum of n terms is n - 1 deep."""

MAX_INDEX = 2**31 - 1
"""The largest index, slice bound or axis, either sign."""
