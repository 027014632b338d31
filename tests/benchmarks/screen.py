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
READY, BASELINE_READY = "q quit", "ready, numpy"
KEYS = 60
LAUNCHES = 7
IDLE_SECONDS = 3.0
PATIENCE = 20.0

Row = tuple[str, float, float]


def launch(command: Sequence[str], ready: str) -> float:
    """Seconds from the start of the process to the first full paint."""
    start = time.perf_counter()
    with Terminal(*command, anew=True) as terminal:
        terminal.wait_for(lambda: ready in terminal.text)
        return time.perf_counter() - start


def keys(
    command: Sequence[str], ready: str, size: tuple[int, int], key: str = "s"
) -> tuple[list[float], list[int]]:
    """For each press of a key: seconds to the last byte, and how many bytes came."""
    seconds, counts = [], []
    with Terminal(*command, columns=size[0], lines=size[1], anew=True) as terminal:
        terminal.wait_for(lambda: ready in terminal.text)
        terminal.quiet()
        for _ in range(KEYS):
            start = time.perf_counter()
            terminal.press(key)
            count, last = len(terminal.read(PATIENCE)), time.perf_counter()
            while more := terminal.read(0.05):
                count, last = count + len(more), time.perf_counter()
            seconds.append(last - start)
            counts.append(count)
    return seconds, counts


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
    ours, theirs = [], []
    for _ in range(LAUNCHES):
        ours.append(launch(mazur, READY))
        theirs.append(launch(static, BASELINE_READY))
    ratio = statistics.median(ours) / statistics.median(theirs)
    yield "launch to first full paint / one Static", ratio, 1.3
    for size in (NARROW, WIDE):
        base, _ = keys(lines, BASELINE_READY, size)
        seconds, counts = keys(mazur, READY, size)
        name = f"{size[0]}x{size[1]}"
        median = statistics.median(seconds) / statistics.median(base)
        yield f"key s to the last byte, {name}, median / one widget", median, 2
        slow = percentile(seconds, 0.97) / percentile(base, 0.97)
        yield f"key s to the last byte, {name}, p97 / one widget", slow, 3
        most = 2048 if size == NARROW else 4096
        yield f"bytes of a step, {name}, median", statistics.median(counts), most
    with tempfile.TemporaryDirectory() as folder:
        small, _ = keys([*NNSTEP, network(Path(folder), 2, 2)], READY, WIDE)
        large, _ = keys([*NNSTEP, network(Path(folder), 784, 128)], READY, WIDE)
    ratio = statistics.median(large) / statistics.median(small)
    yield "a step's redraw, 784x128 weights / 2x2", ratio, 1.5
    click = ["-c", "import click"]
    ratios = [help_seconds([*NNSTEP, "--help"]) / help_seconds(click) for _ in range(LAUNCHES)]
    yield "nnstep --help / Python importing click", statistics.median(ratios), 2
    (memory, used), (base_memory, base_used) = idle(mazur, READY), idle(lines, BASELINE_READY)
    yield "resident memory, idle / one widget", memory / base_memory, 1.3
    yield "processor seconds while idle, minus one widget's", used - base_used, 0.02
