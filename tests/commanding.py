"""A session that is given commands."""

from building import network, optimizer

from nnstep.engine.commands.command import Answer
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.scenario.model import Run
from nnstep.engine.session.session import Session


def small(iterations: int | None = 30) -> Session:
    """A 3-2-1 network, two iterations an epoch, eighteen lines."""
    run = Run(iterations)
    scenario = network((3, 2, 1), rows=4, batch_size=2, optimized=optimizer(lr=0.1), run=run)
    return Session(scenario)


def give(session: Session, *commands: str) -> Answer:
    """Execute commands and return the last answer."""
    answer = Answer()
    for command in commands:
        answer = Interpreter(session).execute(command)
    return answer


def told(session: Session, *commands: str) -> str:
    """Execute commands and return the lines of the last answer."""
    return "\n".join(give(session, *commands).lines)
