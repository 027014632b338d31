"""The engine stays free of the screen, and starting costs no more than it must."""

import pkgutil
import subprocess
import sys

import pytest

import nnstep.engine

SCREEN = {"textual", "rich", "click", "nnstep.tui"}


def engine_modules() -> list[str]:
    found = pkgutil.walk_packages(nnstep.engine.__path__, "nnstep.engine.")
    return ["nnstep.engine", *(module.name for module in found)]


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_no_engine_module_brings_the_screen_along() -> None:
    statement = "\n".join(f"import {name}" for name in engine_modules())
    assert not loaded_after(statement) & SCREEN


def test_the_engine_package_alone_imports_no_numpy() -> None:
    assert "numpy" not in loaded_after("import nnstep.engine")


def test_reading_a_sound_scenario_needs_no_second_parser() -> None:
    assert "tree_sitter" not in loaded_after("from nnstep.engine import load; load('mazur')")


def test_the_list_of_keys_imports_no_pane_and_no_numpy() -> None:
    loaded = loaded_after("import nnstep.tui.actions, nnstep.tui.config")
    assert not loaded & {"numpy", "nnstep.tui.panes.pane", "nnstep.tui.panes.line_view"}


def test_what_no_first_screen_needs_is_imported_after_it() -> None:
    statement = (
        "import nnstep.tui.app, nnstep.tui.debugger\n"
        "from nnstep.tui.panes import PANES\n"
        "for row in PANES: row.kind_of_pane"
    )
    later = {
        "importlib.metadata",
        "secrets",
        "nnstep.engine.commands.interpreter",
        "nnstep.engine.explain",
        "nnstep.engine.faults.monitor",
        "nnstep.engine.saving",
        "nnstep.engine.verification",
    }
    assert not loaded_after(statement) & later


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_neither_textual_nor_numpy(option: str) -> None:
    statement = f"from nnstep.tui.cli import main\ntry: main(['{option}'])\nexcept SystemExit: pass"
    assert not loaded_after(statement) & {"textual", "numpy", "rich"}
