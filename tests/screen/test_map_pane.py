"""The map: what its keys do, what it shows of a run, and that it costs nothing while it is away."""

from typing import Any, cast

import numpy as np
import pytest
from built_in import built_in
from debugging import NARROW, ROOMY, WIDE, app_of, debugger, said
from screen_text import screen_lines, screen_text, type_command, until
from textual.pilot import Pilot

from nnstep.engine.session.session import Session
from nnstep.engine.survey.graph import Graph, Node
from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config
from nnstep.tui.panes.map import MapPane
from nnstep.tui.panes.map_graph import GraphPainter, NoRoomError
from nnstep.tui.panes.map_places import beside
from nnstep.tui.signs import in_ascii


def body(pilot: Pilot[None]) -> list[str]:
    return screen_lines(pilot.app)[1:19]


def place(pilot: Pilot[None]) -> int:
    return debugger(pilot).driver.snapshot.place


async def test_map_then_layers_then_away() -> None:
    async with app_of(built_in("blocks")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "3", "m")
        assert body(pilot)[0].startswith("[m map] layers")
        assert "┌───────────┐    ┌───────────┐" in body(pilot)[2]
        await pilot.press("m")
        assert body(pilot)[0].startswith(" m map [layers]")
        await pilot.press("m")
        assert "[3 z/a]" in body(pilot)[0]  # the pane that had the keys has them again
        assert debugger(pilot).stage.here.digit == 3


@pytest.mark.parametrize("size", [NARROW, WIDE, ROOMY])
async def test_escape_closes_it_and_a_digit_leaves_it(size: tuple[int, int]) -> None:
    async with app_of(built_in("mazur")).run_test(size=size) as pilot:
        await pilot.press("s", "m", "escape")
        assert debugger(pilot).stage.here.digit == 1
        assert "program" in body(pilot)[0]
        await pilot.press("m", "m", "3")
        assert debugger(pilot).stage.here.digit == 3
        assert "[m map]" not in screen_text(pilot.app)
        await pilot.press("8")
        assert "[m map]" in screen_text(pilot.app)


async def test_a_step_makes_the_light_travel() -> None:
    async with app_of(built_in("blocks")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 20, "m")
        lines = body(pilot)
        assert "║●dW2       ║" in lines[12]
        assert "║▶db2       ║" in lines[13]
        assert "of what was kept, in the lit block: dz2 takes a2, dW2 takes a1." in lines[16]
        await pilot.press("s", "s", "s")
        lines = body(pilot)
        assert "╔═════▼═════╗    ┌" in lines[9]
        assert "║●dz1       ║" in lines[10]
        await pilot.press("S")
        assert "║●da1       ║" in body(pilot)[11]


async def test_a_line_of_the_update_is_at_work_beside_its_parameter() -> None:
    async with app_of(built_in("two-layer")).run_test(size=NARROW) as pilot:
        await pilot.press("i", "f", "f", "f", "f", "s", "s", "m")
        snapshot = debugger(pilot).driver.snapshot
        assert snapshot.last is not None
        assert snapshot.last.writes == ("m_W1",)
        assert "║●W1 (3, 2) " in body(pilot)[3]
        assert "step/W" in screen_text(pilot.app)


async def test_arrows_ask_about_what_stands_there_and_enter_goes_to_its_step() -> None:
    async with app_of(built_in("blocks")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 20, "m", "right")
        assert debugger(pilot).selected == ("dW3", (0, 0))
        assert "[dW3]" in screen_text(pilot.app)
        assert "─ dW3[0, 0] = " in screen_text(pilot.app)
        await pilot.press("up", "up")
        assert debugger(pilot).selected == ("dz3", (0, 0))
        await pilot.press("enter")
        await until(pilot, lambda: place(pilot) == 15)
        assert "║●dz3       ║" in body(pilot)[10]
        await pilot.press("comma")
        await until(pilot, lambda: place(pilot) == 20)


async def test_ten_layers_open_as_layers_and_arrows_choose_one() -> None:
    async with app_of(built_in("vanishing")).run_test(size=NARROW) as pilot:
        await pilot.press("i", "m")
        await until(pilot, lambda: body(pilot)[0].startswith(" m map [layers]"))
        await until(pilot, lambda: "─ layer 1 ─" in screen_text(pilot.app))
        await pilot.press("up", "up")
        await until(pilot, lambda: "─ layer 3 ─" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        assert "[  3 ]" in text
        tensors = debugger(pilot).driver.snapshot.tensors
        three, ten = (float(np.linalg.norm(tensors[name])) for name in ("dz3", "dz10"))
        product = f"{three / ten:.3g}".replace("e-0", "e-")
        assert f"over the layers, 9 down to 3: {product}" in text
        await pilot.press("enter")
        await until(pilot, lambda: not debugger(pilot).driver.is_busy)
        assert debugger(pilot).driver.snapshot.written == ("dW3",)
        await pilot.press("m")
        assert debugger(pilot).stage.here.digit == 1


async def test_the_bars_follow_the_iterations() -> None:
    async with app_of(built_in("vanishing")).run_test(size=WIDE) as pilot:
        await pilot.press("i", "m")
        await until(pilot, lambda: "━━" in screen_text(pilot.app))
        first = [line.count("━") for line in screen_lines(pilot.app)]
        await pilot.press(*"i" * 9)
        await until(pilot, lambda: place(pilot) == 820)
        await pilot.pause()
        now = screen_lines(pilot.app)
        assert sum(line.count("━") for line in now) < sum(first)
        assert sum(line.count("┃") for line in now) == 10 + 1  # a tick a layer, and the legend
        assert "ratio 1.0e8" in screen_text(pilot.app)
        assert "trend     every layer has a smaller gradient" in screen_text(pilot.app)
        await pilot.press("I")
        await until(pilot, lambda: place(pilot) == 738)


async def test_beside_other_panes_it_shows_the_blocks_at_work() -> None:
    async with app_of(built_in("vanishing")).run_test(size=ROOMY) as pilot:
        await pilot.press("s", "s", "s", "s")
        assert " 8 map" in screen_text(pilot.app)
        assert "layer 1" in screen_text(pilot.app)
        await pilot.press("f", "f", "s")
        text = screen_text(pilot.app)
        assert "layer 10" in text
        assert "▼═════╗" in text


async def test_a_graph_too_wide_is_a_list_of_operations() -> None:
    async with app_of(built_in("neuron")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "s", "m")
        assert "● s = w0x0 + w1x1      4.0000 ●         ds          ·" in screen_text(pilot.app)
        assert "▶ t = s + w2                · ▶" in screen_text(pilot.app)


async def test_a_name_read_twice_has_one_wire_for_both() -> None:
    async with app_of(built_in("olah")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "s", "m")
        assert "b   1.0000  ─┴─┐" in screen_text(pilot.app)
        assert "╔═══════╗" in screen_text(pilot.app)


async def test_what_it_shows_is_not_found_out_while_it_is_away() -> None:
    async with app_of(built_in("blocks")).run_test(size=NARROW) as pilot:
        await pilot.press("s")
        assert not debugger(pilot).query(MapPane)
        assert debugger(pilot).driver._surveyed == (None, None)
        await pilot.press("m")
        driver = debugger(pilot).driver
        assert driver._surveyed[0] is driver.snapshot
        await pilot.press("m", "m", "s")
        assert not debugger(pilot).query_one("#map", MapPane).display
        assert driver._surveyed[0] is not driver.snapshot


async def test_an_edit_on_the_map() -> None:
    async with app_of(built_in("graph")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "m")
        await type_command(pilot, "set a = 4")
        assert "a   4.0000" in screen_text(pilot.app)
        assert "Nothing" not in said(pilot)


async def test_nothing_is_at_work_before_the_first_step() -> None:
    async with app_of(built_in("blocks")).run_test(size=NARROW) as pilot:
        await pilot.press("m")
        text = screen_text(pilot.app)
        assert "╔" not in text
        assert "▶x ────▶│ W1 (4, 3) │" in text
        assert "layer 4" in text


@pytest.mark.parametrize(
    ("here", "across", "down", "there"),
    [
        (None, 1, 0, "a"), ("a", 1, 0, "b"), ("b", -1, 0, "a"), ("a", 0, 1, "c"),
        ("b", 1, 0, "b"), ("c", 0, -1, "a"), ("gone", 0, 1, "a"),
    ],
)  # fmt: skip
def test_what_stands_beside(here: str | None, across: int, down: int, there: str) -> None:
    places = {"a": (10, 2), "b": (30, 2), "c": (10, 6), "d": (30, 7)}
    assert beside(places, here, across, down) == there


def test_a_chain_of_operations_is_too_long_to_be_placed() -> None:
    snapshot, unused = Session(built_in("graph")).snapshot(), cast("Any", None)
    nodes = tuple(Node(i, f"v{i}", (f"v{i - 1}",), "x", "", i) for i in range(1, 3000))
    with pytest.raises(NoRoomError):
        GraphPainter(snapshot, Graph(nodes, ("v0",)), unused, unused)


def test_nothing_stands_beside_nothing() -> None:
    assert beside({}, None, 1, 0) is None


@pytest.mark.parametrize(("scenario", "keys"), [("blocks", "sssm"), ("graph", "sm"), ("xor", "im")])
async def test_in_ascii_every_line_keeps_its_width(scenario: str, keys: str) -> None:
    shown = []
    for ascii_only in (False, True):
        app = NnstepApp(built_in(scenario), Config(ascii=ascii_only))
        async with app.run_test(size=NARROW) as pilot:
            await pilot.press(*keys)
            await pilot.pause()
            shown.append(screen_lines(pilot.app)[2:19])
    marks, plain = shown
    assert all(line.isascii() for line in plain)
    assert [in_ascii(line) for line in marks] == plain
    assert any("#" in line for line in plain)


async def test_the_map_and_the_tree_take_turns() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"sssssssss", "p", "m")
        await pilot.pause()
        assert "[m map]" in screen_text(pilot.app)
        await pilot.press("p")
        await pilot.pause()
        assert "[p where from]" in screen_text(pilot.app)
        await pilot.press("p")
        await pilot.pause()
        assert "[m map]" in screen_text(pilot.app)
        await pilot.press("m", "m")
        await pilot.pause()
        assert "1 program" in screen_text(pilot.app)


async def test_a_large_screen_has_norms_and_the_values_that_the_lit_block_kept() -> None:
    async with app_of(built_in("blocks")).run_test(size=ROOMY) as pilot:
        await pilot.press(*"s" * 20, "m")
        text = screen_text(pilot.app)
        tensors = debugger(pilot).driver.snapshot.tensors
        line = next(each for each in text.splitlines() if "●dW2 (4, 4)" in each)
        assert f"{np.linalg.norm(tensors['dW2']):.4f} ║" in line
        assert "a1 (6, 4), kept" in text
        sources = "".join(f"‹{value:.4f}›".rjust(9) for value in tensors["a1"][:1, 0])
        assert sources in text
        assert f"[{tensors['dW2'][0, 0]:.4f}]" in text
        assert "●dW2 (4, 4), made" in text
        assert "W2 (4, 4), held" in text
        assert "its norm, √Σ v²." in text
        await pilot.press(*"S" * 18)
        text = screen_text(pilot.app)
        assert "x (6, 3), kept" in text
        assert "●z1 (6, 4), kept" in text
        assert "db1" not in text.split("√Σ v².")[1]


async def test_below_a_graph_the_lines_of_the_program_have_their_values() -> None:
    async with app_of(built_in("graph")).run_test(size=WIDE) as pilot:
        await pilot.press(*"ssss", "m")
        await until(pilot, lambda: "● dd = de * c             -3.0000" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        assert "· e = d * c               -9.0000" in text
        assert "▶ dc = de * d" in text
    async with app_of(built_in("micrograd")).run_test(size=WIDE) as pilot:
        await pilot.press("i", "m")
        await pilot.pause()
        assert "forward   " not in screen_text(pilot.app)
