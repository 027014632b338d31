"""What several subcommands share: options, and what is said where a scenario is missing."""

import sys
from typing import NoReturn

import click

BUG = click.option(
    "--bug",
    metavar="NAME[@LAYER]",
    help="Plant a classic mistake, such as missing-derivative@1, as an override.",
)

ITERATIONS = click.option(
    "--iterations",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many iterations to run, whatever the scenario says.",
)

TEXT_OR_JSON = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How to write it: for people, the default, or as JSON.",
)


def missing_name(ctx: click.Context) -> NoReturn:
    """Say what a command without a scenario needs, and which there are."""
    click.echo(f"{ctx.get_usage()}\n\nSay which scenario: a file, or one of these.\n", err=True)
    echo_gallery(err=True)
    sys.exit(2)


def echo_gallery(*, err: bool = False) -> None:
    """Write the built-in scenarios, a line each."""
    from ..entries import entries

    listed = list(entries())
    names = max(len(entry.name) for entry in listed)
    shapes = max(len(entry.shape) for entry in listed)
    for entry in listed:
        about = f"(broken) {entry.problem}" if entry.problem else entry.about.title
        click.echo(f"{entry.name:<{names}}  {entry.shape:<{shapes}}  {about}", err=err)
