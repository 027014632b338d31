"""The compiler: from a scenario to the program of one iteration."""

from weakref import WeakKeyDictionary

from nnstep.engine.scenario.model import Scenario

from .builder import Listing
from .network import LOSS, write_network
from .program import Program
from .update import reserved_names, write_update

_programs: WeakKeyDictionary[Scenario, Program] = WeakKeyDictionary()


def program_of(scenario: Scenario) -> Program:
    """Return the program of a scenario, compiled when it is first asked for.

    It is remembered as long as there is the scenario. Raises `CompileError` as the compiler does.
    """
    program = _programs.get(scenario)
    if program is None:
        program = _programs[scenario] = compile_scenario(scenario)
    return program


_weighted: WeakKeyDictionary[Scenario, Program] = WeakKeyDictionary()


def weighted_program_of(scenario: Scenario) -> Program:
    """Return the program with the derivative of a loss whose target rows may sum to anything.

    Its lines are those of the scenario's program, but for that derivative.
    """
    program = _weighted.get(scenario)
    if program is None:
        program = _weighted[scenario] = compile_scenario(scenario, weighted=True)
    return program


def remember(scenario: Scenario, program: Program) -> Scenario:
    """Have the program of a scenario remembered that says the same as one compiled already."""
    _programs[scenario] = program
    return scenario


def compile_scenario(scenario: Scenario, *, weighted: bool = False) -> Program:
    """Compile a scenario to a new program; raise `CompileError` where an expression is wrong.

    For `weighted`, see `weighted_program_of`.
    """
    listing = Listing(scenario.data, scenario.dtype)
    if scenario.network:
        assert scenario.data is not None, "a network is always read with its data"
        write_network(listing, scenario.network, scenario.data, weighted=weighted)
        loss = LOSS
    else:
        assert scenario.expression is not None, "a scenario is a network or an expression"
        from .expression import write_expression

        expression, dtype = scenario.expression, scenario.dtype
        reserved = reserved_names(scenario.optimizer, expression.parameters, dtype)
        write_expression(listing, expression, reserved, dtype)
        loss = expression.loss
    if scenario.optimizer:
        write_update(listing, scenario.optimizer, listing.trained, scenario.dtype)
    return listing.program(loss)
