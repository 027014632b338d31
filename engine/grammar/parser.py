"""What a text may be: an expression, a condition, or a program of assignments."""

from nnstep.engine.text import quoted

from .expression import ExpressionParser, not_too_deep
from .limits import MAX_STATEMENTS
from .nodes import Assignment, Node
from .tokens import WORD_OPERATORS, Kind, Token, tokenize


def parse_expression(text: str) -> Node:
    """Parse arithmetic, such as `(a + b) @ W1.T`; raise `GrammarError` at a mistake."""
    return ExpressionParser(tokenize(text, lines=False), conditions=False).whole_text()


def parse_condition(text: str) -> Node:
    """Parse arithmetic with comparisons, `and`, `or` and `not`; raise `GrammarError`."""
    return ExpressionParser(tokenize(text, lines=False), conditions=True).whole_text()


def parse_program(text: str) -> tuple[Assignment, ...]:
    """Parse assignments, one a line, indented or not; raise `GrammarError` at a mistake."""
    parser = ExpressionParser(tokenize(text, lines=True), conditions=False)
    statements: list[Assignment] = []
    parser.cursor.skip_newlines()
    while parser.cursor.next.kind is not Kind.END:
        if len(statements) == MAX_STATEMENTS:
            raise parser.cursor.error(f"the program has more than {MAX_STATEMENTS:,} lines")
        statements.append(_assignment(parser))
        parser.cursor.skip_newlines()
    return tuple(statements)


def _assignment(parser: ExpressionParser) -> Assignment:
    cursor = parser.cursor
    target = cursor.take()
    if target.kind is not Kind.NAME or target.text in WORD_OPERATORS | {"True", "False"}:
        raise cursor.error(f"a line is 'name = value'; {target} is not a name", target)
    if not cursor.take_if("="):
        raise cursor.error(_no_assignment(target, cursor.next))
    value = parser.expression()
    if cursor.next.kind not in (Kind.NEWLINE, Kind.END):
        raise parser.left_over()
    return Assignment(target.text, not_too_deep(value), start=target.start, end=target.end)


def _no_assignment(target: Token, found: Token) -> str:
    """Say what is wrong when no `=` follows the first name of a line."""
    if found.text == "==":
        return "a line assigns with '=', not '=='"
    if found.text in ("[", "."):
        return f"only a whole name can be assigned to, not a part of {target}"
    if found.text == ",":
        return "a line assigns to one name only"
    if found.kind is Kind.SIGN and found.text.endswith("="):
        return f"{found} would assign twice; give the new value a new name, as in 'c = a + b'"
    return f"a line is 'name = value': expected '=' after {quoted(target.text)}, found {found}"
