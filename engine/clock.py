"""Where a place is: the position in the program, the iteration and the epoch that it belongs to."""

from msgspec import Struct


class Clock(Struct, frozen=True):
    """Turns places, the number of instructions executed so far, into positions and passes."""

    steps_per_iteration: int
    iterations_per_epoch: int

    def position(self, place: int) -> int:
        """Return the index in the program of the instruction next to run."""
        return place % self.steps_per_iteration

    def iteration(self, place: int) -> int:
        """Return the pass through the program that the next instruction belongs to, from 0."""
        return place // self.steps_per_iteration

    def epoch(self, place: int) -> int:
        """Return the pass through the data that the next instruction belongs to, from 0."""
        return self.iteration(place) // self.iterations_per_epoch
