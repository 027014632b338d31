"""The layers: a line a layer, the last one first, with the norm of its gradient as a bar."""

import math
from collections.abc import Iterator, Sequence

from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.survey.layers import Measures, Survey
from nnstep.engine.survey.meaning import meaning, passed, product, ratio, trend
from nnstep.tui.numbers import format_non_finite, format_value, to_significant
from nnstep.tui.theme import Palette

from .line_view import Line, Piece, fit
from .scene import Topic

BAR, TICK = "━", "┃"
NONE = "–"
# The columns of the layer, of the norms, of the factor, of the last update, of the units off.
NAME, NORM, FACTOR, MOVED, OFF = 7, 9, 7, 9, 6
# The least that a bar is drawn in, and a tenfold of the axis, with its label.
LEAST_BAR, LEAST_DECADE = 12, 7


def brief(value: float | None) -> str:
    """Write a number in few columns: four decimals from 0.01 on, else two significant digits."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return format_non_finite(value)
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.4f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


class Axis:
    """A logarithmic axis over all gradients, now and in the first iteration, on so many columns."""

    def __init__(self, survey: Survey, width: int) -> None:
        values = [value for line in survey.lines for value in (line.gradient, line.first)]
        logs = [math.log10(v) for v in values if v is not None and 0 < v < math.inf]
        self.width = width
        self.low = math.floor(min(logs, default=-1.0))
        self.high = max(self.low + 1, math.ceil(max(logs, default=0.0)))

    def column(self, value: float | None) -> int | None:
        """Return the column of a value, from 0; None for one that is 0 or not known."""
        if value is None or math.isnan(value) or value <= 0:
            return None
        if math.isinf(value):
            return self.width - 1
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))

    def labels(self) -> str:
        """Return powers of ten over their columns, as many as there is room for."""
        per_decade = (self.width - 1) / (self.high - self.low)
        every = max(1, math.ceil(LEAST_DECADE / max(per_decade, 0.01)))
        text = ""
        for power in range(self.low, self.high + 1):
            label = {0: "1", 1: "10", 2: "100"}.get(power, f"1e{power}")
            at = min(round((power - self.low) * per_decade), self.width - len(label))
            if power % every == 0 and len(text) <= at:
                text = text.ljust(at) + label
        return text.ljust(self.width)[: self.width]


class LayersPainter:
    """Paints the lines of a survey: what is left out when there is little room, least first."""

    def __init__(self, survey: Survey, chosen: int, width: int, palette: Palette) -> None:
        self._survey, self._chosen = survey, chosen
        self._width, self._palette = width, palette
        self._is_network = bool(survey.lines) and survey.lines[0].layer is not None
        room = width - NAME - NORM - LEAST_BAR - 3
        self._shows = {"factor": self._is_network and room >= FACTOR}
        room -= FACTOR * self._shows["factor"]
        for name, columns in (("weights", NORM), ("off", OFF), ("moved", MOVED)):
            self._shows[name] = room >= columns and (name != "off" or self._is_network)
            room -= columns * self._shows[name]
        self._axis = Axis(survey, self._bar_width)

    @property
    def _bar_width(self) -> int:
        taken = NAME + NORM + 3
        taken += NORM * self._shows["weights"] + FACTOR * self._shows["factor"]
        taken += MOVED * self._shows["moved"] + OFF * self._shows["off"]
        return max(1, self._width - taken - 2)

    def head(self) -> Line:
        """Paint the headings and the axis."""
        name = "layer" if self._is_network else "name"
        cells = [f" {name:<{NAME - 1}}"]
        if self._shows["weights"]:
            cells.append(f"{'|W|' if self._is_network else 'size':>{NORM}}")
        cells += [
            f"{'|dW|' if self._is_network else 'gradient':>{NORM}}",
            "   ",
            self._axis.labels(),
        ]
        for key, columns, label in (
            ("factor", FACTOR, "× dz"),
            ("moved", MOVED, "step/W" if self._is_network else "step"),
            ("off", OFF, "off"),
        ):
            if self._shows[key]:
                cells.append(f"{label:>{columns}}")
        palette = self._palette
        return fit([("".join(cells), palette.muted)], self._width, palette.text)

    def rows(self) -> list[Line]:
        """Paint a line a layer."""
        lines = enumerate(self._survey.lines)
        return [self._row(line, is_chosen=at == self._chosen) for at, line in lines]

    def _row(self, line: Measures, *, is_chosen: bool) -> Line:
        palette = self._palette
        name = line.parameter if line.layer is None else f"{line.layer:>3} "
        known = palette.muted if line.of_last_pass else palette.text
        pieces: list[Piece] = [
            (f"[{name:<4}]".ljust(NAME), palette.selected)
            if is_chosen
            else (f" {name:<4}".ljust(NAME), palette.strong)
        ]
        if self._shows["weights"]:
            pieces.append((f"{brief(line.weights):>{NORM}}", palette.text))
        pieces += [(f"{brief(line.gradient):>{NORM}}", known), ("   ", palette.text)]
        pieces += self._bar(line)
        if self._shows["factor"]:
            factor = NONE if line.factor is None else _factor(line.factor)
            pieces.append((f"{factor:>{FACTOR}}", palette.strong))
        if self._shows["moved"]:
            moved = NONE if line.moved is None else _factor(line.moved, 0.01)
            pieces.append((f"{moved:>{MOVED}}", palette.text))
        if self._shows["off"]:
            off = NONE if line.off is None else f"{line.off:.0%}"
            pieces.append((f"{off:>{OFF}}", palette.text))
        return fit(pieces, self._width, palette.text)

    def _bar(self, line: Measures) -> Iterator[Piece]:
        palette, axis = self._palette, self._axis
        end, tick = axis.column(line.gradient), axis.column(line.first)
        style = palette.muted if line.of_last_pass else palette.text
        length = 0 if end is None else end + 1
        bar = (BAR * length).ljust(axis.width)
        if tick is None:
            yield bar, style
            return
        yield bar[:tick], style
        yield TICK, palette.strong
        yield bar[tick + 1 :], style


def _factor(value: float, least: float = 0.005) -> str:
    """Write a factor with two decimals, or as a power of ten where these say little."""
    if not math.isfinite(value):
        return format_non_finite(value)
    return f"{value:.2f}" if least <= value < 1e4 else brief_power(value)


def brief_power(value: float) -> str:
    """Write a number with two significant digits and its power of ten."""
    if not math.isfinite(value):
        return format_non_finite(value)
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}" if value else "0"


def legend(*, is_network: bool, width: int) -> tuple[str, ...]:
    """Return what the signs and the headings mean, in lines that fit."""
    if not is_network:
        return (" ━ now   ┃ in the first iteration   step: update/size",)
    marks = "━ |dW| now   ┃ in the first iteration"
    factor = "× dz: |dz| over the next layer's"
    moved = "step/W: update/|W|"
    off = "off: units of under 1/5 of the slope"
    one = f" {marks}  {factor}  {moved}  off: units under 1/5 slope"
    if len(one) <= width:
        return (one,)
    return f" {marks}   {factor}", f" {moved}             {off}"


def topic(survey: Survey, chosen: int, snapshot: Snapshot) -> Topic:
    """Return what there is to say of a layer: its gradient beside the last one's, and why."""
    line, top = survey.lines[chosen], survey.lines[0]
    shape = snapshot.program.tensors[line.gradient_name].shape
    numbers = _numbers(survey, line, top)
    through = passed(survey, line.layer) if line.layer is not None else ()
    factors = [each.factor for each in through]
    total = product(factors)
    short = "" if total is None else _total(through, total)
    long = "" if total is None else _product(line, top, factors, total)
    said = meaning(survey, line)
    faults = [f for f in snapshot.faults if f.layer is not None and f.layer == line.layer]
    fault = f"! {faults[0]}" if faults else ""
    wide = (
        ("rule", long),
        ("numbers", numbers),
        ("meaning", said),
        ("trend", trend(survey)),
        ("faults", fault),
    )
    return Topic(
        head=line.title,
        right=f"{line.gradient_name} {shape}",
        narrow=tuple(((text, "text"),) for text in (numbers, short, said) if text),
        wide=tuple((label, ((text, "text"),)) for label, text in wide if text),
    )


def _numbers(survey: Survey, line: Measures, top: Measures) -> str:
    if line.gradient is None:
        return f"{line.gradient_name} has not been computed yet."
    text = f"|{line.gradient_name}| = {format_value(line.gradient)}"
    if line is top or top.gradient is None or line.layer is None:
        return text
    text += f"      |{top.gradient_name}| = {format_value(top.gradient)}"
    beside = ratio(survey, line)
    return text if beside is None else f"{text}      ratio {_factor(beside)}"


def _total(through: Sequence[Measures], total: float) -> str:
    first, last = through[0].layer, through[-1].layer
    layers = f"layer {first}" if first == last else f"the layers, {first} down to {last}"
    return f"= product of × dz over {layers}: {to_significant(total, 3)}"


def _product(line: Measures, top: Measures, factors: Sequence[float | None], total: float) -> str:
    texts = [to_significant(factor, 3) for factor in factors if factor is not None]
    result = to_significant(total, 3)
    return f"|dz{line.layer}| / |dz{top.layer}| = {' × '.join(texts)} = {result}"
