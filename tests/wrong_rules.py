"""Programs with a wrong rule put in, and what verification finds of it."""

from collections.abc import Callable, Mapping
from typing import Any

from building import network
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase, Program
from nnstep.engine.scenario.model import Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.verdict import (
    BAD,
    GOOD,
    Fingerprint,
    Verification,
)
from nnstep.engine.verification.verify import verify

Rule = Callable[[Any, Mapping[str, Array]], Any]
MSE = Loss("mse", "batch_mean")
ALL = {"W1", "b1", "W2", "b2", "W3", "b3"}


def planted(program: Program, target: str, rule: Rule) -> Program:
    """The program with another rule for a gradient: a function of the right one and the tensors."""

    def wrong(kernel: Any) -> Any:
        return lambda tensors: rule(kernel(tensors), tensors)

    found = [line.phase is Phase.BACKWARD and line.writes == (target,) for line in lines(program)]
    assert any(found)
    changed = (
        replace(line, kernel=wrong(line.kernel)) if hit else line
        for line, hit in zip(lines(program), found, strict=True)
    )
    return replace(program, instructions=tuple(changed))


def lines(program: Program) -> Any:
    return program.instructions


def verified(scenario: Scenario, target: str, rule: Rule, **options: Any) -> Verification:
    session = Session(scenario)
    session.step()
    return verify(planted(session.program, target, rule), session.values(), **options)


def fingerprints(verification: Verification) -> dict[str, Fingerprint | None]:
    """The fingerprints of all tensors that are bad; the others are good."""
    good = {one.name for one in verification.tensors if one.verdict in GOOD}
    bad = {one.name: one.fingerprint for one in verification.tensors if one.verdict in BAD}
    assert len(good) + len(bad) == len(verification.tensors)
    return bad


def deep(loss: Loss = MSE, rows: int = 5) -> Scenario:
    return network((2, 2, 2, 1), rows=rows, loss=loss)
