"""How the parts of a scenario file are named before anyone looks for their lines."""

from typing import Literal

Keys = tuple[str | int, ...]
"""The way to a value: names of keys, and indices of elements and of tables in a list."""

Part = Literal["key", "value"]
"""Which half of `key = value` is meant."""
