"""The tree: nodes with the numbers of the run, ends that say what they are, and what one costs."""

import random
from typing import Any

import numpy as np
import pytest
from building import network
from built_in import built_in
from in_one_test import each_of

from nnstep.engine import load
from nnstep.engine.explain.tree import TreeNode
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.session.session import Session

Cells = list[tuple[str, float | None]]


def at(scenario: str, place: int) -> Session:
    session = Session(load(scenario))
    session.seek(place)
    return session


def of(nodes: tuple[TreeNode, ...]) -> Cells:
    return [(node.cell, None if node.share is None else round(node.share, 2)) for node in nodes]


def below(session: Session, node: TreeNode, *numbers: int) -> tuple[TreeNode, ...]:
    found = session.tree.below(node, "sources")
    for number in numbers:
        found = session.tree.below(found[number], "sources")
    return found


def test_the_tree_of_the_drawing() -> None:
    session = at("mazur", 13)
    root = session.tree.root("dW1", (0, 0), 13)
    assert (root.cell, root.step, root.code) == ("dW1[0, 0]", 12, "dz1.T @ x")
    assert of(below(session, root)) == [("dz1[0, 0]", None), ("x[0, 0]", None)]
    assert of(below(session, root, 0, 0)) == [
        *(("dz2[0, 0]", 0.74), ("W2[0, 0]", None), ("dz2[0, 1]", 0.26), ("W2[1, 0]", None)),
    ]
    ends = below(session, root, 0, 1, 0)
    assert of(ends) == [
        ("b1[0]", 0.93),
        ("x[0, 1]", 0.05),
        ("W1[0, 1]", None),
        ("x[0, 0]", 0.02),
        ("W1[0, 0]", None),
    ]
    assert [node.what for node in ends[:3]] == ["first value, frozen", "data, row 0", "first value"]
    assert all(node.is_leaf and session.tree.below(node, "sources") == () for node in ends)


def test_readers_with_what_has_not_run() -> None:
    session = at("mazur", 13)
    root = session.tree.root("a1", (0, 1), 13)
    found = session.tree.below(root, "readers")
    assert of(found) == [
        *(("z2[0, 0]", 0.24), ("z2[0, 1]", 0.27), ("dW2[0, 1]", None), ("dW2[1, 1]", None)),
        ("dz1[0, 1]", None),
    ]
    assert [node.kept for node in found] == [False, False, True, True, True]
    later = session.tree.below(found[4], "readers")
    assert of(later) == [("dW1[1, 0]", None), ("dW1[1, 1]", None), ("db1[1]", None)]
    assert (later[2].has_run, later[2].is_leaf, later[2].step) == (False, True, 13)
    assert session.tree.stale("a1", 13) == (
        *("z2", "a2", "L", "da2", "dz2", "dW2", "db2", "da1", "dz1", "dW1"),
    )


@each_of(
    ("place", "cell", "readers"),
    [
        (0, ("W1", (0, 0)), ["z1[0, 0]", "W1[0, 0]"]),
        (1, ("x", (0, 1)), ["z1[0, 0]", "z1[0, 1]", "dW1[0, 1]", "dW1[1, 1]"]),
        (14, ("db1", (0,)), []),
    ],
)
def test_what_no_line_has_computed_has_readers_too(
    place: int, cell: tuple[str, tuple[int, ...]], readers: list[str]
) -> None:
    session = at("mazur", place)
    root = session.tree.root(*cell, place, "readers")
    assert [node.cell for node in session.tree.below(root, "readers")] == readers
    assert root.is_leaf is not bool(readers)
    if place < 14:
        session.edit(*cell, 0.3)
        edited = session.tree.root(*cell, place, "readers")
        assert edited.what == f"edited before step {place}"
        assert [node.cell for node in session.tree.below(edited, "readers")] == readers


def test_the_stale_are_those_that_an_edit_makes_so() -> None:
    for name in ("x", "W2", "a1", "dz2", "L"):
        session = at("mazur", 13)
        foretold = session.tree.stale(name, 13)
        array = session.value(name)
        session.edit(name, (0,) * array.ndim, 0.3)
        assert set(foretold) == session.stale


def test_from_the_loss_after_fifty_iterations_back_to_data_and_first_weights() -> None:
    """Each node has the number that the run had, and steps fall along every way."""
    session = at("xor", 50 * 21)
    told: dict[int, dict[str, Any]] = {}
    for step in Session(built_in("xor")).steps():
        if step.index >= 50 * 21:
            break
        told[step.index] = dict(step.writes)
    choose, ends = random.Random(0), set()
    first = session.values_at(0)
    tree = session.tree
    for _ in range(8):
        node = tree.root("L", (), 50 * 21)
        while not node.is_leaf:
            assert node.step is not None
            np.testing.assert_equal(node.value, told[node.step][node.name][node.index].item())
            children = tree.below(node, "sources")
            assert children
            assert all(c.step is None or c.step < node.step for c in children)
            node = choose.choice(children)
        ends.add(node.what.partition(",")[0])
        if node.what == "first value":
            assert node.value == first[node.name][node.index]
    assert ends >= {"data", "first value"}


@each_of("name", ["graph", "circuit", "karpathy", "ng", "olah", "micrograd"])
def test_every_gradient_of_an_expression_goes_back_to_what_it_is_given(name: str) -> None:
    session = Session(built_in(name))
    session.run()
    program, seen, ends = session.program, set[tuple[str, int]](), set[str]()
    for gradient in dict.fromkeys(program.gradients.values()):
        ahead = [session.tree.root(gradient, (), session.place)]
        while ahead:
            node = ahead.pop()
            if (node.name, node.place) in seen:
                continue
            seen.add((node.name, node.place))
            if node.step is None:
                assert node.what == "first value"
                ends.add(node.name)
            else:
                assert node.value == session.explain(node.name, (), at=node.step).value
            ahead += session.tree.below(node, "sources")
    given = {name for name in session.values_at(0) if session.program.tensors[name].of is None}
    assert ends <= given
    assert ends  # the sums alone need no value
    assert {name for name, _ in seen} >= {*program.gradients.values()}


def test_edits_and_lines_of_ones_own_are_named() -> None:
    session = Session(built_in("mazur"))
    session.seek(3)
    session.edit("a1", (0, 1), 0.9)
    session.override("dz2 = da2 * 3")
    session.seek(9)
    tree = session.tree
    dz2, a1 = tree.below(tree.root("dW2", (0, 1), 9), "sources")
    assert (a1.what, a1.is_leaf, a1.step) == ("edited before step 3", True, None)
    assert (dz2.what, dz2.step) == ("a line of your own", 7)


def test_a_branch_has_its_own_past() -> None:
    session = at("mazur", 48)
    session.seek(16)
    session.edit("W1", (0, 0), 0.7)
    session.seek(40)
    tree = session.tree
    node = tree.root("W1", (0, 0), 40)
    (own, *_) = tree.below(node, "sources")
    assert (own.value, own.what) == (0.7, "edited before step 16")
    session.branches.switch("main")
    (own, *_) = session.tree.below(session.tree.root("W1", (0, 0), 40), "sources")
    assert own.step == 14


def test_copies_are_passed_through() -> None:
    session = Session(network((2, 2, 1), activations=("identity", "identity")))
    session.step("iteration")
    tree = session.tree
    found = tree.below(tree.root("dW2", (0, 1), session.place), "sources")
    assert [node.name for node in found] == ["da2", "z1"]


def test_what_no_line_computes_from_anything() -> None:
    session = Session(built_in("graph"))
    session.run()
    tree = session.tree
    (de, c) = tree.below(tree.root("dd", (), session.place), "sources")
    assert (de.name, c.what) == ("de", "first value")
    assert tree.below(de, "sources") == ()


def test_a_node_costs_its_line_however_far_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not kept is put together for a few places of a node, and nowhere else."""
    session = Session(built_in("mazur"), iterations=300)
    session.seek(16 * 300)
    ran: list[int] = []
    real = Timeline.ghost

    def counted(timeline: Timeline, place: int, *rest: Any) -> Any:
        machine = real(timeline, place, *rest)
        ran.append(place)
        return machine

    monkeypatch.setattr(Timeline, "ghost", counted)
    tree = session.tree
    for place in (16 * 300 - 3, 16 * 150 - 3, 13):
        ran.clear()
        node = tree.root("dW1", (0, 0), place)
        for _ in range(3):
            node = tree.below(node, "sources")[0]
        assert len(ran) <= 12
        assert all(place - 16 <= each <= place for each in ran)
