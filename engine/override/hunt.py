"""A mistake hidden in a program, to be found: it runs, and what is shown is the rule's line.

Which mistake, and in which line, is drawn with a seed; the seed is all that a session file names.
"""

import random

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.machine.edit import Override
from nnstep.engine.program.program import Program
from nnstep.engine.scenario.model import Scenario

from .mistakes import MISTAKES, Mistake, MistakeError, everywhere
from .override import first_program


class Hunt(Struct):
    """A mistake that is looked for; `looks` counts verifications, and `accused` the wrong lines.

    `planted` is the mistake as an override that everybody would see, and `program` the program that
    hides it.
    """

    seed: int
    mistake: Mistake
    planted: Override
    program: Program
    looks: int = 0
    accused: int = 0
    is_over: bool = False

    @property
    def shown(self) -> Program:
        """The program with the mistake as an override that is seen."""
        return self.program.with_lines({self.planted.position: self.planted.instruction})

    @property
    def told(self) -> str:
        """How often somebody has looked and accused."""
        looks = "1 verification" if self.looks == 1 else f"{self.looks} verifications"
        accused = "1 wrong accusation" if self.accused == 1 else f"{self.accused} wrong accusations"
        return f"{looks} and {accused}"


def hunt(scenario: Scenario, seed: int) -> Hunt:
    """Hide a mistake that is drawn with a seed, each that fits as likely as another.

    Raises `MistakeError` if none fits.
    """
    choose = random.Random(seed)
    found = {name: made for name, row in MISTAKES.items() if (made := everywhere(scenario, row))}
    if not found:
        raise MistakeError("no classic mistake can be made in this program")
    name = choose.choice(sorted(found))
    planted = choose.choice(found[name])
    program = first_program(scenario)
    wrong, rule = planted.instruction, program.instructions[planted.position]
    hidden = replace(rule, kernel=wrong.kernel, runs=wrong)
    return Hunt(seed, MISTAKES[name], planted, program.with_lines({planted.position: hidden}))
