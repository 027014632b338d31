"""The table of which means finds which mistake is what is measured over the gallery."""

import os
import re
from pathlib import Path

import pytest
from mistakes_found import Found, found_in, table

from nnstep import scenarios
from nnstep.engine.override.mistakes import MISTAKES

DOCS = Path(__file__).parent.parent.parent / "docs" / "mistakes.md"
TABLE = re.compile(r"(?<=<!-- mistakes -->\n).*?(?=\n<!-- /mistakes -->)", re.DOTALL)


def written() -> str:
    found = TABLE.search(DOCS.read_text(encoding="utf-8"))
    assert found is not None
    return found[0]


@pytest.mark.slow
def test_the_table_is_what_is_measured_over_the_whole_gallery() -> None:
    measured = table([one for name in scenarios.names() for one in found_in(name)])
    if os.environ.get("NNSTEP_UPDATE_README"):
        DOCS.write_text(TABLE.sub(lambda _: measured, DOCS.read_text(encoding="utf-8")), "utf-8")
    assert written() == measured


def always_or_never(mistake: str) -> dict[str, bool]:
    """The means that the table says find a mistake wherever it fits, or nowhere."""
    row = next(line for line in written().splitlines() if line.startswith(f"| `{mistake}` |"))
    means = ("verification", "faults", "comparison")
    counts = {
        name: cell.split(" of ") for name, cell in zip(means, row.split(" | ")[2:], strict=True)
    }
    told = {name: (int(found), int(of.strip(" |"))) for name, (found, of) in counts.items()}
    return {name: found == of for name, (found, of) in told.items() if found in (0, of)}


@pytest.mark.sweep(5)
@pytest.mark.parametrize("name", ["mazur", "rows", "blocks", "two-layer", "xor"])
def test_each_mistake_is_found_by_the_means_that_the_table_says(name: str) -> None:
    for one in found_in(name):
        for means, finds in always_or_never(one.mistake).items():
            assert getattr(one, means) == finds, (one, means)
        assert one.told


@pytest.mark.slow
def test_these_scenarios_have_every_mistake() -> None:
    five = ("mazur", "rows", "blocks", "two-layer", "xor")
    seen: set[Found] = {one for name in five for one in found_in(name)}
    assert {one.mistake for one in seen} == set(MISTAKES)
