"""Tensors laid out as blocks: what has a value only now is put in its place."""

from collections.abc import Mapping

import pytest
from building import network, optimizer

from nnstep.engine.arrays import Shape
from nnstep.engine.program.compile import program_of
from nnstep.tui.panes.tensor_blocks import Layout, lay_out, names_of

PROGRAM = program_of(network((2, 3, 1), optimized=optimizer(momentum=0.5)))
NAMES = names_of(PROGRAM, lambda tensor: True)


def assert_same(layout: Layout, shapes: Mapping[str, Shape], width: int) -> None:
    whole = lay_out(NAMES, PROGRAM, shapes, width)
    assert (layout.by_name, layout.headings) == (whole.by_name, whole.headings)
    assert layout.height == whole.height
    for y in range(whole.height + 1):
        assert layout.block_at(y) == whole.block_at(y)


@pytest.mark.parametrize("width", [0, 24, 80])
def test_a_tensor_that_has_a_value_only_now_moves_what_stands_below(width: int) -> None:
    shapes: dict[str, Shape] = {}
    layout = lay_out(NAMES, PROGRAM, shapes, width)
    assert set(PROGRAM.arriving) == set(NAMES)
    for name in PROGRAM.arriving:
        shapes[name] = PROGRAM.tensors[name].shape
        layout = layout.reshaped(name, shapes[name])
        assert_same(layout, shapes, width)
    for name in reversed(PROGRAM.arriving):
        del shapes[name]
        layout = layout.reshaped(name, None)
        assert_same(layout, shapes, width)
