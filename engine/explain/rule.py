"""The rule of a line as mathematics, over whole tensors: `∂L/∂W2 = (∂L/∂z2)ᵀ a1`."""

import ast
from collections.abc import Mapping
from typing import Any

from nnstep.engine.arrays import Array
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.formula import Formula, variable
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.program.program import Instruction, Phase, Program, Role

from .writing import PAPER, Written, combined, constant, short

_GREEK = {
    "lr": "η",
    "eps": "ε",
    "beta1": "β₁",
    "beta2": "β₂",
    "momentum": "μ",
    "weight_decay": "λ",
    "l2": "λ",
    "alpha": "α",
    "delta": "δ",
}
_FUNCTIONS = {"sigmoid": "σ", "one_hot": "onehot", "absolute": "abs", "maximum": "max",
              "minimum": "min", "normal_cdf": "Φ", "normal_pdf": "φ"}  # fmt: skip
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARED = {
    ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠",
}  # fmt: skip
_LOSSES = {
    operation.name
    for row in LOSSES.values()
    for operation in (row.operation, row.logits)
    if operation is not None
}
# Numbers that stand for themselves, whatever setting has the same value.
_PLAIN = (0, 1, 2, -1)


class Rule:
    """Writes a line of a program as mathematics."""

    def __init__(self, program: Program, line: Instruction, tensors: Mapping[str, Array]) -> None:
        self.program, self.line, self.tensors = program, line, tensors
        self.target = line.writes[0]
        self.updates = line.phase is Phase.UPDATE
        self.parameter = self._parameter() if self.updates else None
        self._used: dict[str, str] = {}
        self._of_letters = False

    def _parameter(self) -> str | None:
        """Return the parameter that an update line is for."""
        tensor = self.program.tensors[self.target]
        return self.target if tensor.role is Role.PARAMETER else tensor.of

    def text(self, opened: Formula | None) -> str:
        """Write the line; a loss as its definition, if there is one, which is `opened`."""
        assert self.line.formula is not None
        if slope := self.slope:
            return f"{self.symbol(self.target)} = {slope[0]}"
        shown = opened if opened is not None and self.line.phase is Phase.LOSS else None
        shown = shown or self.line.formula
        named = shown.on(**{each: variable(self.line.names[each]) for each in shown.parameters})
        becomes = " ← " if self.target in self.line.reads else " = "
        return self.symbol(self.target) + becomes + self.written(named.tree).text

    @property
    def settings(self) -> str:
        """What the letters of an update stand for, once `text` has used them."""
        return ", ".join(f"{letter} = {value}" for letter, value in self._used.items())

    # Activations

    @property
    def slope(self) -> tuple[str, str] | None:
        """The chain rule of an activation that works cell by cell, and its slope; else None."""
        line = self.line
        row = ACTIVATIONS.get(line.operation)
        if line.phase is not Phase.BACKWARD or row is None or line.operation == "identity":
            return None
        derivative, result = (line.names.get(each, "") for each in ("da", "a"))
        rule = row.with_settings(
            **{k: v for k, v in line.settings.items() if k in row.settings}
        ).gradient_formula("z")
        tree = _slope(rule.tree)
        if (
            tree is None
            or self.line.formula is None
            or self.line.formula.parameters != (rule.parameters)
        ):
            return None
        z = line.names.get("z") or self._input_of(result)
        if not derivative or not z:
            return None
        name = _FUNCTIONS.get(line.operation, line.operation)
        forms = [self.of_letters(tree)]
        if any(isinstance(each, ast.Name) and each.id == "a" for each in ast.walk(tree)):
            of_z = ast.Call(ast.Name(line.operation), [ast.Name("z")], [])
            forms.insert(0, self.of_letters(Formula(("a",), tree).on(a=Formula((), of_z)).tree))
        return f"{self.symbol(derivative)} ⊙ {name}′({z})", " = ".join([f"{name}′(z)", *forms])

    @property
    def definition(self) -> str:
        """The definition of the activation that a line applies, if it has one."""
        line, row = self.line, ACTIVATIONS.get(self.line.operation)
        if line.phase is not Phase.FORWARD or row is None:
            return ""
        operation = row.with_settings(
            **{k: v for k, v in line.settings.items() if k in row.settings}
        )
        if operation.definition is None:
            return ""
        name = _FUNCTIONS.get(line.operation, line.operation)
        return f"{name}(z) = {self.of_letters(operation.definition_formula.tree)}"

    def of_letters(self, tree: ast.expr) -> str:
        """Write an expression over letters, which stand for single numbers."""
        self._of_letters = True
        text = self.written(tree).text
        self._of_letters = False
        return text

    def _input_of(self, result: str) -> str:
        """Return the tensor that an activation made another from."""
        return next(
            (line.reads[0] for line in self.program.instructions if result in line.writes), ""
        )

    @property
    def has_loss(self) -> bool:
        """Whether the line is the loss of a network, whose rule says all."""
        return self.line.operation in _LOSSES

    @property
    def product(self) -> str:
        """Of a single number's derivative, the line that it is the way back of."""
        if self.line.phase is not Phase.BACKWARD or self.tensors[self.line.reads[0]].ndim:
            return ""
        before = {self.program.tensors[name].of for name in self.line.reads} - {None}
        source = self.program.tensors[self.target].of
        for line in self.program.instructions:
            if line.writes[0] in before and source in line.reads and line.formula:
                return Rule(self.program, line, self.tensors).text(None)
        return ""

    # Names

    def symbol(self, name: str) -> str:
        """Write a tensor: a gradient as ∂L/∂x, in an update without the parameter's number."""
        tensor = self.program.tensors.get(name)
        if tensor is None or self.line.rule is not None:
            return name  # of what a person has written, nobody claims that it is a derivative
        if name == "lr" and self.updates:
            self._used["η"] = f"lr = {constant(self.tensors['lr'][()]).text}"
            return "η"
        if tensor.role is Role.GRADIENT and tensor.of and not self._is_changed(name):
            return f"∂{self.program.loss}/∂{self.symbol(tensor.of)}"
        if self.updates and self.parameter and name.endswith(self.parameter):
            short_name = self.parameter.rstrip("0123456789") or self.parameter
            return name.removesuffix(f"_{self.parameter}").replace(self.parameter, short_name)
        return name

    def _is_changed(self, gradient: str) -> bool:
        """Tell whether a gradient is clipped or has weight decay added, and so is none any more."""
        return self.updates and any(
            gradient in line.writes and line.phase is Phase.UPDATE
            for line in self.program.instructions
        )

    # Expressions

    def written(self, tree: ast.expr) -> Written:
        """Write an expression over tensors by their names."""
        match tree:
            case ast.Name(name):
                text = self.symbol(name)
                return Written(text, 3 if text.startswith("∂") else 4)
            case ast.Constant(value):
                return self._number(value)
            case ast.BinOp() | ast.UnaryOp():
                return self._operation(tree)
            case ast.Compare(left, [sign], [right]):
                sides = [self.written(each).text for each in (left, right)]
                return Written(f" {_COMPARED[type(sign)]} ".join(sides), -1)
            case ast.Attribute(operand, "T"):
                return self._transposed(operand)
            case ast.Attribute(ast.Name(name), "size"):
                array = self.tensors[name]
                one_a_row = array.ndim and array.size == len(array)
                return Written("m") if one_a_row else constant(array.size)
            case ast.Attribute(ast.Name("np"), name):
                return Written({"pi": "π"}.get(name, name))
            case ast.IfExp(test, body, orelse):
                parts_ = [self.written(each).text for each in (body, test, orelse)]
                return Written("{} if {}, else {}".format(*parts_), -1)
            case ast.Call():
                return self._call(tree)
        return Written(ast.unparse(tree))

    def _operation(self, tree: ast.BinOp | ast.UnaryOp) -> Written:
        match tree:
            case ast.UnaryOp(ast.USub(), operand):
                return combined("neg", [self.written(operand)], PAPER)
            case ast.BinOp(left, ast.MatMult(), right):
                sides = [self.written(each).inside(2) for each in (left, right)]
                return Written(" ".join(sides), 2)
            case ast.BinOp(left, ast.Mult(), right):
                return self._times(left, right)
            case ast.BinOp(left, sign, right) if type(sign) in _SIGNS:
                parts = [self.written(left), self.written(right)]
                return combined(_SIGNS[type(sign)], parts, PAPER)
        return Written(ast.unparse(tree))

    def _number(self, value: Any) -> Written:
        if self.updates and isinstance(value, float) and value not in _PLAIN:
            for name, setting in self._settings():
                if setting == value and name in _GREEK:
                    self._used[_GREEK[name]] = short(str(value))
                    return Written(_GREEK[name])
        return constant(value)

    def _settings(self) -> list[tuple[str, Any]]:
        """Return the settings whose values cannot be mistaken for one another."""
        flat: list[tuple[str, Any]] = []
        for name, value in self.line.settings.items():
            if isinstance(value, tuple):
                flat += [(f"beta{i}", each) for i, each in enumerate(value, 1)]
            else:
                flat.append((name, value))
        return [(n, v) for n, v in flat if [other for _, other in flat].count(v) == 1]

    def _times(self, left: ast.expr, right: ast.expr) -> Written:
        sides = [self.written(each) for each in (left, right)]
        if sides[0].text == "½":
            return combined("*", sides, PAPER)
        single = self._is_number(left) or self._is_number(right)
        sign = "·" if self._of_letters else " · " if single else " ⊙ "
        return Written(sides[0].inside(1) + sign + sides[1].inside(2), 1)

    def _is_number(self, tree: ast.expr) -> bool:
        """Tell whether an expression has one value, not one for each cell."""
        names = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
        return all(self.tensors[name].ndim == 0 for name in names if name in self.tensors)

    def _transposed(self, operand: ast.expr) -> Written:
        inner = self.written(operand)
        fraction = "/" in inner.text
        return Written((f"({inner.text})" if fraction else inner.inside(4)) + "ᵀ")

    def _call(self, tree: ast.Call) -> Written:
        match tree:
            case ast.Call(ast.Attribute(ast.Name("np"), "sum" | "mean" as name), [of]):
                return self._reduced(name, of, None)
            case ast.Call(ast.Attribute(ast.Name("np"), name), arguments):
                return self._function(name, arguments)
            case ast.Call(ast.Attribute(of, "sum" | "mean" | "max" | "min" | "var" as name)):
                axis = next((k.value for k in tree.keywords if k.arg == "axis"), None)
                return self._reduced(name, of, None if axis is None else ast.literal_eval(axis))
            case ast.Call(ast.Name("sum_in_float32"), [of, *_]):
                return self._call(ast.Call(ast.Attribute(of, "sum"), [], tree.keywords))
            case ast.Call(ast.Name("len"), _):
                return Written("m")
            case ast.Call(ast.Name("int" | "to_float32" | "to_float16"), [only]):
                return self.written(only)
            case ast.Call(ast.Name("one_hot"), [y, _]):
                return Written(f"onehot({self.written(y).text})")
            case ast.Call(ast.Name("l2_penalty"), arguments):
                value = next(ast.literal_eval(k.value) for k in tree.keywords if k.arg == "l2")
                squares = " + ".join(f"Σ {self.written(each).text}²" for each in arguments)
                several = f"({squares})" if len(arguments) > 1 else squares
                return Written(f"{constant(value).text}/2 {several}", 1)
            case ast.Call(ast.Name("global_norm"), arguments):
                return Written(f"‖{', '.join(self.written(each).text for each in arguments)}‖")
            case ast.Call(ast.Name("spread" | "sum_to" | "extreme_share" as name), [of, *_]):
                words = {
                    "spread": "",
                    "sum_to": "Σ of ",
                    "extreme_share": "share in the extreme of ",
                }
                inner = self.written(of)
                return Written(words[name] + inner.text, inner.binds if not words[name] else 0)
            case ast.Call(ast.Name(name), arguments):
                return self._function(name, arguments)
        return Written(ast.unparse(tree))

    def _function(self, name: str, arguments: list[ast.expr]) -> Written:
        match name, arguments:
            case "where", [test, yes, no]:
                parts = [self.written(each) for each in (yes, test, no)]
                texts = parts[0].inside(0), parts[1].text, parts[2].inside(0)
                return Written("{} where {}, else {}".format(*texts), -1)
            case "ones_like", _:
                return Written("1")
            case "zeros_like", _:
                return Written("0")
            case "sqrt", [only]:
                return combined("sqrt", [self.written(only)], PAPER)
            case "abs", [only]:
                return Written(f"|{self.written(only).text}|")
        texts_ = ", ".join(self.written(each).text for each in arguments)
        return Written(f"{_FUNCTIONS.get(name, name)}({texts_})")

    def _reduced(self, name: str, of: ast.expr, axis: Any) -> Written:
        if name == "sum":
            match of:
                case ast.BinOp(ast.Constant(value), ast.Mult(), inner):
                    return Written(f"{constant(value).text} Σ {self.written(inner).inside(1)}", 1)
            over = "over rows of " if axis == 0 and self._has_rows(of) else ""
            return Written(f"Σ {over}{self.written(of).inside(1)}", 1)
        words = {"mean": "mean of ", "var": "variance of ", "max": "max of ", "min": "min of "}
        return Written(f"{words[name]}{self.written(of).inside(1)}", 1)

    def _has_rows(self, of: ast.expr) -> bool:
        match of:
            case ast.Name(name) if name in self.tensors:
                return self.tensors[name].ndim > 1
        return True


def _slope(tree: ast.expr) -> ast.expr | None:
    """Return what an activation's rule multiplies `da` with; None if it is not cell by cell."""
    match tree:
        case ast.BinOp(ast.Name("da"), ast.Mult(), slope):
            return slope
        case ast.BinOp(ast.BinOp() as left, ast.Mult(), right):
            inner = _slope(left)
            return inner and ast.BinOp(inner, ast.Mult(), right)
        case ast.Call(ast.Attribute(ast.Name("np"), "where") as function, [test, yes, no], []):
            branches = [_slope_of_branch(each) for each in (yes, no)]
            if None not in branches:
                return ast.Call(function, [test, *(each for each in branches if each)], [])
    return None


def _slope_of_branch(tree: ast.expr) -> ast.expr | None:
    match tree:
        case ast.Name("da"):
            return ast.Constant(1)
        case ast.Constant(0):
            return tree
        case ast.BinOp(slope, ast.Mult(), ast.Name("da")):
            return slope
    return _slope(tree)
