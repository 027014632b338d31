"""What Textual has parsed of a stylesheet is remembered from one app of a process to the next."""

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_parse_rules = Stylesheet._parse_rules
_parsed: dict[tuple[Any, ...], list[RuleSet]] = {}


def parse_once(sheet: Stylesheet, *given: Any, **named: Any) -> list[RuleSet]:
    """Parse rules as a stylesheet does, unless the same were parsed with the same variables."""
    what = given, *sorted(named.items()), *sorted(sheet._variables.items())
    if what not in _parsed:
        _parsed[what] = _parse_rules(sheet, *given, **named)
    return _parsed[what]
