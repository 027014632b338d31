"""From the text of an expression to its syntax tree, by recursive descent.

Programs, conditions and watches are all parsed here; every mistake has a column and advice.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from nnstep.engine.limits import MAX_DEPTH, MAX_INDEX, MAX_STATEMENTS
from nnstep.engine.text import listed, quoted

from .nodes import (
    Assignment,
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
    GrammarError,
    Group,
    Index,
    Logical,
    Name,
    Negation,
    Node,
    Not,
    Number,
    Option,
    Selection,
    Transpose,
    children,
)
from .tokens import METHODS, NEAR_MISSES, WORD_OPERATORS, Cursor, Kind, Token, near_miss, tokenize


class Binding(IntEnum):
    """How tightly an operator holds its operands, loosest first."""

    ANYTHING = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    ELEMENTWISE_OR = 5
    ELEMENTWISE_AND = 6
    SUM = 7
    PRODUCT = 8
    MINUS = 9
    POWER = 10


_INFIX = {
    "or": Binding.OR,
    "and": Binding.AND,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), Binding.COMPARISON),
    "|": Binding.ELEMENTWISE_OR,
    "&": Binding.ELEMENTWISE_AND,
    **dict.fromkeys(("+", "-"), Binding.SUM),
    **dict.fromkeys(("*", "/", "@"), Binding.PRODUCT),
    "**": Binding.POWER,
}
_TRUTH = {"True": True, "true": True, "False": False, "false": False}
_NUMBERS = {"nan": math.nan, "inf": math.inf, "pi": math.pi, "e": math.e}

_OPTIONS = ("axis", "keepdims", "reduction", "l2")


class ExpressionParser:
    """Parses the tokens of one text; `conditions` tells whether truth values may occur in it."""

    def __init__(self, tokens: list[Token], *, conditions: bool) -> None:
        self.cursor = Cursor(tokens)
        self._conditions = conditions
        self._depth = 0
        self._calls = 0

    def whole_text(self) -> Node:
        """Parse one expression that fills the text."""
        node = self.expression()
        if self.cursor.next.kind is not Kind.END:
            raise self.left_over()
        return not_too_deep(node)

    def expression(self, floor: Binding = Binding.ANYTHING) -> Node:
        """Parse operands joined by operators that bind more tightly than `floor`."""
        cursor = self.cursor
        start = cursor.next.start
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(start, cursor.next.end)
        left = self._operand(floor)
        while (operator := self._infix()) and _INFIX[operator] > floor:
            token = cursor.take()
            binding = _INFIX[operator]
            right = self.expression(Binding.MINUS if binding is Binding.POWER else binding)
            left = _combined(token, left, right, start, cursor.last_end)
            if binding is Binding.COMPARISON and self._infix_binding() is binding:
                raise cursor.error("comparisons do not chain; join two of them with 'and'")
        self._depth -= 1
        if floor is Binding.ANYTHING and cursor.at("if"):
            return self._conditional(left, start)
        return left

    def _conditional(self, value: Node, start: int) -> Node:
        """Parse what follows a value in `value if test else otherwise`."""
        cursor = self.cursor
        cursor.take()
        with self._conditions_allowed():
            test = self.expression(Binding.OR)
        if not cursor.take_if("else"):
            raise cursor.error(f"expected 'else' and another value, found {cursor.next}")
        otherwise = self.expression()
        return Conditional(value, test, otherwise, start=start, end=cursor.last_end)

    @contextmanager
    def _conditions_allowed(self) -> Iterator[None]:
        """Let truth values occur where something is chosen by them."""
        before, self._conditions = self._conditions, True
        yield
        self._conditions = before

    def _infix(self) -> str | None:
        """Return the operator that comes next, if one does and may stand here."""
        token = self.cursor.next
        if token.kind not in (Kind.SIGN, Kind.NAME) or token.text not in _INFIX:
            return None
        if _INFIX[token.text] <= Binding.ELEMENTWISE_AND and not self._conditions:
            message = f"{token} belongs in a condition; here, values are only computed"
            raise self.cursor.error(message)
        return token.text

    def _infix_binding(self) -> Binding | None:
        operator = self._infix()
        return _INFIX[operator] if operator else None

    def _operand(self, floor: Binding) -> Node:
        """Parse what stands before, between or after operators."""
        cursor = self.cursor
        token = cursor.next
        if cursor.take_if("-"):
            operand = self.expression(Binding.MINUS)
            return Negation(operand, start=token.start, end=cursor.last_end)
        if cursor.at("not"):
            return self._negated_condition(floor)
        if token.kind is Kind.NUMBER:
            cursor.take()
            return self._postfix(Number(token.number, start=token.start, end=token.end))
        if token.kind is Kind.NAME and token.text not in WORD_OPERATORS:
            return self._postfix(self._name_or_call())
        if cursor.take_if("("):
            inner = self.expression()
            if cursor.at(","):
                return self._group(inner, token)
            cursor.close(token)
            return self._postfix(inner, token.start)
        raise self._no_operand()

    def _group(self, first: Node, opening: Token) -> Node:
        """Parse the rest of `(a, b)`, an argument of a function."""
        cursor = self.cursor
        members = [first]
        while cursor.take_if(",") and not cursor.at(")"):
            members.append(self.expression())
        cursor.close(opening)
        if not self._calls or not cursor.at(",", ")"):
            message = "several values in parentheses can only be an argument of a function"
            raise cursor.error(message, opening)
        return Group(tuple(members), start=opening.start, end=cursor.last_end)

    def _negated_condition(self, floor: Binding) -> Node:
        token = self.cursor.next
        if not self._conditions:
            raise self.cursor.error("'not' belongs in a condition; here, values are only computed")
        if floor > Binding.NOT:
            raise self.cursor.error("put parentheses around 'not …' inside a comparison or sum")
        self.cursor.take()
        operand = self.expression(Binding.NOT)
        return Not(operand, start=token.start, end=self.cursor.last_end)

    def _name_or_call(self) -> Node:
        token = self.cursor.take()
        if token.text in ("True", "False"):
            message = f"{token} can only be an option's value, as in keepdims=True"
            raise self.cursor.error(message, token)
        if token.text == "np" and self.cursor.take_if("."):
            return self._of_numpy(token.start)
        if self.cursor.at("("):
            return self._call(token, token.start)
        return Name(token.text, start=token.start, end=token.end)

    def _of_numpy(self, start: int) -> Node:
        """Parse what follows `np.`: a function, a number, or an index as in `np.s_[0, 1:3]`."""
        cursor = self.cursor
        name = cursor.take()
        if name.text == "s_" and cursor.at("["):
            return Selection(self._index(cursor.take()), start=start, end=cursor.last_end)
        if cursor.at("("):
            return self._call(name, start)
        if name.text in _NUMBERS:
            return Number(_NUMBERS[name.text], start=start, end=name.end)
        raise cursor.error(f"after 'np.' a function is called, as in np.exp(x), not {name}", name)

    def _call(self, function: Token, start: int, operand: tuple[Node, ...] = ()) -> Call:
        """Parse the arguments of a call; `operand` is what a method is called on."""
        cursor = self.cursor
        if function.text in NEAR_MISSES:
            raise cursor.error(near_miss(function), function)
        opening = cursor.take()
        arguments = [*operand]
        options: dict[str, Option] = {}
        self._calls += 1
        more = not cursor.at(")")
        while more:
            if cursor.next.kind is Kind.NAME and cursor.after_next.text == "=":
                self._option(options)
            elif options:
                raise cursor.error("a value cannot come after an option such as axis=0")
            elif function.text == "where" and not arguments:
                with self._conditions_allowed():
                    arguments.append(self.expression())
            else:
                arguments.append(self.expression())
            more = cursor.take_if(",")
        self._calls -= 1
        cursor.close(opening)
        if function.text == "reshape" and len(arguments) > 2:
            sizes = arguments[1:]
            arguments[1:] = [Group(tuple(sizes), start=sizes[0].start, end=sizes[-1].end)]
        return Call(function.text, tuple(arguments), options, start=start, end=cursor.last_end)

    def _option(self, options: dict[str, Option]) -> None:
        """Parse an option such as `axis=1` into `options`."""
        cursor = self.cursor
        name = cursor.take()
        if name.text not in _OPTIONS:
            known = listed(_OPTIONS)
            raise cursor.error(f"there is no option {name}; the options are {known}", name)
        if name.text in options:
            raise cursor.error(f"{name} is given twice", name)
        cursor.take()
        token = cursor.next
        match name.text:
            case "axis":
                options["axis"] = self._axis()
            case "keepdims":
                if token.text not in _TRUTH:
                    raise cursor.error(f"keepdims is True or False, not {token}")
                options["keepdims"] = _TRUTH[cursor.take().text]
            case "reduction":
                if token.kind is not Kind.TEXT:
                    raise cursor.error(f"a reduction is 'mean', 'batch_mean' or 'sum', not {token}")
                options["reduction"] = cursor.take().text.strip("'")
            case _:
                if token.kind is not Kind.NUMBER:
                    raise cursor.error(f"{name.text} is a number, not {token}")
                options[name.text] = float(cursor.take().text)

    def _axis(self) -> int | tuple[int, ...]:
        """Parse an axis, or several in parentheses."""
        cursor, rule = self.cursor, "an axis is a whole number"
        opening = cursor.next
        if not cursor.take_if("("):
            return self._integer(rule)
        axes = [self._integer(rule)]
        while cursor.take_if(",") and not cursor.at(")"):
            axes.append(self._integer(rule))
        cursor.close(opening)
        return tuple(axes)

    def _postfix(self, operand: Node, start: int | None = None) -> Node:
        """Parse any `.T`, `.size`, `.sum(…)`, `[…]` behind `operand`, which starts at `start`."""
        cursor = self.cursor
        begin = operand.start if start is None else start
        while cursor.at(".", "[", "("):
            token = cursor.take()
            if token.text == "[":
                index = self._index(token)
                operand = Index(operand, index, start=begin, end=cursor.last_end)
            elif token.text == ".":
                operand = self._behind_point(operand, begin)
            else:
                raise cursor.error("only a function's name can stand before '('", token)
        return operand

    def _behind_point(self, operand: Node, begin: int) -> Node:
        """Parse `T`, `size`, `shape` or a function behind a point."""
        cursor = self.cursor
        name = cursor.next
        if name.text in NEAR_MISSES:
            raise cursor.error(near_miss(name))
        if cursor.take_if("T"):
            return Transpose(operand, start=begin, end=name.end)
        match name.text:
            case "size" | "shape":
                cursor.take()
                return Attribute(operand, name.text, start=begin, end=name.end)
        if name.text in METHODS and cursor.after_next.text == "(":
            return self._call(cursor.take(), begin, (operand,))
        known = listed(("T", "size", "shape", *(f"{method}()" for method in METHODS)), "or")
        message = f"after '.' only {known} can stand, not {name}; "
        raise cursor.error(f"{message}a function is written before its values, as in exp(x)")

    def _index(self, opening: Token) -> tuple[int | slice, ...]:
        index = [self._index_along_axis()]
        while self.cursor.take_if(","):
            index.append(self._index_along_axis())
        self.cursor.close(opening)
        return tuple(index)

    def _index_along_axis(self) -> int | slice:
        """Parse `2`, `-1`, `1:3`, `:` or `::2`."""
        cursor = self.cursor
        bounds: list[int | None] = []
        for _ in range(3):
            bounds.append(None if cursor.at(":", ",", "]") else self._index_integer())
            if not cursor.take_if(":"):
                break
        if len(bounds) == 1:
            if bounds[0] is None:
                raise cursor.error(f"expected an index before {cursor.next}")
            return bounds[0]
        if bounds[2:] == [0]:
            raise cursor.error("the step of a slice cannot be 0")
        return slice(*bounds)

    def _index_integer(self) -> int:
        return self._integer("an index is a whole number, or a slice of whole numbers such as 1:3")

    def _integer(self, rule: str) -> int:
        """Parse a whole number of either sign; `rule` is what to say of anything else."""
        cursor = self.cursor
        sign = -1 if cursor.take_if("-") else 1
        token = cursor.next
        if token.kind is not Kind.NUMBER or not token.text.isdigit():
            raise cursor.error(f"{rule}, not {token}")
        if int(token.text) > MAX_INDEX:
            raise cursor.error(f"{token} is too large: {rule}, at most {MAX_INDEX}")
        return sign * int(cursor.take().text)

    def _no_operand(self) -> GrammarError:
        found = self.cursor.next
        if found.kind is Kind.TEXT:
            return self.cursor.error(f"{found} is not used here: there are no strings")
        if self.cursor.at("+"):
            return self.cursor.error("a value cannot start with '+'; leave the sign out")
        return self.cursor.error(f"expected a value, found {found}")

    def left_over(self) -> GrammarError:
        """Return the error for a token where the text or the line should end."""
        cursor = self.cursor
        if cursor.at("="):
            if self._conditions:
                return cursor.error("a condition compares with '==', not '='")
            return cursor.error("there is no place for this '='; a line is 'name = value'")
        if cursor.at(")", "]"):
            return cursor.error(f"{cursor.next} closes nothing that was opened")
        return cursor.error(f"expected an operator or the end, found {cursor.next}")


def _combined(token: Token, left: Node, right: Node, start: int, end: int) -> Node:
    match token.text:
        case "and" | "or":
            return Logical(token.text, left, right, start=start, end=end)
        case "<" | "<=" | ">" | ">=" | "==" | "!=":
            return Compare(token.text, left, right, start=start, end=end)
        case "&" | "|":
            if not (_is_truth(left) and _is_truth(right)):
                word = "and" if token.text == "&" else "or"
                message = f"{token} joins comparisons in parentheses; write '{word}'"
                raise GrammarError(message, token.start, token.end)
            return Binary(token.text, left, right, start=start, end=end)
        case "+" | "-" | "*" | "/" | "**" | "@":
            return Binary(token.text, left, right, start=start, end=end)
    raise AssertionError(token)


def _is_truth(node: Node) -> bool:
    """Tell whether a part is a comparison, or made of comparisons."""
    joined = isinstance(node, Binary) and node.operator in ("&", "|")
    return joined or isinstance(node, Compare | Logical | Not)


def not_too_deep(node: Node) -> Node:
    """Return `node`; raise `GrammarError` if walking it by recursion could fail."""
    pending = [(node, 1)]
    while pending:
        part, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise _too_deep(part.start, part.end)
        pending.extend((child, depth + 1) for child in children(part))
    return node


def _too_deep(start: int, end: int) -> GrammarError:
    message = (
        f"more than {MAX_DEPTH} operations inside one another; use lines with names of their own"
    )
    return GrammarError(message, start, end)


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
