"""The user's settings: theme, keys, and how much of the past is kept."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key, key_to_character

from nnstep.engine.files import read_bytes
from nnstep.engine.limits import HISTORY_BYTES, MAX_CONFIG_BYTES
from nnstep.engine.text import a_sentence, did_you_mean, quoted

from .actions import ACTIONS, REPLACED, Action, remapped
from .panes import PANES

_DEFAULT_MEGABYTES, _MOST_MEGABYTES = HISTORY_BYTES >> 20, 1 << 20


class Config(Struct, frozen=True):
    """What the file asks for, and what was wrong with it; `history` is in bytes.

    `ascii` says whether marks are in ASCII; None leaves it to the locale and to the terminal.
    """

    keys: Mapping[str, str] = {}
    theme: str | None = None
    history: int = HISTORY_BYTES
    ascii: bool | None = None
    problems: tuple[str, ...] = ()


def config_path() -> Path | None:
    """Return where the file is looked for; None for a user without a home."""
    home = os.environ.get("XDG_CONFIG_HOME")
    try:
        return (Path(home) if home else Path.home() / ".config") / "nnstep" / "config.toml"
    except RuntimeError:
        return None


def read_config(path: Path | None) -> Config:
    """Read the file; without one, everything is as it comes."""
    try:
        if path is None or not path.exists():
            return Config()
        document = tomllib.loads(read_bytes(path, MAX_CONFIG_BYTES).decode())
    except ValueError as error:
        return Config(problems=(a_sentence(f"{path}: {error}"),))
    except RecursionError:
        return Config(problems=(f"{path}: too many lists or tables inside one another",))
    problems: list[str] = []
    keys = _read_keys(document.pop("keys", {}), problems)
    theme = document.pop("theme", None)
    if theme is not None and not isinstance(theme, str):
        problems.append("theme must be a name in quotation marks")
        theme = None
    history = document.pop("history", _DEFAULT_MEGABYTES)
    if type(history) is not int or not 1 <= history <= _MOST_MEGABYTES:
        problems.append(f"history is a whole number of megabytes from 1 to {_MOST_MEGABYTES}")
        history = _DEFAULT_MEGABYTES
    plain = document.pop("ascii", None)
    if plain is not None and not isinstance(plain, bool):
        problems.append("ascii is true or false")
        plain = None
    problems += [
        f"unknown setting {quoted(name)} (known: theme, history, ascii, [keys])"
        for name in document
    ]
    return Config(
        keys,
        theme,
        history << 20,
        plain,
        tuple(a_sentence(f"{path}: {problem}") for problem in problems),
    )


def _read_keys(table: Any, problems: list[str]) -> dict[str, str]:
    """Read the table of keys, leaving out what cannot be and saying why."""
    if not isinstance(table, dict):
        problems.append("keys must be a table: [keys]")
        return {}
    known = [action.id for action in ACTIONS]
    keys: dict[str, str] = {}
    for name, value in table.items():
        if name in REPLACED:
            problems.append(f"keys.{name}: that action is gone; {REPLACED[name]}")
        elif name not in known:
            problems.append(f"unknown action {quoted(name)}{did_you_mean(name, known)}")
        elif not isinstance(value, str):
            problems.append(f'keys.{name} must be text, such as "s,f11"')
        else:
            names = {key.strip(): key_name(key.strip()) for key in value.split(",")}
            wrong = [key for key, canonical in names.items() if canonical is None]
            problems += [f"keys.{name}: there is no key {quoted(key)}" for key in wrong]
            if not wrong:
                keys[name] = ",".join(canonical for canonical in names.values() if canonical)
    return _without_clashes(keys, problems)


def _without_clashes(keys: dict[str, str], problems: list[str]) -> dict[str, str]:
    """Leave out every choice that would take a key from another action."""
    actions = {action.id: action for action in remapped(keys)}
    kept = dict(keys)
    for name in keys:
        for other in actions.values():
            shared = set(actions[name].keys.split(",")) & set(other.keys.split(","))
            if name in kept and other.id != name and shared and _meet(actions[name], other):
                problems.append(f"keys.{name}: {', '.join(sorted(shared))} is taken by {other.id}")
                del kept[name]
    return kept


def _meet(one: Action, other: Action) -> bool:
    """Tell whether two actions listen at the same time."""
    panes = {pane.scope for pane in PANES}
    return one.scope == other.scope or not {one.scope, other.scope} <= panes


_MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "meta", "hyper"})
_NAMED_KEYS = frozenset(key.value for key in Keys) | frozenset(KEY_NAME_REPLACEMENTS.values())


def key_name(key: str) -> str | None:
    """Return Textual's name of a key (`question_mark` for `?`), None if no such key exists.

    Textual takes any name for a key, and one that it does not know never fires.
    """
    if len(key) == 1:
        return _character_to_key(key) if key.isprintable() else None
    *modifiers, base = key.split("+")
    if not base or not _MODIFIERS.issuperset(modifiers):
        return None
    character = key_to_character(base)
    known = base in _NAMED_KEYS or (character is not None and character.isprintable())
    return key if known else None
