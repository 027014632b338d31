"""The README's tables are made from the code's own lists, so that they cannot disagree.

`NNSTEP_UPDATE_README=1 pytest tests/test_readme.py` writes them anew.
"""

import ast
import inspect
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from nnstep.engine import limits
from nnstep.engine.commands.interpreter import COMMANDS
from nnstep.engine.operations.catalogue import FUNCTIONS
from nnstep.tui.actions import ACTIONS

README = Path(__file__).parent.parent / "README.md"


def keys() -> str:
    rows = [action for action in ACTIONS if action.keys and action.scope in ("app", "debugger")]
    return "\n".join(
        f"| {' '.join(f'`{key}`' for key in action.shown_keys)} | {action.description} |"
        for action in rows
    )


def commands() -> str:
    rows = [(command.synopsis.replace("|", "\\|"), command.summary) for command in COMMANDS]
    return "\n".join(f"| `{synopsis}` | {summary} |" for synopsis, summary in rows)


def functions() -> str:
    return ", ".join(f"`{function.usage}`" for function in FUNCTIONS.values()) + "."


def described_limits() -> str:
    """Each constant of the module, with the sentence that follows it."""
    modules = (limits,)
    return "\n" + "\n".join(line for module in modules for line in limits_of(module)) + "\n"


def limits_of(module: ModuleType) -> Iterator[str]:
    body = ast.parse(inspect.getsource(module)).body
    for constant, words in itertools.pairwise(body):
        if isinstance(constant, ast.Assign) and isinstance(words, ast.Expr):
            (name,) = constant.targets
            assert isinstance(name, ast.Name)
            assert isinstance(words.value, ast.Constant)
            text = str(words.value.value).splitlines()[0].rstrip(".")
            value = getattr(module, name.id)
            size = f"{value // 2**20} MiB" if "BYTES" in name.id else f"{value:,}"
            yield f"- {text}: {size}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("keys", keys()),
        ("commands", commands()),
        ("functions", functions()),
        ("limits", described_limits()),
    ],
)
def test_the_readme_says_what_the_code_says(name: str, expected: str) -> None:
    text = README.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)
    found = pattern.search(text)
    assert found is not None
    if os.environ.get("NNSTEP_UPDATE_README"):
        updated = pattern.sub(lambda match: match[1] + expected + "\n" + match[3], text)
        README.write_text(updated, encoding="utf-8")
    else:
        assert found[2] == expected + "\n"


def test_the_scenarios_of_the_readme_load(tmp_path: Path) -> None:
    from nnstep.engine.loading import load

    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"\n\n((?:    .*\n|\n)+)", text)
    scenarios = [block for block in blocks if block.startswith("    format = 1")]
    assert len(scenarios) == 2
    for block in scenarios:
        file = tmp_path / "readme.toml"
        file.write_text(inspect.cleandoc(block), encoding="utf-8")
        assert load(file).title
