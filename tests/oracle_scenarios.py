"""Turn an oracle case into a scenario file, and a session into tensors that compare with it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnstep.engine.session.session import Session

ORACLES = Path(__file__).parent / "oracles"

Case = dict[str, Any]
Arrays = dict[str, np.ndarray[Any, Any]]

ACTIVATIONS = {
    "gelu_erf": '{ kind = "gelu", approximate = "none" }',
    "gelu_tanh": '{ kind = "gelu", approximate = "tanh" }',
    "leaky_relu": '{ kind = "leaky_relu", slope = 0.01 }',
    "elu": '{ kind = "elu", alpha = 1.0 }',
}

LOSSES: dict[str, dict[str, str | bool | float]] = {
    "mse_mean": {"kind": "mse", "reduction": "mean"},
    "half_sum": {"kind": "half_squared_error", "reduction": "sum"},
    "half_sum_batch_mean": {"kind": "half_squared_error", "reduction": "batch_mean"},
    "l1_mean": {"kind": "mae", "reduction": "mean"},
    "huber_mean": {"kind": "huber", "reduction": "mean", "delta": 1.0},
    "bce_prob_mean": {"kind": "binary_cross_entropy", "reduction": "mean"},
    "bce_prob_sum_batch_mean": {"kind": "binary_cross_entropy", "reduction": "batch_mean"},
    "bce_logits_mean": {
        "kind": "binary_cross_entropy",
        "reduction": "mean",
        "from_logits": True,
    },
    "ce_prob_onehot": {"kind": "cross_entropy", "reduction": "batch_mean"},
    "ce_logits_index": {"kind": "cross_entropy", "reduction": "mean", "from_logits": True},
    "ce_logits_onehot": {"kind": "cross_entropy", "reduction": "mean", "from_logits": True},
}

BUFFERS = {
    "momentum_buffer": "buf_",
    "sum": "s_",
    "square_avg": "v_",
    "grad_avg": "g_",
    "exp_avg": "m_",
    "exp_avg_sq": "v_",
    "max_exp_avg_sq": "vmax_",
}
"""torch.optim's names of its state, and the prefix that nnstep gives to the same buffer."""


def read_case(path: Path) -> Case:
    """Read one oracle file."""
    case: Case = json.loads(path.read_text(encoding="utf-8"))
    return case


def oracle_cases(folder: str) -> list[Path]:
    """Return the files of `oracles/<folder>` that hold a network, `init` and whole `steps`."""
    paths = sorted((ORACLES / folder).glob("*.json"))
    return [path for path in paths if "dW" in (read_case(path).get("steps") or [{}])[0]]


def variants(case: Case) -> list[Case]:
    """Return the case, and its twin on logits where it holds `steps_logits` as well."""
    if "steps_logits" not in case:
        return [case]
    compared = ("t", "batch", "loss", "dz", "dW", "db", "W", "b")
    steps = [{key: step[key] for key in compared if key in step} for step in case["steps_logits"]]
    activations = [*case["config"]["activations"][:-1], "identity"]
    config = case["config"] | {"loss": "bce_logits_mean", "activations": activations}
    return [case, case | {"config": config, "steps": steps}]


def toml(value: object) -> str:
    """Write a number, a string, a truth value or a nested list as TOML, losing no digit."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if value in ("nan", "inf", "-inf") else json.dumps(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(toml(item) for item in value)}]"
    return repr(value)


def table(name: str, entries: Mapping[str, object]) -> str:
    """Write a TOML table."""
    return "\n".join([f"[{name}]", *(f"{key} = {toml(value)}" for key, value in entries.items())])


def network_text(case: Case) -> str:
    """Write the [network] table and its layers."""
    config = case["config"]
    lines = ["[network]", f"inputs = {config['sizes'][0]}"]
    if config.get("layout", "out_in") != "out_in":
        lines.append(f"layout = {toml(config['layout'])}")
    if "l2" in config:
        lines.append(f"l2 = {config['l2']!r}")
    if "dX" in case["steps"][0]:
        lines.append("input_gradient = true")
    frozen = ['frozen = ["bias"]'] if config.get("train_bias") is False else []
    init = zip(config["activations"], case["init"]["W"], case["init"]["b"], strict=True)
    for units, (activation, weights, bias) in zip(config["sizes"][1:], init, strict=True):
        lines += [
            "[[network.layers]]",
            f"units = {units}",
            f"activation = {ACTIVATIONS.get(activation, toml(activation))}",
            f"weights = {toml(weights)}",
            f"bias = {toml(False if bias is None else bias)}",
            *frozen,
        ]
    return "\n".join(lines)


def optimizer_text(config: Mapping[str, Any]) -> str:
    """Write the [optimizer] table, gradient clipping included."""
    options = dict(config["optimizer"])
    text = table("optimizer", {"kind": options.pop("name"), **options})
    clip = config.get("grad_clip")
    if clip is None:
        return text
    limit = clip["max_norm"] if clip["type"] == "norm" else clip["clip_value"]
    return f"{text}\nclip = {{ {clip['type']} = {limit!r} }}"


def scenario_text(case: Case, iterations: int | None = None, fuse: bool = True) -> str:
    """Write a case of kind "mlp", "overflow" or the like as the text of a scenario file."""
    config = case["config"]
    if iterations is None:
        iterations = case.get("total_steps_run", len(config["batches"]))
    data = {"x": case["X"], "y": case["Y"], "batches": config["batches"]}
    return "\n\n".join(
        [
            f"format = 1\ntitle = {toml(case['name'])}",
            network_text(case),
            table("loss", LOSSES[config["loss"]] | ({} if fuse else {"fuse": False})),
            optimizer_text(config),
            table("data", data),
            f"[run]\niterations = {iterations}\n",
        ]
    )


@dataclass
class Iteration:
    """What one iteration wrote, the last value of each tensor in each phase."""

    phases: dict[str, Arrays]
    after: Arrays

    def computed(self, name: str) -> np.ndarray[Any, Any] | None:
        """Return a tensor as it stood before the update phase, None if it was not written."""
        for phase in ("backward", "loss", "forward", "batch"):
            if name in self.phases.get(phase, {}):
                return self.phases[phase][name]
        return None


def iterations(session: Session) -> Iterator[Iteration]:
    """Run a session to its end; yield every iteration when it is complete."""
    live: Arrays = dict(session.values())
    phases: dict[str, Arrays] = {}
    current = 0
    for step in session.steps():
        if step.iteration != current:
            yield Iteration(phases, dict(live))
            current, phases = step.iteration, {}
        writes = step.writes
        phases.setdefault(step.phase, {}).update(writes)
        live.update(writes)
    yield Iteration(phases, dict(live))


def numbers(value: object) -> np.ndarray[Any, Any]:
    """Return an oracle's nested lists as an array; "nan" and "inf" become numbers."""
    return np.asarray(value, dtype=np.float64)


def assert_close(
    actual: np.ndarray[Any, Any], expected: object, what: str, rtol: float = 1e-9
) -> None:
    """Fail unless a tensor has the oracle's shape and, closely, its numbers."""
    wanted = numbers(expected)
    assert actual.shape == wanted.shape, f"{what}: shape {actual.shape}, oracle {wanted.shape}"
    # That says what differs, and takes long.
    if not np.allclose(actual, wanted, rtol=rtol, atol=1e-12, equal_nan=True):
        np.testing.assert_allclose(actual, wanted, rtol=rtol, atol=1e-12, err_msg=what)


def named(key: str, per_layer: Sequence[Any] | None) -> Iterator[tuple[str, Any]]:
    """Yield nnstep's name and the oracle's value of a tensor, for each layer that has one."""
    for layer, expected in enumerate(per_layer or [], start=1):
        if expected is not None:
            yield f"{key}{layer}", expected


def compare_step(iteration: Iteration, step: Mapping[str, Any], case: str = "") -> None:
    """Compare one iteration with one step of an oracle, tensor by tensor."""
    where = f"{case} step {step['t']}"
    loss = iteration.computed("L")
    assert loss is not None
    assert_close(loss, step["loss"], f"{where}: L")
    if "dX" in step:
        dx = iteration.computed("dx")
        assert dx is not None, f"{where}: dx was not written"
        assert_close(dx, step["dX"], f"{where}: dx")
    for key in ("z", "a", "dz", "da", "dW", "db"):
        for name, expected in named(key, step.get(key)):
            value = iteration.computed(name)
            if value is None:
                assert key == "da", f"{where}: {name} was not written"
            else:
                assert_close(value, expected, f"{where}: {name}")
    compare_update(iteration, step, where)


def compare_update(iteration: Iteration, step: Mapping[str, Any], where: str) -> None:
    """Compare what the update phase left: clipped gradients, parameters, optimizer buffers."""
    for kind in "Wb":
        for name, expected in named(f"d{kind}", step.get(f"d{kind}_clipped")):
            assert_close(iteration.after[name], expected, f"{where}: clipped {name}")
        for name, expected in named(kind, step.get(kind)):
            assert_close(iteration.after[name], expected, f"{where}: {name} after the update")
    for buffer, per_kind in step.get("opt_state", {}).items():
        for kind, per_layer in per_kind.items() if buffer in BUFFERS else ():
            for name, expected in named(f"{BUFFERS[buffer]}{kind}", per_layer):
                assert_close(iteration.after[name], expected, f"{where}: {name}")


def lookup(source: Any, path: str) -> Any:
    """Follow a path such as `dW[1][0][0]` or `result.grad.a` through nested lists and mappings."""
    for key in path.replace("[", ".").replace("]", "").strip(".").split("."):
        source = source[int(key)] if key.isdigit() else source[key]
    return source


def step_tensor(iteration: Iteration, path: str) -> float | None:
    """Return the number that `path` of an oracle's step (`dW[1][0][0]`, `loss`) stands for."""
    key, *indices = path.replace("]", "").split("[")
    if key == "loss":
        loss = iteration.computed("L")
        return None if loss is None else float(loss)
    layer, *cell = (int(index) for index in indices)
    name = f"{key}{layer + 1}"
    value = iteration.after.get(name) if key in "Wb" else iteration.computed(name)
    return None if value is None else float(value[tuple(cell)])


def check_published(done: Sequence[Iteration], published: Sequence[Mapping[str, Any]]) -> int:
    """Compare printed numbers that lie in a step with the run; return how many were compared."""
    count = 0
    for row in published:
        path = row.get("path") or ""
        if row.get("tol") is None or not path.startswith("steps["):
            continue
        index, rest = path.removeprefix("steps[").split("].", 1)
        value = step_tensor(done[int(index)], rest) if int(index) < len(done) else None
        if value is None:
            continue
        printed, actual = row["value"], (row.get("scale") or 1.0) * value
        assert abs(actual - printed) <= row["tol"], f"{row['what']}: {actual}, printed {printed}"
        count += 1
    return count
