"""A sound network and a sound program as files, for tests to put a mistake into."""

from collections.abc import Callable

NETWORK = """\
format = 1
[network]
inputs = 2
[[network.layers]]
units = 2
activation = "sigmoid"
weights = [[0.15, 0.20], [0.25, 0.30]]
bias = [0.35, 0.35]
[loss]
kind = "mse"
[optimizer]
kind = "sgd"
lr = 0.5
[data]
x = [[0.05, 0.10], [1, 2]]
y = [[0.01, 0.99], [0, 1]]
[run]
iterations = 10
"""
PROGRAM = '''\
format = 1
[program]
code = """
d = a + b
e = d * \\
   c
"""
loss = "e"
parameters = { a = 2.0, b = 1.0, c = -3.0 }
'''
WEIGHTS = "weights = [[0.15, 0.20], [0.25, 0.30]]"
BIAS = "bias = [0.35, 0.35]"
ROWS = "x = [[0.05, 0.10], [1, 2]]\ny = [[0.01, 0.99], [0, 1]]\n"

Mistakes = Callable[[str | bytes], list[str]]
"""What the fixture `mistakes` is."""


def edited(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)
