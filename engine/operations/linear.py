"""The weighted sum of a dense layer, `z = x @ W.T + b`, in both layouts of the weights.

`linear` chooses among four cases: with `W` of shape `(out, in)` or `(in, out)`, with `b` or not.
"""

from nnstep.engine.arrays import Kernel

from .operation import Operation


def _linear(value: Kernel, **gradients: Kernel) -> Operation:
    return Operation(name="linear", value=value, gradients=gradients, output="z")


OUT_IN = _linear(
    value=lambda x, W, b: x @ W.T + b,
    W=lambda dz, x: dz.T @ x,
    b=lambda dz: dz.sum(axis=0),
    x=lambda dz, W: dz @ W,
)
IN_OUT = _linear(
    value=lambda x, W, b: x @ W + b,
    W=lambda dz, x: x.T @ dz,
    b=lambda dz: dz.sum(axis=0),
    x=lambda dz, W: dz @ W.T,
)
OUT_IN_WITHOUT_BIAS = _linear(
    value=lambda x, W: x @ W.T,
    W=lambda dz, x: dz.T @ x,
    x=lambda dz, W: dz @ W,
)
IN_OUT_WITHOUT_BIAS = _linear(
    value=lambda x, W: x @ W,
    W=lambda dz, x: x.T @ dz,
    x=lambda dz, W: dz @ W.T,
)

_CASES = {
    ("out_in", True): OUT_IN,
    ("out_in", False): OUT_IN_WITHOUT_BIAS,
    ("in_out", True): IN_OUT,
    ("in_out", False): IN_OUT_WITHOUT_BIAS,
}


def linear(layout: str, has_bias: bool) -> Operation:
    """Return the weighted sum for a layout of the weights, `out_in` or `in_out`."""
    return _CASES[layout, has_bias]
