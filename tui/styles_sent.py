"""What is sent to the terminal: of each style only what differs from the one before.

Textual resets the style behind each piece of text and sends the next one whole; over a slow line
that is half of all bytes. Here a change of styles (an SGR sequence, ECMA-48 8.3.117) is held back
until text follows, and then only its difference is sent, as curses does.
"""

import re
from functools import lru_cache
from typing import NamedTuple

_STYLE = re.compile(r"\x1b\[([\d;]*)m")
# To move the cursor is not affected by a style: a line end and a place given in numbers.
_MOVES = re.compile(r"(?:\x1b\[[\d;]*H|[\r\n])*")
_DEFAULT_INK, _DEFAULT_GROUND = "39", "49"


_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "8": "28", "9": "29"}
"""What ends each attribute; bold and dim end together."""


class Style(NamedTuple):
    """How a terminal draws: attributes such as bold by their numbers, and the two colours.

    A colour is the part of a sequence that sets it, such as `38;5;252`.
    """

    attributes: frozenset[str] = frozenset()
    ink: str = _DEFAULT_INK
    ground: str = _DEFAULT_GROUND


PLAIN = Style()


def shortened(text: str) -> str:
    """Return text that draws the same with fewer bytes.

    It begins where the terminal's style is plain, and ends so if `text` does. What holds a sequence
    that is not known here is returned as it is.
    """
    parts = _STYLE.split(text)
    sent, wanted, out = PLAIN, PLAIN, [parts[0]]
    for codes, between in zip(parts[1::2], parts[2::2], strict=True):
        after = _after(wanted, codes)
        if after is None:
            return text
        wanted = after
        if not _MOVES.fullmatch(between):
            out.append(_difference(sent, wanted))
            sent = wanted
        out.append(between)
    out.append(_difference(sent, wanted))
    return "".join(out)


@lru_cache(maxsize=4096)
def _after(style: Style, codes: str) -> Style | None:
    """Return the style after a sequence; None for one with a number that is not known."""
    attributes, ink, ground = style
    numbers = codes.split(";")
    while numbers:
        number = numbers.pop(0)
        match number:
            case "" | "0":
                attributes, ink, ground = PLAIN
            case "38" | "48":
                count = {"5": 2, "2": 4}.get(numbers[0] if numbers else "", 0)
                if not count or len(numbers) < count:
                    return None
                colour = ";".join([number, *numbers[:count]])
                numbers = numbers[count:]
                ink, ground = (colour, ground) if number == "38" else (ink, colour)
            case _ if number in _ENDS:
                attributes |= {number}
            case _ if re.fullmatch("3[0-79]|9[0-7]", number):
                ink = number
            case _ if re.fullmatch("4[0-79]|10[0-7]", number):
                ground = number
            case _:
                return None
    return Style(attributes, ink, ground)


@lru_cache(maxsize=4096)
def _difference(sent: Style, wanted: Style) -> str:
    """Return the sequence that leads from one style to another, empty if they are the same."""
    if sent == wanted:
        return ""
    anew = ["0", *_added(PLAIN, wanted)] if wanted != PLAIN else ["0"]
    ended = {_ENDS[each] for each in sent.attributes - wanted.attributes}
    kept = frozenset(each for each in sent.attributes if _ENDS[each] not in ended)
    changed = [*sorted(ended), *_added(sent._replace(attributes=kept), wanted)]
    return min((f"\x1b[{';'.join(codes)}m" for codes in (changed, anew)), key=len)


def _added(sent: Style, wanted: Style) -> list[str]:
    """Return what sets all that a style has and another, which has no attribute more, has not."""
    codes = sorted(wanted.attributes - sent.attributes)
    codes += [wanted.ink] * (wanted.ink != sent.ink)
    codes += [wanted.ground] * (wanted.ground != sent.ground)
    return codes
