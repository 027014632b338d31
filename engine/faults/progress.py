"""The loss of an epoch: diverging from its lowest, or standing still.

Both are asked for persistence: one bad epoch is none, and a run that is slow learns.
"""

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase

from .passes import Passes, Written
from .rule import Rule, nothing
from .yardstick import LOW, Gates, Yardstick, one_bar

MOST_GROWTH, BAD_EPOCHS = 2.0, 30
"""How far above its lowest a loss may be, and for how many epochs in a row it has to be so.

A healthy run that shoots past its lowest in the first epochs needs up to 26 to come back.
"""

BEYOND = 1000.0
"""So far above its lowest that one epoch is enough."""

STALLED_CHANGE, STALLED_EPOCHS = 1e-4, 200
"""The relative change that is none, and the least epochs that it is taken over.

On the plateau of XOR the loss of a healthy run may change by less than 1 % in 500 epochs.
"""


class Epochs:
    """The mean losses of the epochs of a run, and the lowest of those seen so far."""

    def __init__(self, measured_by: Yardstick) -> None:
        self._iterations = measured_by.epoch
        self._by = measured_by
        # The array of losses known best, how many epochs of it were seen, and their lowest loss.
        self._seen: tuple[Array | None, int, float] = (None, 0, np.inf)

    def ended(self, passes: Passes) -> tuple[Array, Array]:
        """Return the numbers of the passes with which an epoch ends, and how many have ended."""
        counts, rest = np.divmod(passes.iterations + 1, self._iterations)
        numbers = np.flatnonzero((rest == 0) & (passes.iterations < len(passes.losses)))
        return numbers, counts[numbers]

    def _among(self, passes: Passes) -> tuple[int, int]:
        """Return how many epochs have ended with the first that may end here, and with the last."""
        first, last = int(passes.iterations[0]), int(passes.iterations[-1])
        known = min(last + 1, len(passes.losses))
        return -(-(first + 1) // self._iterations), known // self._iterations

    def growth(self, passes: Passes) -> Array:
        """Return the lowest loss of the last thirty epochs over the lowest before them.

        Where that is not too much, it is the last loss over the lowest before it if that is beyond
        all measure. A lowest that is low counts as a low one: a run that has been there has
        converged.
        """
        result = nothing(passes)
        begin, last = self._among(passes)
        first = max(0, max(2, begin) - BAD_EPOCHS)
        if last < max(2, begin):
            return result
        low = one_bar(float(self._of(passes.losses, 0, 1)[0]), LOW, self._by)
        losses = self._of(passes.losses, first, last)
        start = self._lowest_before(passes.losses, first)
        least = np.fmax(np.fmin.reduce(losses, initial=start), low)
        if losses.max() <= MOST_GROWTH * least:
            return result
        numbers, counts = self.ended(passes)
        numbers, counts = numbers[counts > 1], counts[counts > 1]
        # The lowest loss of all epochs before each of these, and after the last.
        lowest = np.fmin.accumulate(np.concatenate([[start], losses]))
        at, now = counts - 1 - first, losses[counts - 1 - first]
        with np.errstate(all="ignore"):
            growth = _above(now, lowest[at], low)
            growth[growth < BEYOND] = np.nan
            since = counts[counts > BAD_EPOCHS] - BAD_EPOCHS - first
            if len(since):
                windows = np.lib.stride_tricks.sliding_window_view(losses, BAD_EPOCHS)
                lately = windows.min(axis=1)[since]
                bad = _above(lately, lowest[since], low)
                late = counts > BAD_EPOCHS
                growth[late] = np.where(bad > MOST_GROWTH, bad, growth[late])
        result[numbers] = np.where(now < np.inf, growth, np.nan)
        return result

    def change(self, passes: Passes) -> Array:
        """Return by how much, relatively, the loss has changed in the second half of the run."""
        result = nothing(passes)
        if self._among(passes)[1] <= STALLED_EPOCHS:
            return result
        numbers, counts = self.ended(passes)
        late = counts > STALLED_EPOCHS
        if late.any():
            ends = counts[late] - 1
            firsts = ends - np.maximum(STALLED_EPOCHS, counts[late] // 2)
            now, before = self._at(passes.losses, ends), self._at(passes.losses, firsts)
            with np.errstate(all="ignore"):
                change = np.abs(now - before) / np.abs(before)
            change[before == 0] = np.nan
            change[now == before] = 0.0
            result[numbers[late]] = change
        return result

    def stays(self, single: Passes) -> bool:
        """Tell whether the loss has been as good as the same for the second half of the run."""
        _, (count,) = self.ended(single)
        losses = self._half(single.losses, int(count))
        return _relative(float(losses.max()), float(losses.min())) < STALLED_CHANGE

    def _half(self, losses: Array, count: int) -> Array:
        """Return the losses of the second half of so many epochs."""
        return self._of(losses, count - 1 - max(STALLED_EPOCHS, count // 2), count)

    def _at(self, losses: Array, epochs: Array) -> Array:
        """Return the losses of some epochs, by their numbers."""
        if self._iterations == 1:
            return losses[epochs]
        whole = len(losses) // self._iterations * self._iterations
        rows: Array = losses[:whole].reshape(-1, self._iterations)[epochs].mean(axis=1)
        return rows

    def _of(self, losses: Array, first: int, last: int) -> Array:
        """Return the losses of the epochs from the `first` up to, and without, the `last`."""
        part = losses[first * self._iterations : last * self._iterations]
        return part if self._iterations == 1 else part.reshape(-1, self._iterations).mean(axis=1)

    def _lowest_before(self, losses: Array, epochs: int) -> float:
        """Return the lowest loss of the first epochs.

        What was found is remembered with the array that the losses are a part of: it only grows.
        """
        whole = losses.base if isinstance(losses.base, np.ndarray) else losses
        known, seen, lowest = self._seen
        if known is not whole or seen > epochs:
            seen, lowest = 0, np.inf
        lowest = float(np.fmin.reduce(self._of(losses, seen, epochs), initial=lowest))
        self._seen = whole, epochs, lowest
        return lowest


def diverging(written: Written, measured_by: Yardstick) -> Rule:
    """Return the rule that the loss has been twice its lowest for thirty epochs, or far beyond."""
    loss = written.program.loss
    position, _ = written.at(loss, Phase.LOSS)
    return Rule(
        name="diverging",
        layer=None,
        tensor=loss,
        position=position,
        indices=(),
        measure=Epochs(measured_by).growth,
        threshold=MOST_GROWTH,
        quantity=f"{_of_epoch(loss, measured_by)}, lately / its minimum before",
        advice="Lower the learning rate; go back to where the loss was lowest and look at the "
        "updates.",
    )


def stalled(written: Written, measured_by: Yardstick) -> Rule:
    """Return the rule that the loss has hardly changed for the second half of a run.

    A run that has begun to learn may be slow, and one at its best has nothing to learn.
    """
    loss = written.program.loss
    position, _ = written.at(loss, Phase.LOSS)
    of = _of_epoch(loss, measured_by)
    epochs = Epochs(measured_by)
    return Rule(
        name="stalled",
        layer=None,
        tensor=loss,
        position=position,
        indices=(),
        measure=epochs.change,
        confirm=epochs.stays,
        threshold=STALLED_CHANGE,
        below=True,
        quantity=f"relative change of {of} in the second half of the run",
        advice="It may be at its best; if not, try another learning rate or initialisation.",
        level="info",
        gates=Gates(until_seen=True),
    )


def _above(losses: Array, lowest: Array, low: float) -> Array:
    """Return losses over the lowest, NaN where that has no sense."""
    return np.where((lowest > 0) & (lowest < np.inf), losses / np.maximum(lowest, low), np.nan)


def _relative(now: float, before: float) -> float:
    if now == before:
        return 0.0
    return abs(now - before) / abs(before) if before else np.nan


def _of_epoch(loss: str, measured_by: Yardstick) -> str:
    return loss if measured_by.epoch == 1 else f"{loss} of the epoch"
