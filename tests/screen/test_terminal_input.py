"""Whatever a terminal sends, what follows it is still read."""

import asyncio
import errno
import os
import pty
import threading
import tty
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from nnstep.tui.terminal import LastingFile, SteadyDriver, SteadyParser
from nnstep.tui.typeahead import EscapedKey


def keys(parser: SteadyParser, text: str) -> list[str]:
    return [event.key for event in parser.feed(text) if isinstance(event, events.Key)]


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[1114112u",
        "\x1b[99999999999;5u",
        "\x1b[48;0;0;0;0t\x1b[<0;3;4M",
        "\x1b[48;24;80;0;0t\x1b[<0;3;4M\x1b[<0;3;4m",
        "\x1b[48;24:x;80:;1;1t",
        "\x1b[48;2:4;8:0;:1;1:t",
        "\x1b[<0;0;0M\x1b[<999;999999999;1M",
        "\x1b[?2048;9$y",
        "\x1b[31;1m",
        "\x1b[" + "1;" * 40 + "q",
    ],
)
def test_what_follows_an_odd_answer_is_read(sequence: str) -> None:
    for cut in range(len(sequence) + 1):
        parser = SteadyParser()
        list(parser.feed(sequence[:cut]))
        list(parser.feed(sequence[cut:]))
        assert keys(parser, "\x1b[<0;3;4Ms") == ["s"]


def test_sizes_that_no_terminal_has_are_not_believed() -> None:
    for size in ("0;80;0;0", "24;0;0;0", "24;999999;1;1", "999999;80;1;1"):
        found = list(SteadyParser().feed(f"\x1b[48;{size}t"))
        assert not [event for event in found if isinstance(event, events.Resize)]
    (resize,) = SteadyParser().feed("\x1b[48;24;80;480;800t")
    assert isinstance(resize, events.Resize)
    assert resize.size == (80, 24)


@given(
    st.lists(
        st.text(alphabet="\x1b[]<>?;:0123489MmtuRy$~ABIOPs\x00\x7f\x80é", max_size=40), max_size=5
    )
)
def test_any_pieces_are_survived(pieces: list[str]) -> None:
    parser = SteadyParser()
    for piece in pieces:
        list(parser.feed(piece))
        list(parser.tick())
    # A paste that was begun goes on until its end.
    list(parser.feed("\x1b[201~"))
    list(parser.feed("x" * 40))
    assert keys(parser, "\x1b[As")[-1:] == ["s"]


@pytest.mark.parametrize(
    ("text", "pressed"),
    [
        ("\x1b[A", ["up"]),
        ("\x1bOP", ["f1"]),
        ("\x1b[[A", ["f1"]),
        ("\x1b[15~s", ["f5", "s"]),
        ("\x1b[1;5A", ["ctrl+up"]),
        ("\x1b[97;5u", ["ctrl+a"]),
        ("é:", ["é", "colon"]),
    ],
)
def test_keys_are_read_as_before(text: str, pressed: list[str]) -> None:
    parser = SteadyParser()
    found = [key for character in text for key in keys(parser, character)]
    assert [key.replace("latin_small_letter_e_with_acute", "é") for key in found] == pressed


def test_a_paste_may_hold_anything() -> None:
    parser = SteadyParser()
    pasted = list(parser.feed("\x1b[200~a\x1b[31mb\x1b[201~s"))
    (paste,) = (event for event in pasted if isinstance(event, events.Paste))
    assert paste.text.startswith("a")
    assert [event.key for event in pasted if isinstance(event, events.Key)][-1] == "s"


@pytest.mark.parametrize("pieces", [("\x1bq",), ("\x1b", "q"), ("\x1b[", "<0;3;4Mq\x1bq")])
def test_a_key_right_behind_escape_is_both(pieces: tuple[str, ...]) -> None:
    parser = SteadyParser()
    *_, last = (event for piece in pieces for event in parser.feed(piece))
    assert isinstance(last, EscapedKey)
    assert [key.key for key in last.apart] == ["escape", "q"]


@pytest.mark.parametrize(
    ("behind", "name"),
    [("S", "S"), (":", "colon"), ("5", "5"), ("\r", "enter"), ("b", "b"), ("é", "é")],
)
def test_what_is_typed_behind_escape_is_itself(behind: str, name: str) -> None:
    (event,) = SteadyParser().feed("\x1b" + behind)
    assert isinstance(event, EscapedKey)
    escape, key = event.apart
    assert (escape.key, key.key, key.character) == ("escape", name, behind)


@pytest.mark.parametrize(("behind", "name"), [("[", "left_square_bracket"), ("O", "O")])
def test_a_beginning_that_nothing_follows_is_keys(
    behind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = SteadyParser()
    list(parser.feed("\x1b" + behind))
    monkeypatch.setattr("textual._parser.get_time", lambda: float("inf"))
    (event,) = parser.tick()
    assert isinstance(event, EscapedKey)
    assert [key.key for key in event.apart] == ["escape", name]


def test_a_terminal_that_has_gone_keeps_no_writer_waiting() -> None:
    class Gone(StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    writer = WriterThread(LastingFile(Gone()))  # type: ignore[arg-type]
    writer.start()
    for _ in range(3 * MAX_QUEUED_WRITES):
        writer.write("x")
    writer.stop()
    assert not writer.is_alive()


async def test_what_comes_at_once_is_handed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader has its turn beside the app only now and then; and it ends while nothing comes."""
    app, come = App[None](), asyncio.Event()
    found: list[str] = []
    handed_over = []
    hand_over = asyncio.run_coroutine_threadsafe

    def note(coroutine: Any, loop: asyncio.AbstractEventLoop) -> Any:
        handed_over.append(coroutine)
        return hand_over(coroutine, loop)

    def take(event: events.Key) -> bool:
        found.append(event.key)
        if event.key == "q":
            come.set()
        return True

    monkeypatch.setattr(app, "post_message", take)
    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", note)
    terminal, of_app = pty.openpty()
    tty.setraw(of_app)
    driver = SteadyDriver(app)
    driver.fileno = of_app
    driver._key_thread = threading.Thread(target=driver.run_input_thread)
    driver._key_thread.start()
    os.write(terminal, b"s" * 1000 + b"q")
    await come.wait()
    assert found == ["s"] * 1000 + ["q"]
    assert len(handed_over) <= 2
    driver.disable_input()
    assert not driver._key_thread.is_alive()
    os.close(terminal)
    os.close(of_app)
