"""What PyTorch gives at NaN, and in half precision; needs torch.

    python tests/oracles/make_numerics.py

writes `numerics/cases.json`. `nan` has functions of `a` and `b` that meet a NaN: their values and
the derivatives of their sum. `half` has functions of float16 arrays, as a line of a program, and
`op_by_op` calculations with several operations on them, each of which rounds its result.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

NAN = math.nan
A = [NAN, 1.0, NAN, 2.0, -3.0]
B = [1.0, NAN, NAN, 2.0, 4.0]
AT_NAN: list[tuple[str, Callable[..., Any]]] = [
    ("relu(a) + 0 * b", lambda a, b: functional.relu(a) + 0 * b),
    ("elu(a, 2) + 0 * b", lambda a, b: functional.elu(a, 2.0) + 0 * b),
    ("leaky_relu(a) + 0 * b", lambda a, b: functional.leaky_relu(a) + 0 * b),
    ("abs(a) + 0 * b", lambda a, b: a.abs() + 0 * b),
    ("clip(a, -1, 2) + 0 * b", lambda a, b: a.clamp(-1, 2) + 0 * b),
    ("maximum(a, b)", torch.maximum),
    ("minimum(a, b)", torch.minimum),
]
IN_HALF: list[tuple[str, list[float], Callable[..., Any]]] = [
    ("softplus(x)", [12.0, -12.0, 19.5, 25.0, 0.0], functional.softplus),
    ("gelu_tanh(x)", [300.0, -300.0, 1.0], lambda x: functional.gelu(x, approximate="tanh")),
    ("x.sum(axis=0)", [1.0] * 4096, lambda x: x.sum(0)),
    ("x.mean(axis=0)", [100.0] * 4096, lambda x: x.mean(0)),
    ("x @ x", [0.5] * 8192, lambda x: x @ x),
    ("logsumexp(x, axis=0)", [0.0] * 4096, lambda x: x.logsumexp(0)),
]
OP_BY_OP: list[tuple[str, Callable[..., Any]]] = [
    ("a * b - a / b", lambda a, b: a * b - a / b),
    ("(a + b) * (a - b) / b", lambda a, b: (a + b) * (a - b) / b),
    ("exp(a) * (1 - exp(-b))", lambda a, b: a.exp() * (1 - (-b).exp())),
    ("sqrt(a) * a + abs(b) / 3", lambda a, b: a.sqrt() * a + b.abs() / 3),
]


def plain(tensor: Any) -> Any:
    """Return nested lists in which NaN and infinity are strings."""
    value = tensor.tolist() if isinstance(tensor, torch.Tensor) else tensor
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if math.isfinite(value) else str(value)


def main() -> None:
    at_nan: list[dict[str, Any]] = []
    for code, function in AT_NAN:
        a = torch.tensor(A, dtype=torch.float64, requires_grad=True)
        b = torch.tensor(B, dtype=torch.float64, requires_grad=True)
        value = function(a, b)
        value.sum().backward()
        case = {"value": value, "da": a.grad, "db": b.grad}
        at_nan.append({"code": code, **{name: plain(each) for name, each in case.items()}})
    in_half: list[dict[str, Any]] = []
    for code, numbers, function in IN_HALF:
        x = torch.tensor(numbers, dtype=torch.float16, requires_grad=True)
        value = function(x)
        value.sum().backward()
        case = {"x": numbers, "value": value, "dx": x.grad}
        if len(numbers) > 100:
            case["x"], case["times"], case["dx"] = numbers[:1], len(numbers), x.grad[:1]
        in_half.append(
            {"code": code, **{n: plain(c) if n != "times" else c for n, c in case.items()}}
        )
    a = torch.linspace(0.01, 4, 24, dtype=torch.float64).half()
    b = torch.linspace(3, 0.2, 24, dtype=torch.float64).half()
    by_operation = [{"code": code, "value": plain(made(a, b))} for code, made in OP_BY_OP]
    content = {
        "schema": "nnstep-oracle/numerics/1",
        "source": f"PyTorch {torch.__version__}",
        "a": plain(A),
        "b": plain(B),
        "nan": at_nan,
        "half": in_half,
        "op_by_op": {"a": plain(a), "b": plain(b), "cases": by_operation},
    }
    path = Path(__file__).parent / "numerics" / "cases.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
