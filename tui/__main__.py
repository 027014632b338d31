"""`python -m nnstep.tui` is `nnstep`."""

from nnstep.tui.cli import main

if __name__ == "__main__":
    main()
