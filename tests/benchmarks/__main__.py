"""Prints how fast nnstep is, as ratios measured side by side in one run.

cd tests && python -m benchmarks
"""

from benchmarks import engine, screen


def main() -> None:
    """Print a line for each thing measured: the figure, and the most that the design allows."""
    for measure in (engine.rows, screen.rows):
        for name, figure, most in measure():
            print(f"{figure:9.2f}  at most {most:<6g} {name}", flush=True)


if __name__ == "__main__":
    main()
