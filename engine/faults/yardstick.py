"""What a loss is measured by: where the run began, and what the data could give."""

from functools import cached_property, lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.scenario.model import Data, Network, Scenario

LOW = 0.15
"""The share of what there is to learn that is left when a loss is low."""

LEARNED = 0.9
"""The share that is left when a run has begun to learn."""

NEARLY = 0.01
"""The share by which a loss may be above the best that there is and count as that."""

MOST_PASSES = 64
"""The most passes that a mean is taken over; else those of an epoch."""

MOST_NUMBERS = 1 << 20
"""The numbers in the inputs above which no equal rows are looked for."""


class Yardstick(Struct, frozen=True):
    """The iterations of an epoch, and the losses that the data give.

    `best` is the loss of the best guess for each input: more than 0 where equal inputs have
    different targets. `blind` is that of the best guess that does not look at the inputs, None
    where it is not known.
    """

    epoch: int = 1
    best: float = 0.0
    blind: float | None = None


_yardsticks: WeakKeyDictionary[Scenario, Yardstick] = WeakKeyDictionary()


def yardstick(scenario: Scenario) -> Yardstick:
    """Return the yardstick of a scenario; of an expression only where it begins is known.

    It goes through all the data, and is remembered as long as there is the scenario.
    """
    found = _yardsticks.get(scenario)
    if found is None:
        found = _yardsticks[scenario] = _measured(scenario)
    return found


def _measured(scenario: Scenario) -> Yardstick:
    data = scenario.data
    if data is None:
        return Yardstick()
    epoch = data.batches_per_epoch
    if scenario.network is None:
        return Yardstick(epoch)
    with np.errstate(all="ignore"):
        losses = [_loss(scenario.network, data, groups) for groups in (_by_input(data), _all(data))]
    best, blind = (loss * _share_of_batch(scenario.network, data) for loss in losses)
    if not (np.isfinite(best) and np.isfinite(blind)):
        return Yardstick(epoch)
    return Yardstick(epoch, best, blind)


def _all(data: Data) -> Array:
    return np.zeros(len(data.x), dtype=int)


def _by_input(data: Data) -> Array:
    """Return for each row the number of its group, that of the rows with the same input."""
    if data.x.size > MOST_NUMBERS:
        return np.arange(len(data.x))
    known: dict[bytes, int] = {}
    x = np.ascontiguousarray(data.x)
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in x])


def _loss(network: Network, data: Data, groups: Array) -> float:
    """Return the loss of all the data for the best guess in each group of rows."""
    row = LOSSES[network.loss.kind]
    y = data.y if data.y.dtype.kind == "i" else data.y.astype(np.float64)
    targets = np.eye(network.layers[-1].units)[y] if y.ndim == 1 else y
    guess = np.median if row.name == "mae" else np.mean
    guesses = targets.copy()  # of a group of one row, the row itself is the guess
    for group in np.flatnonzero(np.bincount(groups) > 1):
        rows = groups == group
        guesses[rows] = guess(targets[rows], axis=0)
    operation = row.operation.with_settings(**network.loss.options)
    value = operation.reduced(network.loss.reduction)
    given = {"a": guesses, "y": targets}
    return float(value.function(*(given[name] for name in value.parameters)))


def _share_of_batch(network: Network, data: Data) -> float:
    """Return the rows of a mean batch over those of the data, where the loss is a sum over rows."""
    if network.loss.reduction != "sum":
        return 1.0
    rows = len(data.x) if data.batches is None else sum(map(len, data.batches))
    return rows / data.batches_per_epoch / len(data.x)


def bar(begun: Array, left: float, by: Yardstick, *, blind: bool = True) -> Array:
    """Return the loss at which this share of what there is to learn is left.

    That is from the best loss up to where the run has `begun`, or, if that counts, to a guess that
    does not look at the inputs, if that is less and there is something to learn from them. Just
    above the best there is nothing left.
    """
    top = begun
    if blind and by.blind is not None and by.blind > by.best * (1 + NEARLY):
        top = np.fmin(begun, by.blind)
    return np.maximum(by.best + left * (top - by.best), by.best * (1 + NEARLY))


@lru_cache(maxsize=256)
def one_bar(begun: float, left: float, by: Yardstick, *, blind: bool = True) -> float:
    """Return the same for a run of which it is known where it has begun; it is asked for often."""
    return float(bar(np.array(begun), left, by, blind=blind))


class Gates(Struct, frozen=True):
    """When a rule is not judged.

    One that is `gated` is not while the loss is low. One for runs that do not learn holds
    `until_learned`, that is until the loss has fallen well below that of the first iterations: to
    come to rest is no fault. One that holds `until_seen` holds until it is also well below what a
    guess without the inputs gives.
    """

    gated: bool = False
    until_learned: bool = False
    until_seen: bool = False


ALWAYS, WHILE_HIGH = Gates(), Gates(gated=True)


class Recent:
    """The mean loss of the last iterations: those of an epoch, or as many as there have been.

    `losses` are those of all iterations so far, and `first` the one that is looked at first.
    """

    def __init__(self, losses: Array, first: int, measured_by: Yardstick) -> None:
        self._losses = losses
        self._first = first
        self._window = min(measured_by.epoch, MOST_PASSES)
        self._by = measured_by
        self._lows: dict[tuple[float, bool], Array | bool] = {}

    @cached_property
    def _means(self) -> Array:
        """The mean before each iteration from the `first` on, and after the last; at first NaN."""
        window, first = self._window, self._first
        if window == 1 and first:
            return self._losses[first - 1 :]
        lately = self._losses[max(0, first - window) :]
        missing = np.zeros(max(0, window - first))
        windows = np.lib.stride_tricks.sliding_window_view(
            np.concatenate([missing, lately]), window
        )
        counts = np.arange(first, first + len(windows))
        return windows.sum(axis=1) / np.minimum(counts, window)

    @cached_property
    def _begun(self) -> Array:
        """Where the run began, seen from each of these places: one number once it is known."""
        begun = self._losses[: self._window]
        means = begun.cumsum() / np.arange(1, len(begun) + 1)
        if self._first >= self._window:
            return means[-1:].reshape(())
        if not len(means):
            return np.full(len(self._means), np.nan)
        counts = np.arange(self._first, self._first + len(self._means))
        return means[np.clip(counts, 1, len(means)) - 1]

    def judged(self, gates: Gates, start: int, count: int) -> Array | None:
        """Tell for which of `count` iterations a rule is judged; None for none.

        Each is judged with the losses up to `start` iterations later.
        """
        shut: Array | None = None
        for is_gate, left, blind in (
            (gates.gated, LOW, True),
            (gates.until_learned, LEARNED, False),
            (gates.until_seen, LEARNED, True),
        ):
            low = self._low(left, blind=blind) if is_gate else False
            if low is True:
                return None
            if low is not False:
                part = low[start : start + count]
                shut = part if shut is None else shut | part
        if shut is None:
            return np.ones(count, dtype=bool)
        return None if shut.all() else ~shut

    def _low(self, left: float, *, blind: bool) -> Array | bool:
        """Tell where the mean is below what leaves a share of what there is to learn.

        What a guess without the inputs gives counts if `blind`. True is everywhere, False nowhere.
        """
        key = left, blind
        if key not in self._lows:
            self._lows[key] = self._is_low(left, blind=blind)
        return self._lows[key]

    def _is_low(self, left: float, *, blind: bool) -> Array | bool:
        begun, (lowest, highest) = self._begun, self._range
        if begun.ndim:
            bars = bar(begun, left, self._by, blind=blind)
            low: Array = (self._means < bars) & (bars > 0)
            return low
        limit = one_bar(float(begun), left, self._by, blind=blind)
        if not limit > 0 or lowest >= limit:
            return False
        return highest < limit or self._means < limit

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The lowest and the highest of the means."""
        means = self._means
        return float(means.min(initial=np.inf)), float(means.max(initial=-np.inf))
