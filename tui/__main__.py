"""`python -m nnstep.tui` is `nnstep`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="nnstep")
