"""A rule says when a training run is at fault, and is decided by what one instruction writes."""

from typing import ClassVar

from msgspec import Struct

from nnstep.engine.arrays import Array

from .block import Block, Pass
from .fault import Key, Level, fault_key


class Finding(Struct, frozen=True):
    """The value that is on the wrong side of a threshold, and what it is a value of."""

    value: float
    threshold: float
    quantity: str


class Rule:
    """One kind of fault in one tensor, decided when the instruction at `position` has written it.

    `index` is where the tensor is in the record of a pass.

    A rule is not judged while the loss is low, unless it is not `gated`. One that is for runs that
    do not learn holds `until_learned`, that is until the loss has fallen: to come to rest is no
    fault. What is common in a few rows and not in many is judged `on_sample` too, if a batch has
    few rows.
    """

    name: ClassVar[str]
    advice: ClassVar[str]
    level: ClassVar[Level] = "warning"
    gated: ClassVar[bool] = True
    until_learned: ClassVar[bool] = False
    on_sample: ClassVar[bool] = False

    def __init__(self, position: int, index: int, tensor: str, layer: int | None) -> None:
        self.position = position
        self.index = index
        self.tensor = tensor
        self.layer = layer
        self.key: Key = fault_key(self.name, layer)

    def suspects(self, block: Block) -> Array | None:
        """Tell quickly in which passes of a block the rule may hold, shape `(passes,)`.

        None if it is plain that it holds in none. It has to name every pass that `judge` would.
        """
        raise NotImplementedError

    def judge(self, case: Pass) -> Finding | None:
        """Return what is wrong with a pass, exactly, if anything is."""
        raise NotImplementedError
