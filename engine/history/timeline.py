"""The timeline: a machine that can be taken to any place of any branch of its run.

Going back puts the tensors of a place together from what was recorded; where records have been
thinned out, it runs the program again from the last keyframe. Both give the same bits. An edit in
the past starts a branch, and the old future stays.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import count

from nnstep.engine.arrays import Array
from nnstep.engine.limits import MAX_WORK_AT_ONCE
from nnstep.engine.machine.batches import Cursor
from nnstep.engine.machine.edit import Change, edited_copies
from nnstep.engine.machine.live import live
from nnstep.engine.machine.machine import Machine
from nnstep.engine.machine.start import initial_state
from nnstep.engine.machine.step import Finished, Record, State
from nnstep.engine.program.code import work_of
from nnstep.engine.program.program import Instruction, Program
from nnstep.engine.scenario.model import Scenario

from .branch import Branch
from .stale import Following
from .store import Keyframe, Store, tensors_at, tensors_near

# Up to so many lines away, few tensors are others than here.
_NEAR = 16

MAIN = "main"


class Timeline:
    """The branches of a run, and the machine, which is at a place of one of them.

    At most `budget` bytes of the past are kept; with None nothing is, and going back runs the
    program from step 0. `finished`, if there is one, is told of the passes that are kept; those
    `forgetting` are told of a branch and the place after which nothing holds of it any more.
    """

    def __init__(self, scenario: Scenario, program: Program, seed: int, budget: int | None) -> None:
        self.first_program = program
        self.machine = Machine(scenario, program)
        # Whether the past is kept at all.
        self.keeps = budget is not None
        if self.keeps:
            self.machine.finished = self._keep
        self.finished: Finished | None = None
        self.forgetting: list[Callable[[Branch, int], None]] = []
        self.scenario = scenario
        self._steps = len(program)
        origin = initial_state(scenario, program, seed)
        data = (scenario.data.x, scenario.data.y) if scenario.data else ()
        written = {name for line in program.instructions for name in line.writes}
        carried = [array for name, array in origin.tensors.items() if name in written]
        self.store = Store(budget or 0, [*data, *origin.tensors.values()], carried, len(program))
        self.current = Branch(MAIN, seed, origin)
        self.branches = [self.current]
        # Another object whenever a branch has come, gone, been left or been given another name.
        self.branching = object()
        # The branch that was left last: the one to compare with.
        self.left: Branch | None = None
        self._following = Following(program)
        self.machine.stride = self.store.spacing
        self.machine.restore(origin, self.current.losses)

    @property
    def program(self) -> Program:
        """The program that runs at this place, overrides included.

        At every place of the run there are as many lines, which write the same tensors.
        """
        return self.machine.program

    def line_of(self, step: int) -> Instruction:
        """Return the instruction that a step of the present branch executes, or has executed."""
        position = step % self._steps
        lines = self.current.lines_until(step)
        return lines.get(position, self.first_program.instructions[position])

    @property
    def place(self) -> int:
        """The number of instructions executed so far."""
        return self.machine.place

    @property
    def newest(self) -> int:
        """The furthest place that the branch has reached."""
        return max(self.current.newest, self.machine.place)

    @property
    def stale(self) -> Set[str]:
        """The tensors whose values were computed from something edited since."""
        if self._following.program is not self.program:
            self._following = Following(self.program)
        return self._following.stale(self.place, self.current.edits)

    # Moving

    def seek(self, place: int) -> None:
        """Go to a place of the branch; one that it has not reached yet is run to."""
        self._leave()
        self._take(self.machine, self.current, place, self._leading_to(self.current, place))

    def _leading_to(self, branch: Branch, place: int) -> State:
        """Return the state at a place of a branch, or the last one that running on leads there."""
        iteration, position = divmod(place, self._steps)
        return self._recorded(branch, iteration, position) or self._before(branch, iteration)

    def _take(self, machine: Machine, branch: Branch, place: int, state: State) -> None:
        """Take a machine to a place of a branch, from a state that leads there."""
        before = state.place - 1
        coming = branch.lasting(math.inf, after=before)
        machine.restore(state, branch.losses, coming, branch.lines_until(before))
        machine.go(place)

    def is_near(self, place: int) -> bool:
        """Tell whether a place is reached at once: little or nothing has to be run again for it."""
        iteration, position = divmod(place, self._steps)
        if self._records_of(self.current, iteration, position) is not None:
            return True
        again = place - self._before(self.current, iteration).place
        return again * work_of(self.program) <= MAX_WORK_AT_ONCE * self._steps

    def seek_back(self, place: int, newest: int) -> None:
        """Go back to a place as if the run had not gone on from there further than `newest`."""
        newest = max(newest, place)
        if place < self.place:
            self.seek(place)
            # What is run again from there on is examined as if for the first time.
            self.store.forget(self.current, newest // self._steps)
            self._forget(newest)
        self.current.newest = newest

    def _leave(self) -> None:
        """Note how far the branch has come."""
        self.current.newest, self.current.place = self.newest, self.place

    def _recorded(self, branch: Branch, iteration: int, position: int) -> State | None:
        """Return the state at a position of a pass, if all it is made of is still there."""
        records = self._records_of(branch, iteration, position)
        if records is None:
            return None
        before, record = records
        place = iteration * len(self.program) + position
        here = self.place
        tensors: Mapping[str, Array]
        if abs(place - here) <= _NEAR and max(place, here) <= self._shared_with(branch):
            first, end = sorted((place, here))
            edits = {edit.name for edit in self.current.lasting(end, after=first - 1)}
            given = self.machine.give()
            tensors = tensors_near(self.program, branch, place, before, record, here, given, edits)
        else:
            tensors = tensors_at(self.program, branch, place, before, record)
        return State(place, tensors, record, self._cursor(branch, iteration))

    def _records_of(
        self, branch: Branch, iteration: int, position: int
    ) -> tuple[Record | None, Record] | None:
        """Return what the pass before wrote, and what a pass did until a position at least.

        None if they are not there; before the first pass there is none.
        """
        before = self.store.record(branch, iteration - 1) if iteration else None
        if iteration and before is None:
            return None
        record = self.store.record(branch, iteration) if position else ()
        if record is None:
            record = self._under_way(branch, iteration * len(self.program) + position)
        return None if record is None else (before, record)

    def _under_way(self, branch: Branch, place: int) -> Record | None:
        """Return what the pass under way has written, if a place is one that it has come past."""
        start = self.place - self.machine.position
        if start <= place <= min(self.place, self._shared_with(branch)):
            return self.machine.written
        return None

    def _shared_with(self, branch: Branch) -> float:
        """Return up to which place a branch has the course of the present one, -1 for not known."""
        here = self.current
        if branch is here:
            return math.inf
        return branch.fork if branch.parent is here else here.fork if here.parent is branch else -1

    def _before(self, branch: Branch, iteration: int) -> State:
        """Return the last state known from which running on leads into a pass.

        What the pass before it wrote is still live in it, so that has to be run as well.
        """
        if state := self._recorded(branch, iteration, 0):
            return state
        keyframe = self.store.keyframe(branch, iteration - 1)
        if keyframe is None:
            return branch.origin
        place = keyframe.iteration * len(self.program)
        return State(place, keyframe.tensors, cursor=keyframe.cursor)

    def _cursor(self, branch: Branch, iteration: int) -> Cursor | None:
        """Return a cursor from which the batches of a pass follow."""
        if branch.origin.cursor is None:  # the data are not shuffled
            return None
        keyframe = self.store.keyframe(branch, iteration)
        return keyframe.cursor if keyframe else branch.origin.cursor

    def _keep(self, first: int, records: Sequence[Record]) -> None:
        """Remember passes that the machine has just come to the end of."""
        machine, steps, branch, store = self.machine, self._steps, self.current, self.store
        if first >= branch.began(steps):
            store.put(branch, first, records)
        else:
            for iteration, record in enumerate(records, first):
                store.put(branch.owner(iteration, steps), iteration, [record])
        iteration = first + len(records)
        if iteration % store.spacing == 0:
            owner = branch.owner(iteration, steps)
            if store.wants_keyframe(owner, iteration):
                tensors = {name: machine.tensors[name] for name in owner.origin.tensors}
                store.put_keyframe(owner, Keyframe(iteration, tensors, machine.cursor))
        if self.finished:
            self.finished(first, records)

    # Changing the course

    def edit(self, edit: Change) -> None:
        """Make an edit here. In the past it starts a branch; else what comes after goes."""
        if self.place < self.newest:
            self.fork(self.current.number_until(self.place))
        self.current.add(edit)
        self._cut()
        self.machine.edit(edit)

    def fork(self, edits: int) -> Branch:
        """Start a branch here, with the first `edits` of those of this one, and go on in it."""
        self._leave()
        losses = self.machine.losses_until(self.place)
        branch = self.current.forked(self._free_name("b"), self.place, edits, losses)
        self.branches.append(branch)
        self._enter(branch, self.place)
        return branch

    def _enter(self, branch: Branch, place: int) -> None:
        """Go to a place of a branch."""
        state = self._leading_to(branch, place)  # while it is known which pass is under way
        if branch is not self.current:
            self.left, self.current = self.current, branch
            branch.visits += 1
            self.branching = object()
        self._take(self.machine, branch, place, state)

    def take_back(self, edits: int) -> None:
        """Have only the first `edits` on the branch, whose newest place is this one.

        Those that are taken back were made here.
        """
        branch, place = self.current, self.place
        state = self._leading_to(branch, place)
        branch.keep_edits(edits)
        self._cut()
        self._take(self.machine, branch, place, state)

    def _cut(self) -> None:
        """Forget what was computed after this place, with other edits than there are now."""
        self.current.cut(self.place, self.machine.losses_until(self.place))
        self.store.forget(self.current, self.place // self._steps)
        self._forget(self.place)

    def _forget(self, place: int) -> None:
        """Have what was found out about the branch after a place forgotten."""
        for forget in self.forgetting:
            forget(self.current, place)

    def switch(self, branch: Branch, place: int | None = None) -> None:
        """Go to a branch, to a place or else to where it was left."""
        self._leave()
        self._enter(branch, branch.place if place is None else place)

    def delete(self, branch: Branch) -> None:
        """Forget a branch that nothing has left and that the machine is not on."""
        self.branches.remove(branch)
        self.branching = object()
        if self.left is branch:
            self.left = None
        self.store.delete(branch)

    def has_children(self, branch: Branch) -> bool:
        """Tell whether another branch leaves this one."""
        return any(each.parent is branch for each in self.branches)

    def begin_with(self, program: Program) -> None:
        """Have runs begin with another program that looks like this one, or gives its numbers."""
        self.first_program = program
        self.machine.begin_with(program)

    def begin_again(self, seed: int) -> None:
        """Go to step 0 of the run with this seed that has no edits, made anew if need be."""
        self._leave()
        was = self.current
        for branch in self.branches:
            if branch.parent is None and not branch.edits and branch.seed == seed:
                break
        else:
            origin = initial_state(self.scenario, self.first_program, seed)
            branch = Branch(self._free_name("run"), seed, origin)
            self.branches.append(branch)
        self._enter(branch, 0)
        if branch is was and not self.has_children(branch):
            self._cut()

    def name_again(self, branch: Branch, name: str) -> None:
        """Give a branch the name of one that is gone, unless another has it by now."""
        if all(each.name != name for each in self.branches):
            self.rename(branch, name)

    def rename(self, branch: Branch, name: str) -> None:
        """Give a branch another name, which no other has."""
        branch.name = name
        self.branching = object()

    def _free_name(self, prefix: str) -> str:
        names = {branch.name for branch in self.branches}
        return next(name for n in count(1) if (name := f"{prefix}{n}") not in names)

    # Looking back

    def ghost(self, place: int, branch: Branch | None = None) -> Machine:
        """Return another machine at a place that a branch, or this one, has reached."""
        machine, branch = Machine(self.scenario, self.first_program), branch or self.current
        self._take(machine, branch, place, self._leading_to(branch, place))
        return machine

    def records(self, first: int, count: int) -> list[Record]:
        """Run passes of this branch again, and return what each writes."""
        machine, found = self.ghost(first * self._steps), list[Record]()
        machine.finished = lambda _, records: found.extend(records)
        machine.go((first + count) * self._steps)
        return found

    def tensors_at(self, place: int, branch: Branch | None = None) -> Mapping[str, Array]:
        """Return the tensors at a place that a branch, or this one, has reached."""
        branch = branch or self.current
        if branch is self.current and place == self.place:
            return self.machine.give()
        state = self._recorded(branch, *divmod(place, len(self.program)))
        if state is None:
            return self.ghost(place, branch).tensors
        edits = branch.lasting(place, after=place - 1)
        if not edits:
            return state.tensors
        tensors = live(state.tensors).again()
        tensors.update(edited_copies(edits, tensors))
        return tensors

    def ahead(self) -> "Timeline":
        """Return the timeline as it is after the next line, to be asked; nothing changes here."""
        other = copy.copy(self)

        def finished(iteration: int, records: Sequence[Record]) -> None:
            owner = self.current.owner(iteration, self._steps)
            other.store = self.store.with_record(owner, iteration, records[0])

        other.machine = self.machine.ahead(finished)
        # It goes no further. A circle would keep large arrays until Python looks for circles.
        other.machine.finished = None
        return other

    def reached(self, branch: Branch) -> int:
        """Return the furthest place that a branch has reached."""
        return self.newest if branch is self.current else branch.newest
