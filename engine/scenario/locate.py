"""From a key of a scenario to the line and column where it, or its value, is written."""

import re
import tomllib
from collections.abc import Sequence

import tree_sitter
import tree_sitter_toml
from msgspec import Struct

from .errors import Keys, Part


class _Found(Struct, frozen=True):
    """Where a value is named and where it is; `rest` is what could not be found inside it."""

    key: tree_sitter.Node | None
    value: tree_sitter.Node
    rest: Keys = ()


def statement_key(text: str, end: int) -> tuple[int, str] | None:
    """Return where the statement that ends with `text[:end]` begins, and its key as written."""
    content = text.encode()
    last = len(text[:end].rstrip().encode()) - 1
    node = _tree(content).root_node.descendant_for_byte_range(last, last)
    while node is not None and node.type not in ("pair", "table", "table_array_element"):
        node = node.parent
    if node is None:
        return None
    key = node.named_children[0]
    before = content[: key.start_byte].decode()
    return len(before), content[key.start_byte : key.end_byte].decode()


def _tree(content: bytes) -> tree_sitter.Tree:
    language = tree_sitter.Language(tree_sitter_toml.language())
    return tree_sitter.Parser(language).parse(content)


class Locator:
    """Knows where in the text of a TOML file each of its keys and values stands."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self._tree = _tree(self._bytes)
        self._found: dict[Keys, _Found] = {}
        self._last_index: dict[Keys, int] = {}
        for node in self._tree.root_node.named_children:
            if node.type == "pair":
                self._enter_pair((), node)
            elif node.type in ("table", "table_array_element"):
                self._enter_table(node)

    def place(self, keys: Keys, part: Part = "value", offset: int | None = None) -> tuple[int, int]:
        """Return the line and column, from 1, of what `keys` lead to.

        What is missing is where the table that lacks it begins. With `offset`, the place is that
        of a character of the string there.
        """
        found = self._find(keys)
        if found is None:
            return 1, 1
        node = found.key if part == "key" and found.key and not found.rest else found.value
        start = node.start_byte
        if offset is not None and node.type == "string" and not found.rest:
            written = self._text(node)
            start += len(written[: written_offset(written, offset)].encode())
        line_start = self._bytes.rfind(b"\n", 0, start) + 1
        line = self._bytes.count(b"\n", 0, start) + 1
        return line, len(self._bytes[line_start:start].decode(errors="replace")) + 1

    def _find(self, keys: Keys) -> _Found | None:
        """Return the node of `keys`, or of the innermost thing that holds it."""
        for length in range(len(keys), 0, -1):
            if found := self._found.get(keys[:length]):
                return self._descend(found, keys[length:])
        return None

    def _descend(self, found: _Found, rest: Keys) -> _Found:
        """Follow `rest` through lists and inline tables."""
        key, value = found.key, found.value
        while rest:
            children = [child for child in value.named_children if child.type != "comment"]
            if isinstance(rest[0], int):
                if value.type != "array" or rest[0] >= len(children):
                    break
                key, value, rest = None, children[rest[0]], rest[1:]
                continue
            step = self._inline(children if value.type == "inline_table" else [], rest)
            if step is None:
                break
            key, value, rest = step
        return _Found(key, value, rest)

    def _inline(
        self, pairs: Sequence[tree_sitter.Node], rest: Keys
    ) -> tuple[tree_sitter.Node, tree_sitter.Node, Keys] | None:
        """Return key, value and what is left of `rest` for the pair of an inline table it names."""
        for pair in pairs:
            parts = _parts(pair.named_children[0])
            names = tuple(map(self._name, parts))
            shared = min(len(names), len(rest))
            if names[:shared] == rest[:shared]:
                value = pair.named_children[1] if shared == len(names) else parts[shared - 1]
                return parts[shared - 1], value, rest[shared:]
        return None

    def _enter_table(self, node: tree_sitter.Node) -> None:
        """Note the table under a `[header]` or `[[header]]` and what it holds."""
        parts = _parts(node.named_children[0])
        keys: Keys = ()
        for part in parts:
            keys = (*keys, self._name(part))
            if part is parts[-1]:
                break
            self._found.setdefault(keys, _Found(part, node))
            if keys in self._last_index:
                keys = (*keys, self._last_index[keys])
        if node.type == "table_array_element":
            self._found.setdefault(keys, _Found(parts[-1], node))
            self._last_index[keys] = self._last_index.get(keys, -1) + 1
            keys = (*keys, self._last_index[keys])
        self._found[keys] = _Found(parts[-1], node)
        for pair in node.named_children[1:]:
            if pair.type == "pair":
                self._enter_pair(keys, pair)

    def _enter_pair(self, keys: Keys, pair: tree_sitter.Node) -> None:
        """Note a `key = value`, and the tables that a dotted key implies."""
        key, value = pair.named_children[:2]
        parts = _parts(key)
        for part in parts[:-1]:
            keys = (*keys, self._name(part))
            self._found.setdefault(keys, _Found(part, part))
        self._found[(*keys, self._name(parts[-1]))] = _Found(parts[-1], value)

    def _name(self, part: tree_sitter.Node) -> str:
        written = self._text(part)
        return string_value(written) if part.type == "quoted_key" else written

    def _text(self, node: tree_sitter.Node) -> str:
        return self._bytes[node.start_byte : node.end_byte].decode(errors="replace")


def _parts(key: tree_sitter.Node) -> list[tree_sitter.Node]:
    """Return the names of a key, of which a dotted one has several."""
    parts: list[tree_sitter.Node] = []
    while key.type == "dotted_key":
        key, last = key.named_children[0], key.named_children[-1]
        parts.append(last)
    return [key, *reversed(parts)]


_TRIPLE = ('"""', "'''")
_CONTINUATION = re.compile(r"(?:\\[ \t]*\r?\n[ \t\r\n]*)+")
_WRITTEN = re.compile(r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\.|\r\n|.", re.DOTALL)
_LITERAL = re.compile(r"\r\n|.", re.DOTALL)


def written_offset(written: str, offset: int) -> int:
    """Return the index into `written`, a TOML string with its marks, of its value's `offset`."""
    marks = 3 if written.startswith(_TRIPLE) else 1
    character = _WRITTEN if written[0] == '"' else _LITERAL
    position = marks
    if marks == 3 and (line_end := re.compile(r"\r?\n").match(written, position)):
        position = line_end.end()
    while True:
        if character is _WRITTEN and (skipped := _CONTINUATION.match(written, position)):
            position = skipped.end()
        match = character.match(written, position)
        if offset == 0 or match is None:
            return position
        position = match.end()
        offset -= 1


def string_value(written: str) -> str:
    """Return the value of a TOML string as it is written, with its marks."""
    value: str = tomllib.loads(f"value = {written}")["value"]
    return value
