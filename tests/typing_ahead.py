"""Keys and pastes that come at once, as from a paste, a script or a slow line."""

from typing import Any

from textual import events
from textual.pilot import Pilot

NAMES = {
    ":": "colon",
    "\n": "enter",
    " ": "space",
    ".": "full_stop",
    "?": "question_mark",
    "!": "exclamation_mark",
    "+": "plus",
    "-": "minus",
    "/": "slash",
    "=": "equals_sign",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    "@": "at",
    "*": "asterisk",
    ",": "comma",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "^": "circumflex_accent",
}


def key(name: str) -> events.Key:
    """Return a key by its name, or by the character that it types."""
    if len(name) > 1:
        return events.Key(name, None)
    if name.isupper():
        return events.Key(f"upper_{name.lower()}" if not name.isascii() else name, name)
    return events.Key(NAMES.get(name, name), "\r" if name == "\n" else name)


def send(pilot: Pilot[Any], *typed: str | events.Event) -> None:
    """Send what is typed at once: texts letter by letter, keys with a name in angle brackets."""
    for each in typed:
        if isinstance(each, events.Event):
            pilot.app.post_message(each)
        elif each.startswith("<") and each.endswith(">") and len(each) > 2:
            pilot.app.post_message(key(each[1:-1]))
        else:
            for character in each:
                pilot.app.post_message(key(character))
