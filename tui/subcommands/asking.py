"""`nnstep explain` and `nnstep check`: questions about scenarios, answered as text or JSON."""

import sys

import click

from ..completion import ScenarioName
from .meant import load_and_warn, shown, with_bug
from .output import quiet_when_closed
from .usage import BUG, TEXT_OR_JSON


@click.command()
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName())
@click.argument("cell", metavar="CELL")
@click.option(
    "--at",
    metavar="STEP|TENSOR[@ITERATION]",
    help="Just after this step, or after the line that writes a tensor in iteration 0 or another; "
    "by default after the last line of phase backward of iteration 0.",
)
@TEXT_OR_JSON
@click.option("--why", "asks_why", is_flag=True, help="Also follow it to the cause of its value.")
@BUG
def explain(
    scenario: str, cell: str, at: str | None, form: str, asks_why: bool, bug: str | None
) -> None:
    """Say how a cell, such as 'dW2[0, 1]', gets its value, and with --why what that comes of.

    The exit status is 2 if there is no such cell, or no such step.
    """
    loaded = with_bug(load_and_warn(scenario), bug)
    import json

    from nnstep.engine.commands.asking import why_as_json, why_lines
    from nnstep.engine.commands.explaining import (
        as_json,
        cell_meant,
        explanation_lines,
        first_backward_step,
        step_meant,
    )
    from nnstep.engine.language.typed import typed
    from nnstep.engine.session.session import Session

    session = Session(loaded)
    try:
        step = first_backward_step(session) if at is None else step_meant(session, typed(at))
        name, index = cell_meant(session, typed(cell))
        explanation = session.explain(name, index, step)
        why = session.why(name, index, step) if asks_why else None
    except ValueError as error:
        click.echo(shown(f"{cell}: {error}"), err=True)
        sys.exit(2)
    with quiet_when_closed():
        if form == "json":
            told = as_json(explanation, loaded.dtype)
            told |= {"why": why_as_json(why, loaded.dtype)} if why else {}
            click.echo(json.dumps(told, ensure_ascii=False))
            return
        lines = [*explanation_lines(explanation), *(("", *why_lines(why)) if why else ())]
        click.echo("\n".join(shown(line) if line else "" for line in lines))


@click.command("check")
@click.argument("scenarios", metavar="FILE|NAME...", type=ScenarioName(), nargs=-1, required=True)
@TEXT_OR_JSON
@BUG
def check_scenarios(scenarios: tuple[str, ...], form: str, bug: str | None) -> None:
    """Check scenarios: that they load, their gradients, and their printed numbers.

    Each is run to the last iteration that an [[expect]] names. The exit status is 1 if a file does
    not load, a gradient is wrong, or a number is not the printed one; a fault of the run is told,
    and counts as wrong only where the file says faults = "none" in its table [run].
    """
    from nnstep.engine.check import as_json, as_lines, check

    def warn(warning: str) -> None:
        click.echo(shown(warning), err=True)

    found = []
    with quiet_when_closed():
        for name in scenarios:
            items = list(check(name, warn, lambda scenario: with_bug(scenario, bug)))
            found += items
            if form == "text":
                for line in as_lines(items):
                    click.echo(line)
        if form == "json":
            click.echo(as_json(found))
    sys.exit(0 if all(item.ok for item in found) else 1)
