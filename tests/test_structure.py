"""The engine stays free of the screen, and starting costs no more than it must.

What is imported is told by a Python that has imported nothing yet. To start one takes longer than
most statements do, so one executes several, those that may import least first.
"""

import pkgutil
import subprocess
import sys
from collections.abc import Sequence

import nnstep.engine

SCREEN = {"textual", "rich", "click", "nnstep.tui"}
LARGE = {"textual", "numpy", "rich", "msgspec"}

# The modules that are there after each statement, and what a command line prints in between.
EACH = """
import os, sys
def command_line(*arguments, **variables):
    from nnstep.tui.cli import main
    os.environ.update(variables)
    try:
        main(list(arguments), prog_name="nnstep")
    except SystemExit as ended:
        assert not ended.code
    for name in variables:
        del os.environ[name]
for statement in sys.argv[1:]:
    exec(statement, {"command_line": command_line})
    print(*sys.modules, file=sys.stderr)
"""


def loaded_after(*statements: str) -> Sequence[set[str]]:
    """Execute statements one after the other, and return which modules there are after each.

    `command_line(…)` is one, with variables of its own.
    """
    result = subprocess.run(
        [sys.executable, "-c", EACH, *statements], capture_output=True, text=True, check=True
    )
    loaded = [set(line.split()) for line in result.stderr.splitlines()]
    assert len(loaded) == len(statements), result.stderr
    return loaded


def test_the_engine_brings_no_screen_along_and_reads_a_sound_scenario_with_one_parser() -> None:
    found = pkgutil.walk_packages(nnstep.engine.__path__, "nnstep.engine.")
    alone, read, whole, run = loaded_after(
        "import nnstep.engine",
        "from nnstep.engine import load; load('mazur')",
        f"import {', '.join(module.name for module in found)}",
        "command_line('run', 'mazur', '--command', 'step')",
    )
    assert "numpy" not in alone
    assert "tree_sitter" not in read
    assert not whole & SCREEN
    assert not run & {"textual", "rich"}


COMMAND_LINES = (
    "command_line('--help')",
    "command_line('-h')",
    "command_line('help', 'run')",
    "command_line('run', '--help')",
    "command_line('trace', '-h')",
    "command_line(_NNSTEP_COMPLETE='bash_complete', COMP_WORDS='nnstep ma', COMP_CWORD='1')",
    "command_line('--version')",
)


def test_help_completion_and_the_list_of_keys_import_little() -> None:
    *told, keys = loaded_after(*COMMAND_LINES, "import nnstep.tui.actions, nnstep.tui.config")
    for line, loaded in zip(COMMAND_LINES, told, strict=True):
        assert not loaded & LARGE, line
    assert not keys & {"numpy", "nnstep.tui.panes.pane", "nnstep.tui.panes.line_view"}


def test_what_no_first_screen_needs_is_imported_after_it() -> None:
    narrow, every_pane = loaded_after(
        "import nnstep.tui.app, nnstep.tui.debugger\n"
        "from nnstep.engine import Session, load\n"
        "from nnstep.tui.actions import ACTIONS\n"
        "from nnstep.tui.stage import Stage\n"
        "from textual.geometry import Size\n"
        "Session(load('xor'))\n"
        "Stage(ACTIONS, is_filled=lambda: False, network=True).fit(Size(80, 24))",
        "from nnstep.tui.panes import PANES\nfor row in PANES: row.kind_of_pane",
    )
    (gallery,) = loaded_after(
        "import nnstep.tui.app, nnstep.tui.gallery as gallery\nlist(gallery.entries())"
    )
    assert not narrow & {"numpy.random", "nnstep.tui.panes.curves", "nnstep.tui.panes.watch"}
    assert not gallery & {"nnstep.engine.session.session", "nnstep.engine.scenario.datafiles"}
    later = {
        "importlib.metadata",
        "secrets",
        "nnstep.engine.commands.interpreter",
        "nnstep.engine.explain",
        "nnstep.engine.faults.monitor",
        "nnstep.engine.saving",
        "nnstep.engine.verification",
    }
    assert not every_pane & later
