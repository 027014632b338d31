"""What the app costs on a terminal, against the least that a Textual app can be."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pseudo_terminal import Terminal

BASELINE = [str(Path(__file__).with_name("baseline.py"))]
NNSTEP = ["-m", "nnstep.tui"]
NARROW, WIDE = (80, 24), (120, 36)
# What is open while the key is pressed, and by which keys it is opened.
VIEWS = {"": "", ", the map open": "ssm", ", the layers open": "ssmm", ", a tree open": "ssp"}
READY, BASELINE_READY = "q quit", "ready, numpy"
KEYS = 60
LAUNCHES = 7
IDLE_SECONDS = 3.0
PATIENCE = 20.0

Row = tuple[str, float, float]
Size = tuple[int, int]


def launch(command: Sequence[str], ready: str) -> float:
    """Seconds from the start of the process to the first full paint."""
    start = time.perf_counter()
    with Terminal(*command, anew=True) as terminal:
        terminal.wait_for(lambda: ready in terminal.text)
        return time.perf_counter() - start


def pressed(terminal: Terminal, key: str = "s") -> tuple[float, int]:
    """Press a key; return the seconds to the last byte, and how many bytes came."""
    start = time.perf_counter()
    terminal.press(key)
    count, last = len(terminal.read(PATIENCE)), time.perf_counter()
    while more := terminal.read(0.05):
        count, last = count + len(more), time.perf_counter()
    return last - start, count


def ready(terminal: Terminal, sign: str, before: str = "") -> Terminal:
    """Wait until an app stands still, and press what is pressed before anything is measured."""
    terminal.wait_for(lambda: sign in terminal.text)
    terminal.quiet()
    for key in before:
        pressed(terminal, key)
    return terminal


def steps(
    command: Sequence[str], other: Sequence[str], signs: tuple[str, str], size: Size, before: str
) -> tuple[list[float], list[float], list[int]]:
    """Press `s` in two apps in turn: the seconds of each, and the bytes of the first."""
    columns, lines = size
    with (
        Terminal(*command, columns=columns, lines=lines, anew=True) as ours,
        Terminal(*other, columns=columns, lines=lines, anew=True) as theirs,
    ):
        ready(ours, signs[0], before)
        ready(theirs, signs[1])
        found = [(pressed(ours), pressed(theirs)[0]) for _ in range(KEYS)]
    return [one[0] for one, _ in found], [other for _, other in found], [one[1] for one, _ in found]


def of_a_key(size: Size, opened: str, before: str) -> Iterator[Row]:
    """A step, with what is opened by some keys: beside one line-drawn widget, and in bytes."""
    command, other = [*NNSTEP, "mazur"], [*BASELINE, "lines"]
    seconds, base, counts = steps(command, other, (READY, BASELINE_READY), size, before)
    name = f"{size[0]}x{size[1]}{opened}"
    median = statistics.median(seconds) / statistics.median(base)
    yield f"key s to the last byte, {name}, median / one widget", median, 2
    slow = percentile(seconds, 0.97) / percentile(base, 0.97)
    yield f"key s to the last byte, {name}, p97 / one widget", slow, 3
    if not opened:
        most = 2048 if size == NARROW else 4096
        yield f"bytes of a step, {name}, median", statistics.median(counts), most
        if size == WIDE:
            yield f"bytes of a step, {name}, p97", percentile(counts, 0.97), 6144


def idle(command: Sequence[str], ready: str) -> tuple[float, float]:
    """Resident memory in MiB, and processor seconds while nothing is pressed."""
    with Terminal(*command, anew=True) as terminal:
        terminal.wait_for(lambda: ready in terminal.text)
        terminal.quiet()
        pid = terminal.process.pid
        before = processor_seconds(pid)
        time.sleep(IDLE_SECONDS)
        used = processor_seconds(pid) - before
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(resident.split()[1]) / 1024, used


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def help_seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return time.perf_counter() - start


def network(folder: Path, inputs: int, units: int) -> str:
    """Write a scenario whose first weights have shape `(units, inputs)`; return its path."""
    path = folder / f"{inputs}x{units}.toml"
    row = ", ".join(["0.5"] * inputs)
    path.write_text(
        f"""format = 1
[network]
inputs = {inputs}
[[network.layers]]
units = {units}
activation = "sigmoid"
[loss]
kind = "mse"
[optimizer]
kind = "sgd"
lr = 0.1
[data]
x = [[{row}]]
y = [[{", ".join(["1.0"] * units)}]]
"""
    )
    return str(path)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, round(share * len(values)))]


def rows() -> Iterator[Row]:
    """What is measured, the ratio or size, and the most that it may be."""
    static, lines = [*BASELINE, "static"], [*BASELINE, "lines"]
    mazur = [*NNSTEP, "mazur"]
    launches = [launch(mazur, READY) / launch(static, BASELINE_READY) for _ in range(LAUNCHES)]
    yield "launch to first full paint / one Static", statistics.median(launches), 1.25
    for size in (NARROW, WIDE):
        for opened, before in VIEWS.items():
            yield from of_a_key(size, opened, before)
    with tempfile.TemporaryDirectory() as folder:
        large, small, _ = steps(
            [*NNSTEP, network(Path(folder), 784, 128)],
            [*NNSTEP, network(Path(folder), 2, 2)],
            (READY, READY),
            WIDE,
            "",
        )
    ratio = statistics.median(large) / statistics.median(small)
    yield "a step's redraw, 784x128 weights / 2x2", ratio, 1.5
    click = ["-c", "import click"]
    ratios = [help_seconds([*NNSTEP, "--help"]) / help_seconds(click) for _ in range(LAUNCHES)]
    yield "nnstep --help / Python importing click", statistics.median(ratios), 2
    (memory, used), (base_memory, base_used) = idle(mazur, READY), idle(lines, BASELINE_READY)
    yield "resident memory, idle / one widget", memory / base_memory, 1.3
    yield "processor seconds while idle, minus one widget's", used - base_used, 0.02
