"""The built-in gallery: what each scenario teaches, in the order of a course, and its file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class Example(NamedTuple):
    """A scenario of the gallery: its name, what it teaches, and its network or its formula.

    That the widths of a network are those of its file is tested; a list has them without reading.
    """

    name: str
    teaches: str
    shape: str


GROUPS: Mapping[str, tuple[Example, ...]] = {
    "The idea": (
        Example("graph", "values forward, gradients back", "(a + b) * c"),
        Example("mazur", "every number of an iteration", "2-2-2"),
        Example("pencil", "the same, neuron by neuron", "2-2-2 in sixteen lines"),
        Example("lamsal", "the same, another paper", "2-2-2"),
        Example("zhou", "one slope, a product of four", "2-2-1"),
        Example("hmkcode", "without activations, by hand", "2-2-1"),
        Example("nielsen", "one neuron learns", "1-1"),
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
        Example("rows", "rows, 1/m, W as (in, out)", "3-2-1"),
        Example("blocks", "what the backward pass keeps", "3-4-4-3-2"),
        Example("logistic", "logistic regression, 1/m", "2-1"),
        Example("trask", "NumPy in eleven lines", "3-1"),
        Example("goodfellow", "XOR without learning", "2-2-1"),
    ),
    "Optimizers": (
        Example("two-layer", "Adam, moment by moment", "2-3-1"),
        Example("xor", "RMSProp, mini-batches, epochs", "2-2-1"),
        Example("rounds", "ten thousand rounds of descent", "2-2-2"),
    ),
    "When it goes wrong": (
        Example("nielsen-slow", "badly wrong, and slow", "1-1"),
        Example("vanishing", "the gradient that is lost", "3-3-…-3-1"),
        Example("overflow", "the first nan, and before", "1-1"),
        Example("misprint", "a slope multiplied in twice", "1-1-1"),
        Example("printed", "wrong products that fit", "3-3-3"),
        Example("gradcheck", "two bugs, found by checking", "4-5-3-1"),
    ),
    "Real data": (
        Example("iris", "three classes, a CSV file", "4-8-3"),
        Example("digits", "images, 1,797 of them", "64-32-10"),
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
