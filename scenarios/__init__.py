"""The built-in gallery: what each scenario teaches, in the order of a course, and its file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class Example(NamedTuple):
    """A scenario of the gallery: its name, what it teaches, and the formula if it is one."""

    name: str
    teaches: str
    formula: str = ""


GROUPS: Mapping[str, tuple[Example, ...]] = {
    "The idea": (
        Example("graph", "values forward, gradients back", "(a + b) * c"),
        Example("mazur", "every number of an iteration"),
        Example("pencil", "the same, neuron by neuron", "2-2-2 in sixteen lines"),
        Example("lamsal", "the same, another paper"),
        Example("zhou", "one slope, a product of four"),
        Example("hmkcode", "without activations, by hand"),
        Example("nielsen", "one neuron learns"),
    ),
    "Expressions and their derivatives": (
        Example("theta", "one factor, checked numerically", "theta * x"),
        Example("olah", "two paths are added up", "(a + b) * (b + 1)"),
        Example("circuit", "a gate at a time", "(x + y) * z"),
        Example("ng", "values right, slopes left", "3 * (a + b * c)"),
        Example("karpathy", "a graph by hand", "(a * b + c) * f"),
        Example("neuron", "a sigmoid, taken apart", "1 / (1 + exp(-t))"),
        Example("feedforward", "weights used three times", "three sigmoid neurons"),
        Example("tanh-neuron", "a neuron with round gradients", "tanh(x1 w1 + x2 w2 + b)"),
        Example("micrograd", "a longer expression", "ten lines, two relu"),
        Example("d2l", "a gradient that is a vector", "2 * x @ x"),
        Example("blitz", "what a mean does to gradients", "mean(3 * (x + 2) ** 2)"),
    ),
    "Layers and batches": (
        Example("rows", "rows, 1/m, W as (in, out)"),
        Example("blocks", "what the backward pass keeps"),
        Example("logistic", "logistic regression, 1/m"),
        Example("trask", "NumPy in eleven lines"),
        Example("goodfellow", "XOR without learning"),
    ),
    "Optimizers": (
        Example("two-layer", "Adam, moment by moment"),
        Example("xor", "RMSProp, mini-batches, epochs"),
        Example("rounds", "ten thousand rounds of descent"),
    ),
    "When it goes wrong": (
        Example("nielsen-slow", "badly wrong, and slow"),
        Example("vanishing", "the gradient that is lost"),
        Example("overflow", "the first nan, and before"),
        Example("misprint", "a slope multiplied in twice"),
        Example("printed", "wrong products that fit"),
        Example("gradcheck", "two bugs, found by checking"),
    ),
    "Real data": (
        Example("iris", "three classes, a CSV file"),
        Example("digits", "images, 1,797 of them"),
    ),
}
"""The examples by what they are about, each group harder than the one before it."""

_NAMES = tuple(example.name for group in GROUPS.values() for example in group)


def names() -> tuple[str, ...]:
    """Return the names of the built-in scenarios, in gallery order."""
    return _NAMES


def examples() -> Iterator[tuple[str, Example]]:
    """Yield each example with the group that it belongs to, in gallery order."""
    for group, members in GROUPS.items():
        for example in members:
            yield group, example


def template() -> Path:
    """Return the file that a new scenario begins as."""
    return Path(__file__).parent / "new.toml"


def path(name: str) -> Path:
    """Return the file of the built-in scenario `name`; raise KeyError if there is none."""
    if name not in _NAMES:
        raise KeyError(f"no built-in scenario is called {name!r}; there are {', '.join(_NAMES)}")
    return Path(__file__).parent / f"{name}.toml"
