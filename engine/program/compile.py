"""The compiler: from a scenario to the program of one iteration."""

from nnstep.engine.scenario.model import Scenario

from .builder import Listing
from .network import write_network
from .program import Program, Role
from .update import reserved_names, write_update

_LETTERS = {"weights": "W", "bias": "b"}


def compile_scenario(scenario: Scenario) -> Program:
    """Return the program of a scenario; raise `CompileError` where an expression is wrong."""
    listing = Listing()
    frozen: set[str] = set()
    if scenario.network:
        assert scenario.data is not None, "a network is always read with its data"
        write_network(listing, scenario.network, scenario.data)
        loss = "L"
        for number, layer in enumerate(scenario.network.layers, start=1):
            frozen |= {f"{_LETTERS[kind]}{number}" for kind in layer.frozen}
    else:
        assert scenario.expression is not None, "a scenario is a network or an expression"
        from .expression import write_expression

        reserved = reserved_names(scenario.optimizer, scenario.expression.parameters)
        write_expression(listing, scenario.expression, scenario.data, reserved, scenario.dtype)
        loss = scenario.expression.loss
    parameters = tuple(
        tensor.name for tensor in listing.tensors.values() if tensor.role is Role.PARAMETER
    )
    trained = tuple(name for name in parameters if name not in frozen)
    if scenario.optimizer:
        write_update(listing, scenario.optimizer, trained)
    return listing.program(loss, parameters, trained)
