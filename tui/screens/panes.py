"""What the panes of the debugger are called, and which tensors belong in which."""

from collections.abc import Callable

from nnstep.engine.program.instruction import Role, Tensor
from nnstep.engine.scenario.model import Scenario
from nnstep.tui.actions import PANES
from nnstep.tui.widgets.tab_line import Tab

# An expression has no layers, and so no weights and activations.
_EXPRESSION_PANES = ("program", "parameters", "values", *PANES[3:])

# What each of the three views shows.
ROLES = {
    "weights": {Role.PARAMETER, Role.BUFFER, Role.RATE, Role.SCRATCH},
    "values": {Role.DATA, Role.CONSTANT, Role.VALUE, Role.LOSS},
    "gradients": {Role.GRADIENT},
}


def tabs_of(scenario: Scenario) -> list[Tab]:
    """Return the tab of every pane."""
    titles = PANES if scenario.network else _EXPRESSION_PANES
    return [Tab(digit, title) for digit, title in enumerate(titles, 1)]


def has_role(roles: set[Role]) -> Callable[[Tensor], bool]:
    """Return the question whether a tensor has one of some roles."""
    return lambda tensor: tensor.role in roles
