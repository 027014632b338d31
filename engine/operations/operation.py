"""An operation is one kind of step: its value, its gradient rule and their text, in one place.

Where a scenario names one by a `kind`, a row adds what a reader may set and what it is called.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from nnstep.engine.arrays import Kernel, Shape

from .formula import Constant, Formula, formula, variable


class ShapeError(ValueError):
    """Arrays whose shapes do not fit; the message says which and why."""


ShapeRule = Callable[..., Shape]
Settings = Mapping[str, Any]
"""Values by the names of settings, each of its default's type."""

Kink = float | Kernel
"""Where an operation has no derivative: its only input's value there, or a formula.

The formula is over the inputs, the result and the settings. It gives an array that is the same for
two points if no kink lies between them; NaN, which differs from everything, stands for a number
that is at a kink itself.
"""


def same_shape(shape: Shape, **settings: Constant) -> Shape:
    """Give the shape of a result that has its only input's shape, whatever the settings."""
    return shape


class Operation(Struct, frozen=True, kw_only=True):
    """What an operation computes, and the derivative of the loss by each of its inputs.

    `value` is a formula over the inputs. A formula in `gradients`, one for each input that has a
    derivative, may use the inputs, the result under the name `output`, and under `d` + `output`
    the derivative of the loss by the result. Formulas over parameters that are settings (`slope`,
    `axis`) have them bound by `with_settings`. `shape` gives the result's shape, from the inputs'
    shapes and the settings; it raises `ShapeError`.

    `definition` is the textbook's formula, where `value` calls a function that computes the same
    in another way or under a name of its own.
    """

    name: str
    value: Kernel
    gradients: Mapping[str, Kernel]
    definition: Kernel | None = None
    shape: ShapeRule = same_shape
    output: str = "out"
    broadcasts: bool = False
    kink: Kink | None = None
    settings: Settings = field(default_factory=dict)

    def with_settings(self, **settings: Constant) -> Self:
        """Return the operation with its settings' values filled in."""
        return replace(self, settings={**self.settings, **settings})

    @property
    def value_formula(self) -> Formula:
        """The value, its settings bound."""
        return formula(self.value).bind(**self.settings)

    @property
    def definition_formula(self) -> Formula:
        """The definition, its settings bound; the value where that is the definition."""
        return formula(self.definition or self.value).bind(**self.settings)

    def gradient_formula(self, parameter: str) -> Formula:
        """The derivative of the loss by one input, its settings bound."""
        return formula(self.gradients[parameter]).bind(**self.settings)

    @property
    def sides(self) -> Formula | None:
        """What tells the sides of a kink apart, as `Kink` says; None if there is no kink."""
        if self.kink is None:
            return None
        if callable(self.kink):
            return formula(self.kink).bind(**self.settings)
        (only,) = self.gradients
        side = formula(lambda x, kink: np.sign(x - kink))
        return side.bind(kink=self.kink).on(x=variable(only))


class Setting(Struct, frozen=True):
    """What a scenario may set of a kind, beside its name.

    The type is that of `default`; None stands for a number that has to be given. Limits hold for a
    number, or for each of several. Text is one of `words`.
    """

    default: float | bool | str | tuple[float, ...] | None
    description: str
    at_least: float | None = None
    above: float | None = None
    below: float | None = None
    words: tuple[str, ...] = ()


def no_mistakes(settings: Settings) -> Iterable[tuple[str, str]]:
    """Find nothing wrong with settings that are right one by one."""
    return ()


class Kind(Struct, frozen=True, kw_only=True):
    """What a scenario names by its `kind`, as a row of a table of such kinds.

    `description` and `title` are for the JSON Schema; a title that is not given is made from the
    name. `mistakes` yields a setting and what is wrong with it, for settings that go together.
    """

    name: str
    description: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    title: str = ""
    mistakes: Callable[[Settings], Iterable[tuple[str, str]]] = no_mistakes

    @property
    def needed(self) -> tuple[str, ...]:
        """The settings that have to be given."""
        return tuple(name for name, each in self.settings.items() if each.default is None)

    def filled(self, settings: Settings) -> Settings:
        """Return the settings, and the defaults of those that are not given."""
        return {**{name: each.default for name, each in self.settings.items()}, **settings}
