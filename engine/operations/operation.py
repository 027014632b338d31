"""An operation is one kind of step: its value, its gradient rule and their text, in one place."""

from collections.abc import Callable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from nnstep.engine.arrays import Kernel, Shape

from .formula import Constant, Formula, formula


class ShapeError(ValueError):
    """Arrays whose shapes do not fit; the message says which and why."""


ShapeRule = Callable[..., Shape]


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
    """

    name: str
    value: Kernel
    gradients: Mapping[str, Kernel]
    shape: ShapeRule = same_shape
    output: str = "out"
    broadcasts: bool = False
    settings: Mapping[str, Constant] = field(default_factory=dict)

    def with_settings(self, **settings: Constant) -> "Operation":
        """Return the operation with its settings' values filled in."""
        return replace(self, settings={**self.settings, **settings})

    @property
    def value_formula(self) -> Formula:
        """The value, its settings bound."""
        return formula(self.value).bind(**self.settings)

    def gradient_formula(self, parameter: str) -> Formula:
        """The derivative of the loss by one input, its settings bound."""
        return formula(self.gradients[parameter]).bind(**self.settings)
