"""Text from elsewhere, made fit to show: no character of it may act on a terminal."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence

_LONGEST_QUOTE = 60
_LONGEST_PATH = 300
_LONGEST_TITLE = 200
_LONGEST_SENTENCE = 2000
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, *, keep_newlines: bool = False) -> str:
    r"""Return `text` with control, format and direction characters escaped, as in `\x1b`.

    With `keep_newlines`, line ends and tabs stay what they are.
    """
    kept = "\n\t" if keep_newlines else ""
    lines = text.replace("\t", "\n").split("\n") if keep_newlines else [text]
    if all(map(str.isprintable, lines)):
        return text
    return "".join(
        character
        if character in kept or unicodedata.category(character) not in _UNSAFE_CATEGORIES
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def shortened(text: str, most: int) -> str:
    """Return `text` printable and on one line, in at most `most` characters and a `…`."""
    start = text[: most + 1]
    if len(shown := printable(start)) <= most:
        return shown
    pieces: list[str] = []
    room = most
    for character in start:
        piece = printable(character)
        room -= len(piece)
        if room < 0:
            break
        pieces.append(piece)
    return "".join(pieces) + "…"


def quoted(text: str) -> str:
    """Return `text` in quotation marks for a message, printable and not too long."""
    return f"'{shortened(text, _LONGEST_QUOTE)}'"


def quoted_path(path: str) -> str:
    """Return a path that stands in a file as `quoted` does, with more of it."""
    return f"'{shortened(path, _LONGEST_PATH)}'"


def a_title(text: str) -> str:
    """Return the title of something, on one line and fit to show."""
    return shortened(text, _LONGEST_TITLE)


def a_sentence(text: str) -> str:
    """Return a whole message, on one line and fit to show, whatever got into it."""
    return shortened(text, _LONGEST_SENTENCE)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that somebody may have meant by `word`, if one is near enough."""
    by_lower_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word[:_LONGEST_QUOTE].lower(), by_lower_case, n=1)
    return by_lower_case[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'near'?)` for the known word nearest to `word`, or nothing."""
    near = nearest(word, known)
    return f" (did you mean {quoted(near)}?)" if near else ""


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return words as a sentence has them: `a, b and c`."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def several(words: Sequence[str], most: int = 12) -> str:
    """Return words in quotation marks with commas between; of many, the first and a count."""
    shown = ", ".join(map(quoted, words[:most]))
    return f"{shown} and {len(words) - most:,} more" if len(words) > most else shown


def outside(index: float, axis: int, name: str, size: int) -> str:
    """Say that an axis of a tensor has no such index, and which ones it has."""
    there_are = "none" if size == 0 else "only 0" if size == 1 else f"0 to {size - 1}"
    return f"index {index} is outside axis {axis} of {name}, which has {size}: {there_are}"


def cell_name(name: str, index: tuple[int, ...]) -> str:
    """Write a cell as NumPy would: `W1[0, 1]`, a single number by its name alone."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
