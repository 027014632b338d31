"""From TOML tables to structures, with every mistake reported in words."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from nnstep.engine.limits import MAX_TABLES
from nnstep.engine.text import did_you_mean, listed, quoted

from .errors import Keys
from .report import Report

_Table = TypeVar("_Table", bound=Struct)
_Type = Any
"""A type as the schema writes it: a structure, a union, `list[…]`, `Literal[…]`, `Annotated[…]`."""
_origin: Callable[[_Type], Any] = get_origin
"""`get_origin`, declared to return more than its own annotation knows of: `Annotated`, `Union`."""


def convert(wanted: type[_Table], table: Mapping[str, Any], report: Report) -> _Table:
    """Return the outermost table as a structure; its parts that hold mistakes have defaults."""
    values, _ = _fields(wanted, table, (), report)
    _known_keys(wanted, (), table, (), report)
    return wanted(**values)


def kind_of(table: Struct) -> str:
    """Return the `kind` that chose this structure."""
    return str(table.__struct_config__.tag)


def kind_and_options(chosen: str | Struct) -> tuple[str, dict[str, Any]]:
    """Return a kind, chosen by its name alone or by a table, and the table's other keys."""
    if isinstance(chosen, str):
        return chosen, {}
    return kind_of(chosen), msgspec.structs.asdict(chosen)


@cache
def _fields_of(wanted: type[Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a structure; their types are worked out once, since that takes long."""
    return msgspec.structs.fields(wanted)


def _fields(
    wanted: type[Struct], table: Mapping[str, Any], keys: Keys, report: Report
) -> tuple[dict[str, Any], bool]:
    """Convert the values of a table; tell whether none is missing or mistaken."""
    values: dict[str, Any] = {}
    sound = True
    for field in _fields_of(wanted):
        if field.name in table:
            value = _value(field.type, table[field.name], (*keys, field.name), report)
            if value is None:
                sound = False
            else:
                values[field.name] = value
        elif field.required:
            report.error(keys, f"the key '{field.name}' is missing")
            sound = False
    return values, sound


def _structure(
    wanted: type[Struct],
    siblings: Iterable[type[Struct]],
    table: Mapping[str, Any],
    keys: Keys,
    report: Report,
) -> Struct | None:
    """Convert a table; `siblings` are the structures that another `kind` would have chosen."""
    values, sound = _fields(wanted, table, keys, report)
    sound = _known_keys(wanted, siblings, table, keys, report) and sound
    return wanted(**values) if sound else None


def _known_keys(
    wanted: type[Struct],
    siblings: Iterable[type[Struct]],
    table: Mapping[str, Any],
    keys: Keys,
    report: Report,
) -> bool:
    """Report the keys of a table that its structure does not have; tell whether there are none."""
    tag = wanted.__struct_config__.tag_field
    names = {field.name for field in _fields_of(wanted)} | ({tag} if tag else set())
    unknown = [key for key in table if key not in names]
    for key in unknown:
        owners = [
            str(sibling.__struct_config__.tag)
            for sibling in siblings
            if any(field.name == key for field in _fields_of(sibling))
        ]
        if owners:
            message = (
                f"{quoted(key)} belongs to {listed(owners)}, not to {wanted.__struct_config__.tag}"
            )
        else:
            message = f"unknown key {quoted(key)}{did_you_mean(key, names)}"
        report.error((*keys, key), message, part="key")
        if report.is_full:
            break
    return not unknown


def _value(wanted: _Type, value: Any, keys: Keys, report: Report) -> Any:
    """Convert one value; return None if it holds a mistake."""
    kinds, plain, collections = _choices(wanted)
    if isinstance(value, dict):
        if plain and (not kinds or _has_a_needed_key(plain[0], value)):
            return _structure(plain[0], (), value, keys, report)
        if kinds:
            return _tagged(kinds, value, keys, report)
    elif kinds and isinstance(value, str) and _literals(wanted):
        return _named(kinds, value, keys, report)
    for collection, inner in collections:
        if collection is list and _is_table(inner) and value != []:
            return _tables(inner, value, keys, report)
        if collection is dict and isinstance(value, dict):
            return _mapping(inner, value, keys, report)
    return _plain(wanted, value, keys, report)


@cache
def _choices(
    wanted: _Type,
) -> tuple[list[type[Struct]], list[type[Struct]], list[tuple[type, _Type]]]:
    """Return what a union has of structures with a `kind`, of others, and of lists and mappings."""
    options = _options(wanted)
    tables: list[type[Struct]] = [option for option in options if _is_table(option)]
    kinds = [table for table in tables if table.__struct_config__.tag_field]
    plain = [table for table in tables if table not in kinds]
    origins = ((_origin(option), get_args(option)) for option in options)
    collections = [(origin, inner[-1]) for origin, inner in origins if origin in (list, dict)]
    return kinds, plain, collections


@cache
def _options(wanted: _Type) -> tuple[_Type, ...]:
    """Return the types that a union consists of, descriptions taken off."""
    return tuple(_each_option(wanted))


def _each_option(wanted: _Type) -> Iterator[_Type]:
    if _origin(wanted) is Annotated:
        inner, *remarks = get_args(wanted)
        yield from _each_option(inner)
        yield from (remark.extra["or"] for remark in remarks if remark.extra)
    elif _origin(wanted) in (Union, UnionType):
        for option in get_args(wanted):
            yield from _each_option(option)
    elif wanted is not NoneType:
        yield wanted


def _has_a_needed_key(wanted: type[Struct], table: Mapping[str, Any]) -> bool:
    return any(field.required and field.name in table for field in _fields_of(wanted))


def _is_table(wanted: _Type) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, Struct)


def _tagged(
    structures: list[type[Struct]], table: Mapping[str, Any], keys: Keys, report: Report
) -> Any:
    """Convert a table whose `kind` says which structure it is."""
    by_kind = {str(structure.__struct_config__.tag): structure for structure in structures}
    if "kind" not in table:
        report.error(keys, f"the key 'kind' is missing: {listed(map(quoted, by_kind), 'or')}")
        return None
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in by_kind:
        report.error((*keys, "kind"), f"'kind' {one_of(kind, by_kind)}")
        return None
    return _structure(by_kind[kind], structures, table, keys, report)


def _named(structures: list[type[Struct]], name: str, keys: Keys, report: Report) -> Any:
    """Convert a string that stands for a table with this `kind` and no other key."""
    by_kind = {str(structure.__struct_config__.tag): structure for structure in structures}
    if name not in by_kind:
        report.error(keys, f"'{keys[-1]}' {one_of(name, by_kind)}")
        return None
    needed = [field.name for field in _fields_of(by_kind[name]) if field.required]
    if needed:
        settings = ", ".join(f"{setting} = …" for setting in needed)
        message = f"'{name}' needs {listed(needed)}: write {{ kind = \"{name}\", {settings} }}"
        report.error(keys, message)
        return None
    return by_kind[name]()


def _tables(wanted: type[Struct], value: Any, keys: Keys, report: Report) -> Any:
    """Convert a list of tables, as written under `[[…]]`."""
    if not isinstance(value, list):
        name = ".".join(key for key in keys if isinstance(key, str))
        message = f"'{keys[-1]}' is a list of tables, each under a header [[{name}]]"
        report.error(keys, message, part="key")
        return None
    if len(value) > MAX_TABLES:
        report.error(keys, f"there are more than {MAX_TABLES:,} tables in this list")
        return None
    converted = [_value(wanted, table, (*keys, index), report) for index, table in enumerate(value)]
    return None if None in converted else converted


def _mapping(wanted: _Type, table: Mapping[str, Any], keys: Keys, report: Report) -> Any:
    """Convert a table whose keys the author chooses."""
    converted = {key: _value(wanted, value, (*keys, key), report) for key, value in table.items()}
    return None if None in converted.values() else converted


def _plain(wanted: _Type, value: Any, keys: Keys, report: Report) -> Any:
    """Convert a value that is no table: a number, a string, a list of them."""
    if isinstance(value, float) and not math.isfinite(value) and float in _options(wanted):
        report.error(keys, f"{_name(keys)} must be finite, not {value}")
        return None
    if (at := _beyond_floats(wanted, value)) is not None:
        report.error((*keys, *at), f"{_name(keys, at)} must be a number that fits in 64 bits")
        return None
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        expected, indices = expectation(str(error))
    for index in indices:
        value = value[index]
        wanted = _element(wanted, index)
    names = _literals(wanted)
    if isinstance(value, str) and names:
        complaint = one_of(value, names)
    else:
        complaint = f"must be {expected}, not {described(value)}"
    report.error((*keys, *indices), f"{_name(keys, indices)} {complaint}")
    return None


def _beyond_floats(wanted: _Type, value: Any) -> tuple[int, ...] | None:
    """Return where a whole number stands that no float comes near, on which old msgspecs fail."""
    if type(value) is not int and not isinstance(value, list):
        return None
    for option in _options(wanted):
        if option is float and type(value) is int and abs(value) >= 2**1024:
            return ()
        if isinstance(value, list) and _origin(option) is tuple:
            for index, (item, element) in enumerate(zip(value, get_args(option), strict=False)):
                if _beyond_floats(element, item) is not None:
                    return (index,)
    return None


@cache
def _literals(wanted: _Type) -> list[Any]:
    """Return the words that a union lists one by one."""
    return [
        word
        for option in _options(wanted)
        if _origin(option) is Literal
        for word in get_args(option)
    ]


def _element(wanted: _Type, index: int) -> _Type:
    """Return the type of an element of a list or tuple type."""
    for option in _options(wanted):
        if _origin(option) is list:
            return get_args(option)[0]
        if _origin(option) is tuple:
            return get_args(option)[index]
    return wanted


def _name(keys: Keys, indices: tuple[int, ...] = ()) -> str:
    name = next((key for key in reversed(keys) if isinstance(key, str)), "")
    return f"an element of {quoted(name)}" if indices else quoted(name)


_EXPECTED = r"Expected `([^`]+)`(.*?)(?:, got .*)?$"
_ELEMENT = r" - at `\$((?:\[\d+\])+)`$"
_TYPES = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotation marks",
    "array": "a list",
    "object": "a table",
}


def expectation(message: str) -> tuple[str, tuple[int, ...]]:
    """Put msgspec's message in plain words, and return the indices of the element it is about."""
    element = re.search(_ELEMENT, message)
    expected = re.match(_EXPECTED, message[: element.start()] if element else message)
    indices = tuple(map(int, re.findall(r"\d+", element[1]))) if element else ()
    if expected is None:
        return "a number that fits in 64 bits", indices
    named = {name for name in expected[1].split(" | ") if name != "null"}
    types = [words for name, words in _TYPES.items() if name in named]
    types += sorted(named - _TYPES.keys())
    return listed(types, "or") + expected[2].replace(".0", ""), indices


def described(value: Any) -> str:
    """Name a value of a TOML file in a message: a number as it is, a list as a list."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return shown(value)
        case str():
            return quoted(value)
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
    return "a date or time"


def shown(number: float) -> str:
    """Write a number as a person would, a huge one shortened."""
    if isinstance(number, int):
        return str(number) if abs(number) < 10**20 else "a huge number"
    return repr(float(number))


def one_of(word: Any, known: Iterable[str]) -> str:
    """Say that `word` is none of the known ones, and which is nearest."""
    names = list(known)
    hint = did_you_mean(word, names) if isinstance(word, str) else ""
    return f"must be {listed(map(quoted, names), 'or')}, not {described(word)}{hint}"
