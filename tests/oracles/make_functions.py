"""Compute with PyTorch what functions of programs give, and their derivatives; needs torch.

    python tests/oracles/make_functions.py

writes `functions/cases.json`. Each case is a line of a program and the same in PyTorch; `dx` and
`dw` are the derivatives of sum(value * upstream).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

CASES: list[tuple[str, Callable[..., Any]]] = [
    (
        "where((x > 0) & (x < 1), x * w, w)",
        lambda x, w, y: torch.where((x > 0) & (x < 1), x * w, w),
    ),
    ("np.where(x > w, x, 0)", lambda x, w, y: torch.where(x > w, x, 0.0)),
    ("where(x == 1, x ** 2, 3 * w)", lambda x, w, y: torch.where(x == 1, x**2, 3 * w)),
    ("clip(x, -0.5, 1)", lambda x, w, y: torch.clamp(x, -0.5, 1) + 0 * w),
    ("log1p(x * x) + w", lambda x, w, y: torch.log1p(x * x) + w),
    ("expm1(x * w)", lambda x, w, y: torch.expm1(x * w)),
    ("var(x * w)", lambda x, w, y: torch.var(x * w, unbiased=False)),
    ("x.var(axis=0, keepdims=True) + w", lambda x, w, y: x.var(0, False, keepdim=True) + w),
    ("var(x, axis=(0, 1)) * w", lambda x, w, y: x.var((0, 1), False) * w),
    ("reshape(x, (2, 6)) @ w.reshape(6, 2)", lambda x, w, y: x.reshape(2, 6) @ w.reshape(6, 2)),
    ("x.reshape(-1) * w.reshape(12)", lambda x, w, y: x.reshape(-1) * w.reshape(12)),
    ("concatenate((x, w, x * w), axis=1)", lambda x, w, y: torch.cat((x, w, x * w), 1)),
    ("np.concatenate((x, w))", lambda x, w, y: torch.cat((x, w))),
    ("take(x, y, axis=0) * w[0, 0]", lambda x, w, y: x[y] * w[0, 0]),
    ("take(x * w, y, axis=1)", lambda x, w, y: (x * w)[:, y]),
    ("logsumexp(x * w)", lambda x, w, y: torch.logsumexp(x * w, (0, 1))),
    (
        "logsumexp(100 * x, axis=1) + w[0, 0:3]",
        lambda x, w, y: torch.logsumexp(100 * x, 1) + w[0, 0:3],
    ),
    ("log_softmax(x * w)", lambda x, w, y: torch.log_softmax(x * w, -1)),
    ("x * w / x.size + len(w)", lambda x, w, y: x * w / x.numel() + len(w)),
    ("x if w[0, 0] > 0 else w", lambda x, w, y: x if w[0, 0] > 0 else w),
    ("(x if w[0, 0] < 0 else w) * x", lambda x, w, y: (x if w[0, 0] < 0 else w) * x),
    ("x.sum(axis=(0, 1)) * w.max()", lambda x, w, y: x.sum((0, 1)) * w.amax()),
    (
        "mean(np.tanh(x) ** 2 + np.sqrt(w ** 2 + 1))",
        lambda x, w, y: (x.tanh() ** 2 + (w**2 + 1).sqrt()).mean(),
    ),
]


def main() -> None:
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(3, 4, dtype=torch.float64, generator=generator)
    w = torch.randn(3, 4, dtype=torch.float64, generator=generator)
    x[0, 0], x[1, 1], x[2, 2] = 1.0, -0.5, 0.0
    w[0, 0] = 0.75
    y = torch.tensor([2, 0, 2])
    cases: list[dict[str, Any]] = []
    for code, function in CASES:
        one, other = x.clone().requires_grad_(), w.clone().requires_grad_()
        value = function(one, other, y)
        upstream = torch.randn(value.shape, dtype=torch.float64, generator=generator)
        (value * upstream).sum().backward()
        cases.append(
            {
                "code": code,
                "value": value.tolist(),
                "upstream": upstream.tolist(),
                "dx": (one.grad if one.grad is not None else torch.zeros_like(x)).tolist(),
                "dw": (other.grad if other.grad is not None else torch.zeros_like(w)).tolist(),
            }
        )
    content = {
        "schema": "nnstep-oracle/functions/1",
        "source": f"PyTorch {torch.__version__}, float64",
        "x": x.tolist(),
        "w": w.tolist(),
        "y": y.tolist(),
        "cases": cases,
    }
    path = Path(__file__).parent / "functions" / "cases.json"
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
