"""`nnstep export`: a scenario to stdout, or to files, in another form."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..completion import ScenarioName
from .meant import load_and_warn, shown
from .output import quiet_when_closed
from .usage import ITERATIONS, missing_name

if TYPE_CHECKING:
    from nnstep.engine.scenario.model import Scenario


@click.command("export")
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName(), required=False)
@click.option(
    "--to",
    "form",
    type=click.Choice(["numpy", "torch", "csv", "npz"]),
    required=True,
    help="A script in NumPy, which prints the same bits, or in PyTorch; a table, or arrays.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Write to a file; large arrays of a script go into an NPZ file beside it.",
)
@ITERATIONS
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
@click.pass_context
def export_scenario(
    ctx: click.Context,
    scenario: str | None,
    form: str,
    output: str | None,
    iterations: int | None,
    force: bool,
) -> None:
    """Write a scenario as a script that needs no nnstep, or its numbers as a table."""
    if scenario is None:
        missing_name(ctx)
    loaded = load_and_warn(scenario)
    with quiet_when_closed():
        sys.exit(_export(loaded, form, output, iterations, force=force))


def _export(
    scenario: "Scenario", form: str, output: str | None, iterations: int | None, *, force: bool
) -> int:
    """Export a scenario, and return the exit status: 1 if it cannot be exported or written."""
    from nnstep.engine.export.errors import ExportError

    path = None if output is None else Path(output)
    try:
        if form == "csv":
            _csv(scenario, path, iterations, force=force)
        elif form == "npz":
            _npz(scenario, path, iterations, force=force)
        else:
            _script(scenario, form, path, iterations, force=force)
    except ExportError as error:
        click.echo(shown(str(error)), err=True)
        return 1
    return 0


def _script(
    scenario: "Scenario", form: str, path: Path | None, iterations: int | None, *, force: bool
) -> None:
    """Write a script, and say where it is if that is not stdout."""
    from nnstep.engine.export.files import name_beside, write_script
    from nnstep.engine.override.override import first_program

    if form == "numpy":
        from nnstep.engine.export.numpy_script import numpy_script as write
    else:
        from nnstep.engine.export.torch_script import torch_script as write
    beside = None if path is None else name_beside(path)
    script = write(scenario, first_program(scenario), iterations, beside)
    if path is None:
        sys.stdout.write(script.text)
        sys.stdout.flush()
        return
    for written in write_script(script, path, force=force):
        click.echo(shown(str(written)))


def _csv(scenario: "Scenario", path: Path | None, iterations: int | None, *, force: bool) -> None:
    """Write rows as the iterations run."""
    from nnstep.engine.export.files import refuse_overwriting
    from nnstep.engine.export.tables import write_csv

    if path is None:
        write_csv(scenario, sys.stdout, iterations)
        sys.stdout.flush()
        return
    refuse_overwriting(path, force=force)
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_csv(scenario, stream, iterations)
    click.echo(shown(str(path)))


def _npz(scenario: "Scenario", path: Path | None, iterations: int | None, *, force: bool) -> None:
    """Write arrays, once all iterations have run."""
    from nnstep.engine.export.files import npz, refuse_overwriting
    from nnstep.engine.export.tables import arrays_by_iteration
    from nnstep.engine.files import write_whole

    if path is None:
        raise click.UsageError("an NPZ file is no text: say where to with --output PATH")
    refuse_overwriting(path, force=force)
    write_whole(path, npz(arrays_by_iteration(scenario, iterations)))
    click.echo(shown(str(path)))
