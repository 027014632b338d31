"""Built-in scenarios, loaded once: they are values, and their programs are remembered with them."""

from functools import cache

from nnstep import scenarios
from nnstep.engine.loading import load
from nnstep.engine.scenario.model import Scenario


@cache
def built_in(name: str) -> Scenario:
    return load(scenarios.path(name))
