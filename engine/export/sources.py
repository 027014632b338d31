"""The functions that a listing calls, as source text that stands by itself.

A function is copied from the file that defines it, without its decorator and its types, and with
it whatever it needs of that file.
"""

import ast
import builtins
import copy
import functools
import inspect
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from msgspec import Struct, field

from nnstep.engine.operations.formula import NAMESPACE

_OF_PYTHON = ("np", "int", "len")


class Sources(Struct):
    """Source texts by the names that they define, needed ones first.

    `modules` are those that they import besides NumPy, and `builtins` the names of Python that they
    rely on.
    """

    texts: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    builtins: set[str] = field(default_factory=set)

    def add(self, name: str, value: Any, home: ModuleType) -> None:
        """Add what `name` stands for in the module `home`, and first all that this needs."""
        if isinstance(value, ModuleType):
            if value.__name__ != "numpy":
                self.modules.add(value.__name__)
            return
        if name in self.texts:
            return
        if isinstance(value, FunctionType):
            module = inspect.getmodule(value)
            assert module is not None
            home = module
        text, names = _copied(name, home)
        for needed in names:
            if needed != name and needed in vars(home):
                self.add(needed, vars(home)[needed], home)
            elif hasattr(builtins, needed):
                self.builtins.add(needed)
        self.texts[name] = text


def called_by(trees: Iterable[ast.expr]) -> Sources:
    """Return the sources of the functions that expressions of listings call."""
    sources = Sources()
    for tree in trees:
        for name in _names(tree):
            function = NAMESPACE.get(name)
            if name not in _OF_PYTHON and isinstance(function, FunctionType):
                module = inspect.getmodule(function)
                assert module is not None
                sources.add(name, function, module)
    return sources


@functools.cache
def _copied(name: str, home: ModuleType) -> tuple[str, tuple[str, ...]]:
    """Return the source text of what a module defines, and the names that it reads."""
    definition = _definition(name, home)
    return _text(definition, home), tuple(dict.fromkeys(_names(definition)))


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that are read in a piece of code, but for those of its own and of types."""
    if isinstance(tree, ast.FunctionDef):
        own = {node.arg for node in ast.walk(tree.args) if isinstance(node, ast.arg)}
        own |= {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        defaults = [*tree.args.defaults, *filter(None, tree.args.kw_defaults)]
        parts: list[ast.AST] = [*defaults, *tree.body]
    else:
        own, parts = set(), [tree.value if isinstance(tree, ast.Assign) else tree]
    for part in parts:
        for node in ast.walk(part):
            if isinstance(node, ast.Name) and node.id not in own:
                yield node.id


def _definition(name: str, home: ModuleType) -> ast.FunctionDef | ast.Assign:
    """Return the statement that gives a name its meaning in a module."""
    for statement in _module(home)[0].body:
        match statement:
            case ast.FunctionDef() if statement.name == name:
                return statement
            case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                return statement
    raise LookupError(f"{home.__name__} does not define {name}")


def _text(definition: ast.FunctionDef | ast.Assign, home: ModuleType) -> str:
    """Return a definition as it stands, but for the decorators and types of a function."""
    lines = _module(home)[1]
    if isinstance(definition, ast.Assign):
        return "\n".join(lines[definition.lineno - 1 : definition.end_lineno])
    body = lines[definition.body[0].lineno - 1 : definition.end_lineno]
    arguments = _Untyped().visit(copy.deepcopy(definition.args))
    return "\n".join([f"def {definition.name}({ast.unparse(arguments)}):", *body])


class _Untyped(ast.NodeTransformer):
    """Takes the types off arguments."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node


@functools.cache
def _module(home: ModuleType) -> tuple[ast.Module, list[str]]:
    """Return the tree of a module, and its lines."""
    source = inspect.getsource(home)
    return ast.parse(source), source.splitlines()
