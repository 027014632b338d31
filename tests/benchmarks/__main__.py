"""Prints how fast nnstep is, as ratios measured side by side in one run.

cd tests && python -m benchmarks
"""

import compileall
import os
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

from benchmarks import engine, growth, history, screen

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print a line for each thing measured: the figure, and the most that the design allows.

    An installed package has its bytecode; a checkout gets it here.
    """
    for package in ("engine", "tui", "scenarios"):
        compileall.compile_dir(ROOT / package, quiet=1)
    for measure in (engine.rows, history.rows, growth.rows, screen.rows):
        for name, figure, most in measure():
            print(f"{figure:9.2f}  at most {most:<6g} {name}", flush=True)


if __name__ == "__main__":
    main()
