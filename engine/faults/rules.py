"""What goes wrong with training, a rule a fault.

The thresholds are those of the literature: AUTOTRAINER (Zhang et al. 2021), DeepChecker, SageMaker
Debugger; where they alone gave false alarms, the rule says how it is refined.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Drawn, Phase, Tensor
from nnstep.engine.scenario.model import Data, Network, Optimizer, Scenario
from nnstep.engine.text import cell_name

from .fault import NON_FINITE, Key, Level, fault_key
from .measures import SMALL, Block, Pass, Written, Yardstick, flattened, mean_absolute, norm


class Finding(Struct, frozen=True):
    """The value that is on the wrong side of a threshold, and what it is a value of."""

    value: float
    threshold: float
    quantity: str


class Rule:
    """One kind of fault in one tensor, decided when the instruction at `position` has written it.

    `index` is where the tensor is in the record of a pass.

    A rule is not judged while the loss is low, unless it is not `gated`. One that is for runs that
    do not learn holds `until_learned`, that is until the loss has fallen: to come to rest is no
    fault. What is common in a few rows and not in many is judged `on_sample` too, if a batch has
    few rows.
    """

    name: ClassVar[str]
    advice: ClassVar[str]
    level: ClassVar[Level] = "warning"
    gated: ClassVar[bool] = True
    until_learned: ClassVar[bool] = False
    on_sample: ClassVar[bool] = False

    def __init__(self, position: int, index: int, tensor: str, layer: int | None) -> None:
        self.position = position
        self.index = index
        self.tensor = tensor
        self.layer = layer
        self.key: Key = fault_key(self.name, layer)

    def suspects(self, block: Block) -> Array | None:
        """Tell quickly in which passes of a block the rule may hold, shape `(passes,)`.

        None if it is plain that it holds in none. It has to name every pass that `judge` would.
        """
        raise NotImplementedError

    def judge(self, case: Pass) -> Finding | None:
        """Return what is wrong with a pass, exactly, if anything is."""
        raise NotImplementedError


LARGEST_INPUT = 10.0
"""The absolute value above which an input counts as not normalised."""


class NonFinite(Rule):
    """NaN or infinity in anything that is computed."""

    name = NON_FINITE
    level = "stop"
    gated = False
    advice = (
        "See what it was computed from; a lower learning rate, clipped gradients or smaller "
        "weights keep numbers finite."
    )

    def suspects(self, block: Block) -> Array | None:
        """Look at sums of squares, which may overflow where the numbers do not."""
        return None if block.is_finite else block.unclear(self.index)

    def judge(self, case: Pass) -> Finding | None:
        """Find the first cell; the threshold is the dtype's largest number."""
        array = case.record[self.index]
        finite = np.isfinite(array)
        if finite.all():
            return None
        cell = tuple(int(i) for i in np.argwhere(~finite)[0])
        limit = float(np.finfo(array.dtype).max)
        return Finding(float(array[cell]), limit, cell_name(self.tensor, cell))


class NonFiniteData(NonFinite):
    """NaN or infinity in a batch: a rule only for data that have any."""

    advice = "Fill in or leave out the rows of the data that have no finite number here."

    def suspects(self, block: Block) -> Array | None:
        """Look at every batch."""
        return np.array([not np.isfinite(record[self.index]).all() for record in block.records])


class UnnormalisedInput(Rule):
    """A finite input with |x| > 10: a rule only for data that have any."""

    name = "unnormalised input"
    advice = "Standardise the inputs: mean 0 and standard deviation 1 in every column."

    def suspects(self, block: Block) -> Array | None:
        """Look at every batch."""
        return np.array([_largest(r[self.index]) > LARGEST_INPUT for r in block.records])

    def judge(self, case: Pass) -> Finding | None:
        """Compare the largest absolute value."""
        largest = _largest(case.record[self.index])
        if largest <= LARGEST_INPUT:
            return None
        return Finding(largest, LARGEST_INPUT, f"max|{self.tensor}|")


def _largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0.0, where=np.isfinite(array)))


VANISHING_RATIO, VANISHING_NORM = 1e-3, 1e-4
NO_GRADIENT = 1e-7
EXPLODING = 1e6


class Vanishing(Rule):
    """The first layer's gradient has a norm below 1e-4, and below a thousandth of the last's.

    The thresholds are AUTOTRAINER's (Zhang et al. 2021, ICSE). A gradient of exactly 0 has not
    become small on its way: that is "no gradient". The layers are those whose weights are trained.
    """

    name = "vanishing gradient"
    on_sample = True
    advice = "Use relu or tanh in place of sigmoid, fewer layers, or larger initial weights."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, last: int, last_name: str
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._last, self._last_name = last, last_name

    def suspects(self, block: Block) -> Array | None:
        """Compare sums of squares."""
        first, last = block.squares(self.index), block.squares(self._last)
        margin = block.margin(self.index)
        ratio = VANISHING_RATIO**2 * margin * block.margin(self._last)
        return (first < VANISHING_NORM**2 * margin) & (first <= ratio * last)

    def judge(self, case: Pass) -> Finding | None:
        """Compare norms."""
        first, last = norm(case.record[self.index]), norm(case.record[self._last])
        if first == 0 or last == 0 or first >= VANISHING_NORM or first / last >= VANISHING_RATIO:
            return None
        return Finding(first / last, VANISHING_RATIO, f"‖{self.tensor}‖/‖{self._last_name}‖")


class NoGradient(Rule):
    """The gradient's mean absolute value is below 1e-7 (SageMaker Debugger's threshold)."""

    name = "no gradient"
    until_learned = True
    on_sample = True
    advice = "Look for where it is lost: units that are off, saturated or all alike, weights of 0."

    def suspects(self, block: Block) -> Array | None:
        """Compare the root of the sum of squares: it is at most the sum of absolute values."""
        size = block.records[0][self.index].size
        return block.squares(self.index) < (NO_GRADIENT * size) ** 2 * block.margin(self.index)

    def judge(self, case: Pass) -> Finding | None:
        """Compare the mean."""
        mean = mean_absolute(case.record[self.index])
        return Finding(mean, NO_GRADIENT, f"mean|{self.tensor}|") if mean < NO_GRADIENT else None


class Exploding(Rule):
    """The gradient's mean absolute value is above 1e6 (DeepChecker's threshold)."""

    name = "exploding gradient"
    advice = "Clip the gradients, lower the learning rate, or start from smaller weights."

    def suspects(self, block: Block) -> Array | None:
        """Compare the root of the mean square: it is at least the mean of absolute values."""
        return block.above(self.index, EXPLODING**2)

    def judge(self, case: Pass) -> Finding | None:
        """Compare the mean."""
        mean = mean_absolute(case.record[self.index])
        return Finding(mean, EXPLODING, f"mean|{self.tensor}|") if mean > EXPLODING else None


SATURATED, MOST_SATURATED = 5.0, 0.5
"""The |z| from which on a sigmoid or tanh is flat, and the share of a layer that may be there."""

FEW = 16
"""The rows of data of which fewer are few."""

MOST_DEAD, MOST_DEAD_OF_FEW = 0.5, 0.7
"""The share of a layer's units that may be off for every row, of many rows and of few."""


class Saturation(Rule):
    """A sigmoid or tanh layer with |z| >= 5 in more than half of its cells.

    An output that is fused with its cross-entropy has no such rule: its gradient, a - y, does not
    pass through the flat part of the sigmoid.
    """

    name = "saturation"
    on_sample = True
    advice = "Start from smaller weights, such as xavier_uniform gives, or normalise the inputs."

    def suspects(self, block: Block) -> Array | None:
        """Look at the mean of z², which is above half of 25."""
        return block.above(self.index, MOST_SATURATED * SATURATED**2)

    def judge(self, case: Pass) -> Finding | None:
        """Count the cells."""
        share = float(np.mean(np.abs(case.record[self.index]) >= SATURATED))
        if share <= MOST_SATURATED:
            return None
        return Finding(share, MOST_SATURATED, f"share of |{self.tensor}| >= {SATURATED:g}")


class DeadUnits(Rule):
    """A ReLU layer in which more than half of the units are 0 for every row of the batch.

    The fewer rows of data there are, the more units of a healthy layer are off for all of them: of
    less than 16 it takes 70 % of the units, and of a single row all.

    The share of zeros among the cells of dz is no measure: it is above 70 % in a third of healthy
    runs, where each row has units of its own.
    """

    name = "dead ReLU"
    on_sample = True
    advice = "Use leaky_relu, raise the biases, or lower the learning rate."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, rows_of_data: int
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._threshold = MOST_DEAD if rows_of_data >= FEW else MOST_DEAD_OF_FEW
        if rows_of_data == 1:
            self._threshold = 1.0

    def suspects(self, block: Block) -> Array | None:
        """Look at the largest activation of each unit."""
        activations = [record[self.index] for record in block.records]
        if activations[0].size > SMALL:
            highest = np.array([a.max(axis=0) for a in activations])
        else:
            counts = np.array([len(a) for a in activations])
            rows = flattened(activations).reshape(counts.sum(), -1)
            highest = np.maximum.reduceat(rows, counts.cumsum() - counts, axis=0)
        return (highest == 0).mean(axis=1) > MOST_DEAD

    def judge(self, case: Pass) -> Finding | None:
        """Count the units."""
        share = float(np.mean(~case.record[self.index].any(axis=0)))
        if share <= MOST_DEAD or share < self._threshold:
            return None
        return Finding(share, self._threshold, f"share of units off for every row in {self.tensor}")


class Symmetry(Rule):
    """Units of a hidden layer with equal weights, biases and gradients: they never come apart.

    The value is the number of such units. `tensor` is the gradient of the `weights`, along whose
    `axis` units lie, and `biases` are the layer's parameters that have one number a unit.
    """

    name = "symmetry"
    advice = "Draw the weights at random, or edit those of one of the units."

    def __init__(
        self,
        position: int,
        index: int,
        tensor: str,
        layer: int | None,
        weights: str,
        axis: int,
        biases: Sequence[str],
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._weights, self._axis, self._biases = weights, axis, biases

    def suspects(self, block: Block) -> Array | None:
        """Look for units whose first weights are equal."""
        ordered = np.sort(block.first_weights(self._weights, self._axis), axis=1)
        return (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)

    def judge(self, case: Pass) -> Finding | None:
        """Count the largest group of units that are alike."""
        both = case.before[self._weights], case.record[self.index]
        columns = [np.moveaxis(array, self._axis, 0) for array in both]
        columns += [case.before[bias][:, np.newaxis] for bias in self._biases]
        counts = np.unique(np.concatenate(columns, axis=1), axis=0, return_counts=True)[1]
        alike = float(counts.max())
        if alike == 1:
            return None
        return Finding(alike, 1.0, f"units alike in {self._weights} and {self.tensor}")


SMALLEST, LARGEST = 1e-4, 1.0
"""The norm of an update over that of the weights before it."""

NOTHING = 1e-150
"""The norm of weights below which they count as 0: their squares are hardly numbers any more."""


class UpdateTooSmall(Rule):
    """The updates of all weights together are below a ten-thousandth of the weights.

    A single layer's would say more of its gradient than of the learning rate; and where no weights
    have a gradient, that is the fault. Momentum has to gather first: iterations before `settled`
    are not judged. `places` has, for each of the weights, the position that updates them and the
    index of the result, and `gradients` the indices of their gradients.
    """

    name = "update too small"
    until_learned = True
    on_sample = True
    advice = "Raise the learning rate."

    def __init__(
        self, places: Mapping[str, tuple[int, int]], gradients: Sequence[int], settled: int
    ) -> None:
        last = max(places, key=lambda name: places[name])
        super().__init__(*places[last], last, None)
        self._indices = {name: index for name, (_, index) in places.items()}
        self._gradients = gradients
        self._settled = settled

    def suspects(self, block: Block) -> Array | None:
        """Compare sums of squares."""
        moved, present = np.zeros(block.count), np.zeros(block.count)
        for name, index in self._indices.items():
            moves, before = block.moves(name)
            moved += moves / block.margin(index)
            present += before
        return (moved < SMALLEST**2 * present) & _settled(block, self._settled)

    def judge(self, case: Pass) -> Finding | None:
        """Compare norms."""
        if all(mean_absolute(case.record[index]) < NO_GRADIENT for index in self._gradients):
            return None
        pairs = [_norms(case, name, index) for name, index in self._indices.items()]
        move, before = (norm(np.array(norms)) for norms in zip(*pairs, strict=True))
        if before < NOTHING or move / before >= SMALLEST:
            return None
        return Finding(move / before, SMALLEST, "‖update of all weights‖/‖all weights‖")


class UpdateTooLarge(Rule):
    """The update of a layer's weights is larger than the weights.

    Weights that are all 0 have no scale to compare with, and those that started so have to grow
    first: iterations before `settled` are not judged.
    """

    name = "update too large"
    advice = "Lower the learning rate, or clip the gradients."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, settled: int
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._settled = settled

    def suspects(self, block: Block) -> Array | None:
        """Compare sums of squares."""
        moves, before = block.moves(self.tensor)
        large = moves > LARGEST**2 / block.margin(self.index) * before
        return large & _settled(block, self._settled)

    def judge(self, case: Pass) -> Finding | None:
        """Compare norms."""
        move, before = _norms(case, self.tensor, self.index)
        if before < NOTHING or move / before <= LARGEST:
            return None
        return Finding(move / before, LARGEST, f"‖update of {self.tensor}‖/‖{self.tensor}‖")


def _norms(case: Pass, weights: str, index: int) -> tuple[float, float]:
    """Return the norm of what all instructions of an update do to weights, and of the weights."""
    before = case.before[weights].astype(np.float64)
    return norm(case.record[index] - before), norm(before)


def _settled(block: Block, iteration: int) -> Array | bool:
    """Tell which passes are those of an iteration or later ones."""
    return block.first >= iteration or np.arange(block.count) >= iteration - block.first


MOST_GROWTH = 2.0
STALLED_DROP = 0.05
STALLED_EPOCHS = 100


class _EpochLoss(Rule):
    """The loss of an epoch."""

    gated = False

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, measured_by: Yardstick
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._iterations = measured_by.epoch
        self._low = measured_by.low

    def _epochs(self, losses: Array, first: int, last: int) -> Array:
        """Return the losses of the epochs from the `first` up to, and without, the `last`."""
        part = losses[first * self._iterations : last * self._iterations]
        return part if self._iterations == 1 else part.reshape(-1, self._iterations).mean(axis=1)

    def _ended(self, block: Block) -> tuple[int, int]:
        """Return the epochs, first and last, whose ends are in a block."""
        return block.first // self._iterations, (block.first + block.count) // self._iterations

    def _at_ends(self, block: Block, holds: Array) -> Array:
        """Return for every pass what holds for the epoch that ends with it."""
        result = np.zeros(block.count, dtype=bool)
        result[-(block.first + 1) % self._iterations :: self._iterations] = holds
        return result

    @property
    def _of_epoch(self) -> str:
        return self.tensor if self._iterations == 1 else f"{self.tensor} of the epoch"


class Diverging(_EpochLoss):
    """The loss is more than twice the lowest that it has been.

    It has to be more than twice a low loss, too: a run that has been there has converged.
    """

    name = "diverging"
    advice = (
        "Lower the learning rate; go back to where the loss was lowest and look at the updates."
    )

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, measured_by: Yardstick
    ) -> None:
        super().__init__(position, index, tensor, layer, measured_by)
        # The array of losses known best, how many epochs of it were seen, and their lowest loss.
        self._seen: tuple[Array | None, int, float] = (None, 0, np.inf)

    def suspects(self, block: Block) -> Array | None:
        """Compare with the lowest loss before each; at first the highest with the lowest."""
        first, last = self._ended(block)
        if first == last:
            return None
        losses = self._epochs(block.losses, first, last)
        lowest = self._lowest_before(block.losses, first)
        lowest_after = min(lowest, float(np.fmin.reduce(losses)))
        self._seen = _whole(block.losses), last, lowest_after
        if not np.fmax.reduce(losses) > MOST_GROWTH * max(lowest_after, self._low):
            return None
        lowest_before_each = np.fmin.accumulate(np.concatenate([[lowest], losses[:-1]]))
        return self._at_ends(block, self._is_growth(losses, lowest_before_each))

    def judge(self, case: Pass) -> Finding | None:
        """Compare the last epoch with all before it."""
        losses = self._epochs(case.losses, 0, len(case.losses) // self._iterations)
        lowest = float(np.fmin.reduce(losses[:-1], initial=np.inf))
        if not self._is_growth(losses[-1], lowest):
            return None
        quantity = f"{self._of_epoch} / its minimum"
        return Finding(float(losses[-1]) / lowest, MOST_GROWTH, quantity)

    def _is_growth(self, losses: Array, lowest: Array | float) -> Array:
        grown = losses > MOST_GROWTH * np.maximum(lowest, self._low)
        return grown & (losses < np.inf) & (np.asarray(lowest) > 0)

    def _lowest_before(self, losses: Array, epochs: int) -> float:
        """Return the lowest loss of the first epochs.

        What was found is remembered with the array that the losses are a part of: it only grows.
        """
        whole, seen, lowest = self._seen
        if whole is not _whole(losses) or seen > epochs:
            seen, lowest = 0, np.inf
        return float(np.fmin.reduce(self._epochs(losses, seen, epochs), initial=lowest))


def _whole(losses: Array) -> Array:
    """Return the array that losses are the beginning of."""
    return losses.base if isinstance(losses.base, np.ndarray) else losses


class Stalled(_EpochLoss):
    """The loss is within 5 % of what it was a hundred epochs before."""

    name = "stalled"
    level = "info"
    advice = "It may be at its best; if not, try another learning rate or initialisation."

    def suspects(self, block: Block) -> Array | None:
        """Compare each epoch with the one so long before it."""
        first, last = self._ended(block)
        first = max(first, STALLED_EPOCHS)
        if first >= last:
            return None
        now = self._epochs(block.losses, first, last)
        before = self._epochs(block.losses, first - STALLED_EPOCHS, last - STALLED_EPOCHS)
        late = block.first // self._iterations
        holds = np.zeros(last - late, dtype=bool)
        holds[first - late :] = self._is_stalled(now, before)
        return self._at_ends(block, holds)

    def judge(self, case: Pass) -> Finding | None:
        """Return the change of what is suspected: that was exact."""
        losses = self._epochs(case.losses, 0, len(case.losses) // self._iterations)
        now, before = float(losses[-1]), float(losses[-1 - STALLED_EPOCHS])
        quantity = f"relative change of {self._of_epoch} in {STALLED_EPOCHS} epochs"
        return Finding(abs(now - before) / before, STALLED_DROP, quantity)

    def _is_stalled(self, now: Array, before: Array) -> Array:
        return (now >= self._low) & (np.abs(now - before) < STALLED_DROP * before)


GROWN = 10
"""The updates after which weights that started at 0 have a scale of their own."""


def rules_of(scenario: Scenario, written: Written, measured_by: Yardstick) -> list[Rule]:
    """Return the rules in the order of the instructions that decide them."""
    rules = [*_of_values(written)]
    if scenario.data:
        rules += _of_data(scenario.data, written)
    if scenario.network and scenario.data:
        rules += _of_network(scenario.network, written, len(scenario.data.x))
    if scenario.expression and scenario.optimizer:
        rules += _of_expression(written)
    if scenario.optimizer:
        rules += _of_losses(written, measured_by)
        rules += _of_updates(scenario.optimizer, written)
    return sorted(rules, key=lambda rule: rule.position)


def _of_values(written: Written) -> Iterator[Rule]:
    for position, line in enumerate(written.program.instructions):
        index = written.counts[position]
        if line.phase is not Phase.BATCH:
            name = line.writes[0]
            yield NonFinite(position, index, name, written.program.tensors[name].layer)


def _of_data(data: Data, written: Written) -> Iterator[Rule]:
    x, y = written.program.instructions[0].writes
    for index, (name, array) in enumerate(((x, data.x), (y, data.y))):
        finite = np.isfinite(array)
        if not finite.all():
            yield NonFiniteData(0, index, name, None)
        if name == x and np.abs(array).max(initial=0.0, where=finite) > LARGEST_INPUT:
            yield UnnormalisedInput(0, index, name, None)


def _of_network(network: Network, written: Written, rows: int) -> Iterator[Rule]:
    gradients = written.program.gradients
    for line in written.program.instructions:
        if line.phase is not Phase.FORWARD:
            continue
        if line.operation in ("sigmoid", "tanh") and line.writes[0] in gradients:
            z = line.names["z"]
            yield Saturation(*written.at(z, Phase.FORWARD), z, line.layer)
        if line.operation == "relu":
            a = line.writes[0]
            yield DeadUnits(*written.at(a, Phase.FORWARD), a, line.layer, rows)
    yield from _of_layers_gradients(network, written)


def _of_layers_gradients(network: Network, written: Written) -> Iterator[Rule]:
    program, gradients = written.program, written.program.gradients
    parameters = [program.tensors[name] for name in program.parameters]
    weights = [tensor for tensor in parameters if _is_weights(tensor)]
    trained = [tensor for tensor in weights if not tensor.frozen]
    axis = 0 if network.layout == "out_in" else 1
    for tensor in trained:
        name, layer = gradients[tensor.name], tensor.layer
        place = written.at(name, Phase.BACKWARD)
        yield NoGradient(*place, name, layer)
        yield Exploding(*place, name, layer)
        last = weights[-1]
        if tensor is last:
            continue
        if tensor is trained[0]:
            of_last = gradients[last.name]
            yield Vanishing(*place, name, layer, written.at(of_last, Phase.BACKWARD)[1], of_last)
        units = tensor.shape[axis]
        if units > 1:
            biases = [b.name for b in parameters if b.layer == layer and b.shape == (units,)]
            yield Symmetry(*place, name, layer, tensor.name, axis, biases)


def _of_expression(written: Written) -> Iterator[Rule]:
    gradients = written.program.gradients
    for parameter in written.program.trained:
        name = gradients[parameter]
        place = written.at(name, Phase.BACKWARD)
        yield NoGradient(*place, name, None)
        yield Exploding(*place, name, None)


def _of_losses(written: Written, measured_by: Yardstick) -> Iterator[Rule]:
    loss = written.program.loss
    place = written.at(loss, Phase.LOSS)
    yield Diverging(*place, loss, None, measured_by)
    yield Stalled(*place, loss, None, measured_by)


def _of_updates(optimizer: Optimizer, written: Written) -> Iterator[Rule]:
    program = written.program
    momentum = float(optimizer.options.get("momentum", 0.0))
    gathered = round(1 / (1 - momentum)) if 0 < momentum < 1 else 0
    trained = [program.tensors[name] for name in program.trained]
    weights = [tensor for tensor in trained if _is_weights(tensor)]
    places = {tensor.name: written.at(tensor.name, Phase.UPDATE) for tensor in weights}
    for tensor in weights:
        grown = GROWN if _starts_at_zero(tensor) else 0
        yield UpdateTooLarge(*places[tensor.name], tensor.name, tensor.layer, grown)
    if weights:
        gradients = program.gradients
        at = [written.at(gradients[tensor.name], Phase.BACKWARD)[1] for tensor in weights]
        yield UpdateTooSmall(places, at, gathered)


def _is_weights(parameter: Tensor) -> bool:
    """Tell weights from biases, and from other parameters with one number a unit: by their axes."""
    return len(parameter.shape) > 1


def _starts_at_zero(parameter: Tensor) -> bool:
    if isinstance(parameter.start, Drawn):
        return parameter.start.by.kind == "zeros"
    return not np.any(parameter.start)
