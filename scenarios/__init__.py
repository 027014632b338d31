"""The built-in gallery of scenarios: their names, in the order of a course, and their files."""

from pathlib import Path

_NAMES = (
    "mazur",
    "lamsal",
    "two-layer",
    "xor",
    "graph",
    "blocks",
    "rows",
    "iris",
    "digits",
    "overflow",
    "vanishing",
)


def names() -> tuple[str, ...]:
    """Return the names of the built-in scenarios, in gallery order."""
    return _NAMES


def template() -> Path:
    """Return the file that a new scenario begins as."""
    return Path(__file__).parent / "new.toml"


def path(name: str) -> Path:
    """Return the file of the built-in scenario `name`; raise KeyError if there is none."""
    if name not in _NAMES:
        raise KeyError(f"no built-in scenario is called {name!r}; there are {', '.join(_NAMES)}")
    return Path(__file__).parent / f"{name}.toml"
