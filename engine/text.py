"""Text from elsewhere, made fit to show: no character of it may act on a terminal."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence

_LONGEST_QUOTE = 60
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, *, keep_newlines: bool = False) -> str:
    r"""Return `text` with control, format and direction characters escaped, as in `\x1b`.

    With `keep_newlines`, line ends and tabs stay what they are.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" if keep_newlines else ""
    return "".join(
        character
        if character in kept or unicodedata.category(character) not in _UNSAFE_CATEGORIES
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def quoted(text: str) -> str:
    """Return `text` in quotation marks for a message, printable and not too long."""
    if len(text) > _LONGEST_QUOTE:
        text = text[:_LONGEST_QUOTE] + "…"
    return f"'{printable(text)}'"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'near'?)` for the known word nearest to `word`, or nothing."""
    by_lower_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word[:_LONGEST_QUOTE].lower(), by_lower_case, n=1)
    return f" (did you mean {quoted(by_lower_case[near[0]])}?)" if near else ""


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return words as a sentence has them: `a, b and c`."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def several(words: Sequence[str], most: int = 12) -> str:
    """Return words in quotation marks with commas between; of many, the first and a count."""
    shown = ", ".join(map(quoted, words[:most]))
    return f"{shown} and {len(words) - most:,} more" if len(words) > most else shown


def cell_name(name: str, index: tuple[int, ...]) -> str:
    """Write a cell as NumPy would: `W1[0, 1]`, a single number by its name alone."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
