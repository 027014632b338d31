"""The grammar agrees with Python on what an expression means, and says where it is wrong."""

import ast
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of

from nnstep.engine.language.nodes import (
    Assignment,
    Binary,
    Call,
    Compare,
    GrammarError,
    Index,
    Logical,
    Name,
    Negation,
    Node,
    Not,
    Number,
    Transpose,
    descendants,
)
from nnstep.engine.language.parser import parse_condition, parse_expression, parse_program
from nnstep.engine.limits import MAX_DEPTH, MAX_DIGITS, MAX_STATEMENTS, MAX_TEXT

DEEP = 2 * MAX_DEPTH

_PYTHON = {
    "Add": "+",
    "Sub": "-",
    "Mult": "*",
    "Div": "/",
    "Pow": "**",
    "MatMult": "@",
    "Lt": "<",
    "LtE": "<=",
    "Gt": ">",
    "GtE": ">=",
    "Eq": "==",
    "NotEq": "!=",
    "And": "and",
    "Or": "or",
}


def ours(node: Node) -> Any:
    """Our tree as nested tuples."""
    match node:
        case Number():
            return node.value
        case Name():
            return node.name
        case Negation() | Not() | Transpose():
            return (type(node).__name__, ours(node.operand))
        case Binary() | Compare() | Logical():
            return (node.operator, ours(node.left), ours(node.right))
        case Index():
            return ("Index", ours(node.operand), node.index)
        case Call():
            return (node.function, *map(ours, node.arguments), dict(node.options))


def pythons(node: Any) -> Any:
    """Python's tree of the same text, written alike."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return node.id
        case ast.UnaryOp():
            kind = "Not" if isinstance(node.op, ast.Not) else "Negation"
            return (kind, pythons(node.operand))
        case ast.BinOp():
            return (_PYTHON[type(node.op).__name__], pythons(node.left), pythons(node.right))
        case ast.Compare():
            operator = _PYTHON[type(node.ops[0]).__name__]
            return (operator, pythons(node.left), pythons(node.comparators[0]))
        case ast.BoolOp():
            result = pythons(node.values[0])
            for value in node.values[1:]:
                result = (_PYTHON[type(node.op).__name__], result, pythons(value))
            return result
        case ast.Attribute():
            return ("Transpose", pythons(node.value))
        case ast.Subscript():
            index = ast.literal_eval(node.slice)
            return ("Index", pythons(node.value), index if isinstance(index, tuple) else (index,))
        case ast.Call():
            options = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
            return (pythons(node.func), *map(pythons, node.args), options)
    raise AssertionError(ast.dump(node))


@each_of(
    "text",
    [
        "-a ** 2",
        "2 ** -1",
        "2 ** -a * b",
        "2 ** -a ** b",
        "a ** b ** c",
        "a - b - c",
        "a / b / c * d",
        "a @ b * c @ d",
        "-a * b",
        "--a",
        "(a + b) * c.T",
        "(a + b).T @ c[0]",
        "x[0, -1][1]",
        "sum(x, axis=-1, keepdims=True) + f()",
        "mean((a - y) ** 2)",
        "1 + 1.5 + .5 + 1e-3 + 2.",
        "( a\n + b )",
    ],
)
def test_precedence_is_that_of_python(text: str) -> None:
    assert ours(parse_expression(text)) == pythons(ast.parse(text, mode="eval").body)


@each_of(
    "text",
    [
        "not a == b and c or d",
        "a < b and not b < c",
        "not not a",
        "a or b and c or d",
        "(a < b) < c",
        "any(isnan(W1)) or norm(dW1) > 1e3",
        "-a ** 2 >= b + c",
    ],
)
def test_precedence_in_conditions_is_that_of_python(text: str) -> None:
    assert ours(parse_condition(text)) == pythons(ast.parse(text, mode="eval").body)


_operands = st.sampled_from(["a", "b1", "2", "0.5", "W.T", "x[0]"])
_expressions = st.recursive(
    _operands,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "@"]), inner).map(" ".join),
        inner.map("-{}".format),
        inner.map("({})".format),
        inner.map("tanh({})".format),
    ),
    max_leaves=12,
)


@given(_expressions)
@examples(40)
def test_any_expression_means_what_it_means_in_python(text: str) -> None:
    node = parse_expression(text)
    assert ours(node) == pythons(ast.parse(text, mode="eval").body)
    for part in descendants(node):
        inner = text[part.start : part.end]
        if not isinstance(part, Number):
            assert ours(parse_expression(inner)) == ours(part)


def test_slices() -> None:
    node = parse_expression("x[1:3, :, ::2, -1]")
    assert isinstance(node, Index)
    assert node.index == (slice(1, 3), slice(None), slice(None, None, 2), -1)


def test_whole_numbers_stay_whole() -> None:
    for text, kind in {
        "2": int,
        "2.0": float,
        "2.": float,
        "1e2": float,
        "9007199254740992": int,
        "9" * 20: float,  # no array of whole numbers has it
    }.items():
        node = parse_expression(text)
        assert isinstance(node, Number)
        assert type(node.value) is kind


def test_options_may_be_written_as_in_toml() -> None:
    node = parse_expression("sum(x, axis=0, keepdims=false)")
    assert isinstance(node, Call)
    assert node.options == {"axis": 0, "keepdims": False}


def test_positions_include_parentheses() -> None:
    node = parse_expression(" (a + b) * c ")
    assert (node.start, node.end) == (1, 12)


def test_a_program_ignores_indentation_comments_and_blank_lines() -> None:
    text = "  # first\r\n  d = a + b   # sum\n\n\te = (d *\n     c)\n"
    first, second = parse_program(text)
    assert isinstance(first, Assignment)
    assert (first.name, second.name) == ("d", "e")
    assert text[first.start : first.end] == "d"
    assert ours(second.value) == ("*", "d", "c")


def test_an_empty_program_has_no_lines() -> None:
    assert parse_program("\n # nothing\n") == ()


EXPRESSION_MISTAKES = [
    ("", 0, "expected a value, found the end of the text"),
    ("a +", 3, "expected a value, found the end"),
    ("a b", 2, "expected an operator or the end, found 'b'"),
    ("a < b", 2, "belongs in a condition"),
    ("not a", 0, "belongs in a condition"),
    ("(a", 2, "expected ')' to close '('"),
    ("a)", 1, "closes nothing"),
    ("x[]", 2, "expected an index"),
    ("x[1.5]", 2, "an index is a whole number"),
    ("x[i]", 2, "an index is a whole number"),
    ("x[::0]", 5, "cannot be 0"),
    ("x[99999999999]", 2, "too large"),
    ("a.foo()", 2, "after '.' only T, size, shape, sum(), mean()"),
    ("W.dot(x)", 2, "a matrix product is written with '@'"),
    ("np.dot(W, x)", 3, "a matrix product is written with '@'"),
    ("np.exp", 3, "after 'np.' a function is called"),
    ("(a, b)", 0, "can only be an argument of a function"),
    ("f((a, b) + 1)", 2, "can only be an argument of a function"),
    ("a if b", 6, "expected 'else'"),
    ("f(a, reduction=mean)", 15, "a reduction is 'mean'"),
    ("f(a)(b)", 4, "only a function's name"),
    ("2x", 0, "'2x' is no number"),
    ("007", 0, "does not start with 0"),
    ("1e999", 0, "larger than any"),
    ("1_000", 0, "is no number"),
    ("a ^ 2", 2, "a power is written '**'"),
    ("a % b", 2, "no remainder"),
    ("+a", 0, "cannot start with '+'"),
    ("f(axis=1, a)", 10, "after an option"),
    ("f(a, foo=1)", 5, "the options are axis, keepdims, reduction and l2"),
    ("f(a, axis=x)", 10, "an axis is a whole number"),
    ("f(a, axis=0, axis=1)", 13, "given twice"),
    ("f(a, keepdims=1)", 14, "True or False"),
    ("True", 0, "only be an option's value"),
    ("lambda", 0, "a word of Python's own"),
    ("__import__('os')", 11, "there are no strings"),
    ("a \u2212 b", 2, r"'\u2212' (MINUS SIGN)"),
    ("a\x1b[31m", 1, r"'\x1b'"),
    ("\u0430 + 1", 0, r"'\u0430' (CYRILLIC SMALL LETTER A)"),
    ("a\u202eb", 1, r"'\u202e'"),
]


@each_of(("text", "start", "message"), EXPRESSION_MISTAKES)
def test_mistakes_in_expressions(text: str, start: int, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_expression(text)
    assert caught.value.start == start
    assert message in caught.value.message
    assert caught.value.message.isprintable()


@each_of(
    ("text", "start", "message"),
    [
        ("a = b", 2, "compares with '==', not '='"),
        ("a < b < c", 6, "do not chain"),
        ("a + not b", 4, "put parentheses"),
        ("a && b", 2, "write 'and'"),
        ("a & b", 2, "joins comparisons in parentheses; write 'and'"),
        ("!a", 0, "write 'not'"),
        ("a <", 3, "expected a value"),
    ],
)
def test_mistakes_in_conditions(text: str, start: int, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_condition(text)
    assert caught.value.start == start
    assert message in caught.value.message


@each_of(
    ("text", "start", "message"),
    [
        ("d == a", 2, "assigns with '='"),
        ("x[0] = 1", 1, "only a whole name"),
        ("a += 1", 2, "give the new value a new name"),
        ("a = b = c", 6, "no place for this '='"),
        ("a, b = c", 1, "one name only"),
        ("a", 1, "expected '=' after 'a'"),
        ("c = 1\nimport os", 6, "a word of Python's own"),
        ("1 = a", 0, "'1' is not a name"),
        ("a = 1; b = 2", 5, "one assignment a line"),
        ("a = \nb = 1", 4, "expected a value, found the end of the line"),
        ("a = (b\nc = d", 7, "expected ')'"),
    ],
)
def test_mistakes_in_programs(text: str, start: int, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_program(text)
    assert caught.value.start == start
    assert message in caught.value.message


@each_of(
    "text",
    [
        "(" * 10 * DEEP,
        "-" * DEEP + "a",
        "f(" * DEEP,
        "x[0]" + "[0]" * DEEP,
        "a" + ".T" * DEEP,
        "+".join("a" * DEEP),
        "**".join("a" * DEEP),
        "9" * 50_000,
        "0" * 5_000,
        "x[" + "0" * 5_000 + "]",
        "0." + "0" * 400,
        "a" * (MAX_TEXT + 1),
        "a " * DEEP,
    ],
)
def test_a_huge_expression_is_refused_and_not_followed(text: str) -> None:
    with pytest.raises(GrammarError):
        parse_expression(text)
    with pytest.raises(GrammarError):
        parse_condition("not " * DEEP + text)


@pytest.mark.slow
def test_the_limits_leave_room() -> None:
    parse_expression(" + ".join("a" * MAX_DEPTH))
    parse_expression("(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1))
    parse_expression("0" * MAX_DIGITS + " + 0." + "1" * (MAX_DIGITS - 2))
    lines = [f"a{number} = 1" for number in range(MAX_STATEMENTS)]
    assert len(parse_program("\n".join(lines))) == MAX_STATEMENTS
    with pytest.raises(GrammarError, match="more than 10,000 lines"):
        parse_program("\n".join([*lines, "b = 1"]))


@given(st.text(alphabet="ab1.()[]+-*@/<=>! \n,:T_é\x1b#andotr", max_size=30))
@examples(60)
def test_any_text_is_parsed_or_refused_with_a_place(text: str) -> None:
    for parse in (parse_expression, parse_condition, parse_program):
        try:
            parse(text)
        except GrammarError as error:
            assert 0 <= error.start <= error.end <= len(text)
            assert error.message.isprintable()
