"""The machine executes a program, one instruction at a time."""
