"""Whether the numbers that set up a run are still finite in the type that it computes in."""

import msgspec
import numpy as np

from .numbers import typed
from .places import Keys
from .report import Report


def check_settings(table: msgspec.Struct, dtype: str, keys: Keys, report: Report) -> bool:
    """Tell whether the scenario's type can hold a table's numbers; report each that it cannot."""
    settings = msgspec.structs.asdict(table)
    fitting = [
        typed(np.array(value), dtype, (*keys, name), report) is not None
        for name, value in settings.items()
        if isinstance(value, float)
    ]
    return all(fitting)
