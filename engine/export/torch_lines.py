"""Lines of a program in PyTorch's words: the same expression, with its functions and methods.

Derivatives need no words: autograd has the same ones, kinks and ties included.
"""

import ast
from collections.abc import Callable, Mapping

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Program, Shapes

from .errors import ExportError
from .script import Names

_ELEMENTWISE = {"exp", "log", "log1p", "expm1", "sqrt", "abs", "sin", "cos", "tanh"}
_FUNCTIONS = {
    "sigmoid": "torch.sigmoid",
    "relu": "torch.relu",
    "leaky_relu": "nn.functional.leaky_relu",
    "elu": "nn.functional.elu",
    "gelu": "nn.functional.gelu",
    "silu": "nn.functional.silu",
    "softplus": "nn.functional.softplus",
}
"""Functions of listings that PyTorch has with the same arguments."""

_REDUCTIONS = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin", "var": "var"}
"""Methods: of several largest numbers, `amax` shares the gradient among all, as nnstep does."""

_TYPES = {"float64", "float32", "float16"}


class NoCounterpartError(ExportError):
    """Nothing in PyTorch does the same."""


def torch_expression(code: str, program: Program, names: Names) -> str:
    """Return the expression of a line, in the script's variables, as PyTorch writes it.

    Raises `NoCounterpartError`, which says what PyTorch does not have.
    """
    shapes = {names(name): tensor.shapes for name, tensor in program.tensors.items()}
    tree = _Translated(shapes).visit(ast.parse(code, mode="eval").body)
    return ast.unparse(ast.fix_missing_locations(tree))


class _Translated(ast.NodeTransformer):
    """Puts PyTorch's words in the place of NumPy's; `shapes` are those of the variables."""

    def __init__(self, shapes: Mapping[str, Shapes]) -> None:
        self.shapes = shapes

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        match node:
            case ast.Attribute(value=ast.Name(id="np"), attr="nan"):
                return _parsed("torch.nan")
            case ast.Attribute(attr="T", value=ast.Name(id=name)):
                return self._transposed(name)
        raise _none_for(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return ast.IfExp(*(self.visit(part) for part in (node.test, node.body, node.orelse)))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Index; steps are positive in PyTorch, so that an axis is flipped for a negative one."""
        assert isinstance(node.value, ast.Name), "what is indexed has a name"
        tensor = node.value.id
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        flipped: list[int] = []
        indices = [self._index(part, tensor, axis, flipped) for axis, part in enumerate(parts)]
        turned = f".flip({', '.join(map(str, flipped))})" if flipped else ""
        return _parsed(f"{tensor}{turned}[{', '.join(indices)}]")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return self._of_numpy(name, node)
            case ast.Attribute(value=tensor, attr=name) if name in _REDUCTIONS:
                return self._reduced(tensor, name, node)
            case ast.Attribute(value=tensor, attr="reshape"):
                shape = ast.unparse(node.args[0])
                return _parsed(f"{self._text(tensor)}.reshape({shape})")
            case ast.Name(id=name):
                return self._of_listing(name, node)
        raise _none_for(node)

    def _of_numpy(self, name: str, node: ast.Call) -> ast.expr:
        if name in _ELEMENTWISE:
            return _parsed(f"torch.{name}({self._texts(node.args)})")
        if name in _TYPES:
            return _parsed(self._single(node.args[0]))
        match name, node.args:
            case (("maximum" | "minimum"), [a, b]):
                return _parsed(f"torch.{name}({self._tensor(a)}, {self._tensor(b)})")
            case "where", [test, a, b]:
                return _parsed(f"torch.where({self._test(test)}, {self._texts([a, b])})")
            case "clip", [x, low, high]:
                return _parsed(f"torch.clamp({self._texts([x, low, high])})")
            case "concatenate", [ast.Tuple(elts=joined)]:
                return _parsed(
                    f"torch.cat(({self._texts(joined)}), dim={_option(node, 'axis', 0)})"
                )
        raise _none_for(node)

    def _of_listing(self, name: str, node: ast.Call) -> ast.expr:
        if name in _FUNCTIONS:
            return _parsed(f"{_FUNCTIONS[name]}({self._texts(node.args)})")
        if name not in _SPECIAL:
            raise _none_for(node)
        return _parsed(_SPECIAL[name](self, node))

    def _reduced(self, tensor: ast.expr, name: str, node: ast.Call) -> ast.expr:
        arguments = _dimensions(node)
        if name == "var":
            arguments.append("correction=0")
        return _parsed(f"{self._text(tensor)}.{_REDUCTIONS[name]}({', '.join(arguments)})")

    def sum_of(self, node: ast.Call) -> str:
        """Return a sum; PyTorch adds numbers in half precision up in float32 anyway."""
        return f"{self._text(node.args[0])}.sum({', '.join(_dimensions(node))})"

    def logsumexp_of(self, node: ast.Call) -> str:
        """Return log Σ exp, which has to be told its axes."""
        x = self._text(node.args[0])
        axis, *rest = _dimensions(node) or [""]
        if not axis.startswith("dim="):
            axes = tuple(range(len(self._shape(x))))
            rest, axis = [each for each in (axis, *rest) if each], f"dim={axes or 0}"
        return f"torch.logsumexp({', '.join([x, axis, *rest])})"

    def one_hot_of(self, node: ast.Call) -> str:
        """Return a row of one 1 for each class."""
        y, like = (self._text(each) for each in node.args)
        return f"nn.functional.one_hot({y}.long(), {like}.shape[-1]).to({like}.dtype)"

    def taken_of(self, node: ast.Call) -> str:
        """Return the parts of a tensor at some places."""
        x, places = node.args
        try:
            index = str(int(ast.literal_eval(places)))
        except ValueError:
            index = f"{self._text(places)}.long()"
        before = ":, " * _option(node, "axis", 0)
        return f"{self._text(x)}[{before}{index}]"

    def _index(self, part: ast.expr, tensor: str, axis: int, flipped: list[int]) -> str:
        """Return an index of one axis; note the axis if it has to be `flipped` for that."""
        if not isinstance(part, ast.Slice):
            return ast.unparse(part)
        start, stop, step = (
            None if each is None else int(ast.literal_eval(each))
            for each in (part.lower, part.upper, part.step)
        )
        if step is None or step > 0:
            return ast.unparse(part)
        flipped.append(axis)
        if start is None and stop is None:
            return f"::{-step}"
        sizes = {shape[axis] for shape in self.shapes[tensor]}
        if len(sizes) > 1:
            raise NoCounterpartError("a slice backwards, of batches of different sizes")
        (size,) = sizes
        places = range(*slice(start, stop, step).indices(size))
        first = size - 1 - places[0]
        return f"{first}:{first - step * (len(places) - 1) + 1}:{-step}"

    def _transposed(self, name: str) -> ast.expr:
        axes = len(self._shape(name))
        if axes < 2:
            return ast.Name(name)
        turned = ", ".join(str(axis) for axis in reversed(range(axes)))
        return _parsed(f"{name}.T" if axes == 2 else f"{name}.permute({turned})")

    def _shape(self, name: str) -> Shape:
        return self.shapes[name][0]

    def _test(self, test: ast.expr) -> str:
        """Return a condition; a number that is none is compared with 0."""
        text = self._text(test)
        is_condition = isinstance(test, ast.Compare) or (
            isinstance(test, ast.BinOp) and isinstance(test.op, ast.BitAnd | ast.BitOr)
        )
        if is_condition:
            return text
        return f"{self._tensor(test)} != 0"

    def _tensor(self, operand: ast.expr) -> str:
        """Return an operand that has to be a tensor."""
        is_number = isinstance(operand, ast.Constant | ast.UnaryOp)
        return self._single(operand) if is_number else self._text(operand)

    def _single(self, operand: ast.expr) -> str:
        """Return a single number as a tensor of the default type."""
        match operand:
            case ast.Attribute(value=counted, attr="size"):
                return f"torch.tensor(float({self._text(counted)}.numel()))"
            case ast.Call(func=ast.Name(id="len"), args=[counted]):
                return f"torch.tensor(float(len({self._text(counted)})))"
        try:
            return f"torch.tensor({float(ast.literal_eval(operand))!r})"
        except ValueError:
            return self._text(operand)

    def _text(self, node: ast.expr) -> str:
        return ast.unparse(self.visit(node))

    def _texts(self, nodes: list[ast.expr]) -> str:
        return ", ".join(map(self._text, nodes))


_SPECIAL: Mapping[str, Callable[[_Translated, ast.Call], str]] = {
    "sum_in_float32": _Translated.sum_of,
    "to_float32": lambda at, node: f"{at._text(node.args[0])}.float()",
    "to_float16": lambda at, node: f"({at._text(node.args[0])}).half()",
    "logsumexp": _Translated.logsumexp_of,
    "one_hot": _Translated.one_hot_of,
    "take": _Translated.taken_of,
    "softmax": lambda at, node: f"torch.softmax({at._texts(node.args)}, dim=-1)",
    "log_softmax": lambda at, node: f"torch.log_softmax({at._texts(node.args)}, dim=-1)",
    "gelu_tanh": lambda at, node: f"nn.functional.gelu({at._texts(node.args)}, approximate='tanh')",
}
"""Functions of listings that PyTorch calls in another way."""


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _dimensions(node: ast.Call) -> list[str]:
    """Return the arguments of a reduction by PyTorch's names."""
    words = {"axis": "dim", "keepdims": "keepdim"}
    return [f"{words[one.arg or '']}={ast.unparse(one.value)}" for one in node.keywords]


def _option(node: ast.Call, name: str, default: int) -> int:
    for keyword in node.keywords:
        if keyword.arg == name:
            return int(ast.literal_eval(keyword.value))
    return default


def _none_for(node: ast.expr) -> NoCounterpartError:
    return NoCounterpartError(ast.unparse(node))
