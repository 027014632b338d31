"""How many examples a property is tried on: few in every run, many where the profile says so."""

from hypothesis import settings

USUAL = 20
"""So many examples has a test that says nothing else, in every run."""


def examples(few: int) -> settings:
    """Return the setting of so many examples in every run, and many with the profile `many`."""
    return settings(max_examples=few * settings().max_examples // USUAL)
