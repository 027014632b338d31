"""The engine: compiles a scenario into a program of tensor instructions and steps it."""
