"""From the text of an expression to its syntax tree, by recursive descent.

Programs, conditions and watches are all parsed here; every mistake has a column and advice.
"""

from enum import IntEnum

from nnstep.engine.limits import MAX_DEPTH, MAX_INDEX, MAX_STATEMENTS
from nnstep.engine.text import quoted

from .nodes import (
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
    children,
)
from .tokens import WORD_OPERATORS, Kind, Token, tokenize


class Cursor:
    """Moves over tokens from first to last; the last one, of kind `END`, is never passed."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self.last_end = 0
        """Where the token taken last ended."""

    @property
    def next(self) -> Token:
        """The token that `take` would return."""
        return self._tokens[self._position]

    @property
    def after_next(self) -> Token:
        """The token behind `next`."""
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)]

    def at(self, *texts: str) -> bool:
        """Tell whether the next token is one of these signs or words."""
        return self.next.kind in (Kind.SIGN, Kind.NAME) and self.next.text in texts

    def take(self) -> Token:
        """Return the next token and step past it."""
        token = self.next
        if token.kind is not Kind.END:
            self._position += 1
        self.last_end = token.end
        return token

    def take_if(self, text: str) -> bool:
        """Step past the next token if it is this sign."""
        if not self.at(text):
            return False
        self.take()
        return True

    def skip_newlines(self) -> None:
        """Step past line ends."""
        while self.next.kind is Kind.NEWLINE:
            self.take()

    def close(self, opening: Token) -> None:
        """Step past the bracket that closes `opening`; raise `GrammarError` at another token."""
        closing = ")" if opening.text == "(" else "]"
        if not self.take_if(closing):
            raise self.error(f"expected '{closing}' to close {opening}, found {self.next}")

    def error(self, message: str, token: Token | None = None) -> GrammarError:
        """Return an error about `token`, by default the next one."""
        token = token or self.next
        return GrammarError(message, token.start, token.end)


class Binding(IntEnum):
    """How tightly an operator holds its operands, loosest first."""

    ANYTHING = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    SUM = 5
    PRODUCT = 6
    MINUS = 7
    POWER = 8


_INFIX = {
    "or": Binding.OR,
    "and": Binding.AND,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), Binding.COMPARISON),
    **dict.fromkeys(("+", "-"), Binding.SUM),
    **dict.fromkeys(("*", "/", "@"), Binding.PRODUCT),
    "**": Binding.POWER,
}
_TRUTH = {"True": True, "true": True, "False": False, "false": False}


class ExpressionParser:
    """Parses the tokens of one text; `conditions` tells whether truth values may occur in it."""

    def __init__(self, tokens: list[Token], *, conditions: bool) -> None:
        self.cursor = Cursor(tokens)
        self._conditions = conditions
        self._depth = 0

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
        return left

    def _infix(self) -> str | None:
        """Return the operator that comes next, if one does and may stand here."""
        token = self.cursor.next
        if token.kind not in (Kind.SIGN, Kind.NAME) or token.text not in _INFIX:
            return None
        if _INFIX[token.text] <= Binding.COMPARISON and not self._conditions:
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
            value = int(token.text) if token.text.isdigit() else float(token.text)
            return self._postfix(Number(value, start=token.start, end=token.end))
        if token.kind is Kind.NAME and token.text not in WORD_OPERATORS:
            return self._postfix(self._name_or_call())
        if cursor.take_if("("):
            inner = self.expression()
            cursor.close(token)
            return self._postfix(inner, token.start)
        raise self._no_operand()

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
        if self.cursor.at("("):
            return self._call(token)
        return Name(token.text, start=token.start, end=token.end)

    def _call(self, function: Token) -> Call:
        cursor = self.cursor
        opening = cursor.take()
        arguments: list[Node] = []
        options: dict[str, int | bool] = {}
        more = not cursor.at(")")
        while more:
            if cursor.next.kind is Kind.NAME and cursor.after_next.text == "=":
                self._option(options)
            elif options:
                raise cursor.error("a value cannot come after an option such as axis=0")
            else:
                arguments.append(self.expression())
            more = cursor.take_if(",")
        cursor.close(opening)
        return Call(
            function.text, tuple(arguments), options, start=function.start, end=cursor.last_end
        )

    def _option(self, options: dict[str, int | bool]) -> None:
        """Parse `axis=1` or `keepdims=True` into `options`."""
        cursor = self.cursor
        name = cursor.take()
        if name.text not in ("axis", "keepdims"):
            raise cursor.error(
                f"there is no option {name}; the options are axis and keepdims", name
            )
        if name.text in options:
            raise cursor.error(f"{name} is given twice", name)
        cursor.take()
        if name.text == "axis":
            options["axis"] = self._integer("an axis is a whole number")
        elif cursor.next.text in _TRUTH:
            options["keepdims"] = _TRUTH[cursor.take().text]
        else:
            raise cursor.error(f"keepdims is True or False, not {cursor.next}")

    def _postfix(self, operand: Node, start: int | None = None) -> Node:
        """Parse any `.T` and `[…]` behind `operand`, which starts at `start`."""
        cursor = self.cursor
        begin = operand.start if start is None else start
        while cursor.at(".", "[", "("):
            token = cursor.take()
            if token.text == "[":
                index = self._index(token)
                operand = Index(operand, index, start=begin, end=cursor.last_end)
            elif token.text == "." and cursor.at("T"):
                operand = Transpose(operand, start=begin, end=cursor.take().end)
            elif token.text == ".":
                raise cursor.error(
                    f"after '.' only T, the transpose, can stand, not {cursor.next}; "
                    "a function is written before its values, as in sum(x)"
                )
            else:
                raise cursor.error("only a function's name can stand before '('", token)
        return operand

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
        case "+" | "-" | "*" | "/" | "**" | "@":
            return Binary(token.text, left, right, start=start, end=end)
    raise AssertionError(token)


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
