"""Let PyTorch take steps with Adam, AdamW and AMSGrad; needs torch.

    python tests/oracles/make_optimizers.py

writes `optimizers/cases.json`. The loss is sum((w - c) ** 4); `w`, `m`, `v` and, with amsgrad,
`vmax` stand after each step, `m_hat` and `v_hat` are what they are divided into on the way.
"""

import json
from pathlib import Path
from typing import Any

import torch

STEPS = 8
START = [1.0, -0.5, 2.0]
TARGET = [0.75, 0.25, -1.0]
CASES: list[tuple[str, dict[str, Any]]] = [
    ("adam", {"lr": 0.05}),
    ("adam", {"lr": 0.3, "betas": [0.5, 0.75], "eps": 1e-3, "weight_decay": 0.1}),
    ("adam", {"lr": 0.3, "betas": [0.8, 0.9], "amsgrad": True}),
    ("adamw", {"lr": 0.1, "weight_decay": 0.2}),
    ("adamw", {"lr": 0.3, "betas": [0.8, 0.9], "amsgrad": True, "weight_decay": 0.1}),
]
KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def steps_of(kind: str, options: dict[str, Any], dtype: torch.dtype) -> list[dict[str, Any]]:
    w = torch.tensor(START, dtype=dtype, requires_grad=True)
    c = torch.tensor(TARGET, dtype=dtype)
    optimizer = KINDS[kind]([w], **options)
    beta1, beta2 = options.get("betas", (0.9, 0.999))
    steps: list[dict[str, Any]] = []
    for t in range(1, STEPS + 1):
        optimizer.zero_grad()
        ((w - c) ** 4).sum().backward()
        optimizer.step()
        state = optimizer.state[w]
        second = state["exp_avg_sq"]
        step = {"w": w, "m": state["exp_avg"], "v": second}
        if "max_exp_avg_sq" in state:
            step["vmax"] = second = state["max_exp_avg_sq"]
        step["m_hat"] = state["exp_avg"] / (1 - beta1**t)
        step["v_hat"] = second / (1 - beta2**t)
        steps.append({name: tensor.detach().tolist() for name, tensor in step.items()})
    return steps


def main() -> None:
    cases = [
        {
            "kind": kind,
            "options": options,
            "float64": steps_of(kind, options, torch.float64),
            "float32": steps_of(kind, options, torch.float32),
        }
        for kind, options in CASES
    ]
    content = {
        "schema": "nnstep-oracle/optimizers/1",
        "source": f"PyTorch {torch.__version__}",
        "w": START,
        "c": TARGET,
        "cases": cases,
    }
    path = Path(__file__).parent / "optimizers" / "cases.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
