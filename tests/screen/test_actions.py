"""One list of actions: every key in it exists, and bindings, footer and palette agree with it."""

from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from nnstep.tui.actions import ACTIONS, FOOTERS, REPLACED, Action, bindings, remapped
from nnstep.tui.config import Config, config_path, key_name, read_config
from nnstep.tui.debugger import Debugger
from nnstep.tui.panes.program import ProgramPane
from nnstep.tui.panes.tensors import TensorPane


def test_every_id_is_there_once() -> None:
    ids = [action.id for action in ACTIONS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_key_exists(action: Action) -> None:
    keys = action.keys.split(",")
    assert all(key == "" or key_name(key) == key for key in keys)


@pytest.mark.parametrize("owner", [Debugger, ProgramPane, TensorPane])
def test_every_command_is_an_action_of_its_owner(owner: type[DOMNode]) -> None:
    for binding in Binding.make_bindings(owner.BINDINGS):
        name = binding.action.partition("(")[0]
        target = Debugger if name.startswith("screen.") else owner
        assert hasattr(target, f"action_{name.removeprefix('screen.')}")


def test_no_key_is_taken_twice_where_both_listen() -> None:
    for scope in ("program", "tensors"):
        keys = [
            key
            for action in ACTIONS
            if action.scope in {scope, "debugger", "app"} and action.keys
            for key in action.keys.split(",")
        ]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("?", "question_mark"),
        ("s", "s"),
        ("f10", "f10"),
        ("ctrl+p", "ctrl+p"),
        ("esc", None),
        ("hyperspace", None),
        ("f77", None),
        ("", None),
        ("windows+s", None),
    ],
)
def test_the_names_of_keys(key: str, name: str | None) -> None:
    assert key_name(key) == name


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_without_a_file_nothing_is_different(tmp_path: Path) -> None:
    assert read_config(tmp_path / "none.toml") == Config()


def test_keys_and_theme_are_read(tmp_path: Path) -> None:
    config = read(tmp_path, 'theme = "nnstep-light"\n[keys]\nstep-op = "J, f11"\nhelp = "?"\n')
    assert config.problems == ()
    assert config.theme == "nnstep-light"
    assert config.keys == {"step-op": "J,f11", "help": "question_mark"}
    assert next(
        action for action in remapped(config.keys) if action.id == "step-op"
    ).shown_keys == (
        "J",
        "F11",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[keys", "Expected ']'"),
        ('[keys]\nstep-opp = "j"', "did you mean 'step-op'?"),
        ('[keys]\nstep-op = "esc"', "there is no key 'esc'"),
        ("[keys]\nstep-op = 3", "must be text"),
        ('[keys]\nstep-op = "q"', "q is taken by quit"),
        ("keys = 3", "must be a table"),
        ("theme = 3", "must be a name"),
        ('colour = "red"', "unknown setting 'colour'"),
        ("x = " + "[" * 10_000 + "]" * 10_000, "too many lists or tables inside one another"),
        ("# " + "x" * 2**20, "larger than 1 MiB"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(tmp_path: Path, text: str, problem: str) -> None:
    config = read(tmp_path, text)
    assert (config.keys, config.theme) == ({}, None)
    assert len(config.problems) == 1
    assert str(tmp_path) in config.problems[0]
    assert problem in config.problems[0]


def test_without_a_home_nothing_is_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    assert config_path() is None
    assert read_config(None) == Config()


def test_a_freed_key_can_be_taken(tmp_path: Path) -> None:
    config = read(tmp_path, '[keys]\nquit = "X"\nstep-op = "q"')
    assert config.keys == {"quit": "X", "step-op": "q"}


def test_bindings_carry_the_ids_of_the_actions() -> None:
    ids = {action.id for action in ACTIONS if action.scope == "debugger" and action.keys}
    assert {getattr(binding, "id", None) for binding in bindings("debugger")} == ids


@pytest.mark.parametrize("name", REPLACED)
def test_an_id_that_is_gone_is_told_with_what_took_its_place(tmp_path: Path, name: str) -> None:
    assert name not in {action.id for action in ACTIONS}
    config = read(tmp_path, f'[keys]\n{name} = "J"')
    assert config.keys == {}
    (problem,) = config.problems
    assert f"keys.{name}: that action is gone; {REPLACED[name]}" in problem


def test_the_keys_of_the_last_line_are_actions() -> None:
    known = {action.id for action in ACTIONS}
    for footer in FOOTERS.values():
        assert {each for ids, _ in footer for each in ids.split()} <= known
        assert "help" in dict(footer)
