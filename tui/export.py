"""The command `nnstep export`: a scenario to stdout, or to files, in another form."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nnstep.engine.export.errors import ExportError
from nnstep.engine.text import printable

if TYPE_CHECKING:
    from nnstep.engine.scenario.model import Scenario


def export(
    scenario: "Scenario", form: str, output: str | None, iterations: int | None, *, force: bool
) -> int:
    """Export a scenario, and return the exit status: 1 if it cannot be exported or written."""
    path = None if output is None else Path(output)
    try:
        _script(scenario, form, path, iterations, force=force)
    except ExportError as error:
        click.echo(printable(str(error)), err=True)
        return 1
    return 0


def _script(
    scenario: "Scenario", form: str, path: Path | None, iterations: int | None, *, force: bool
) -> None:
    """Write a script, and say where it is if that is not stdout."""
    from nnstep.engine.export.files import name_beside, write_script
    from nnstep.engine.program.compile import program_of

    if form == "numpy":
        from nnstep.engine.export.numpy_script import numpy_script as write
    else:
        from nnstep.engine.export.torch_script import torch_script as write
    beside = None if path is None else name_beside(path)
    script = write(scenario, program_of(scenario), iterations, beside)
    if path is None:
        sys.stdout.write(script.text)
        sys.stdout.flush()
        return
    for written in write_script(script, path, force=force):
        click.echo(printable(str(written)))
