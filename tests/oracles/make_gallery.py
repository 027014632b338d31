"""Compute with PyTorch what the gallery's scenarios must compute, and write it to `gallery/`.

Run it again after changing a scenario that is listed in `FULL` or `SUMMARY`:

    pip install torch==2.13.0 numpy
    python tests/oracles/make_gallery.py

It reads the scenario files as plain TOML and never imports nnstep, so that its numbers are
independent of the engine: autograd for the gradients, torch.optim for the updates, float64 on CPU.
Running it twice writes the same files.
"""

import csv
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

HERE = Path(__file__).parent
SCENARIOS = HERE.parent.parent / "scenarios"

FULL = {"two-layer": 6, "xor": 6, "blocks": 4, "rows": 5}
"""Scenarios small enough to write out every tensor, and of how many first iterations."""

SUMMARY = {"iris": 100, "digits": 64}
"""Scenarios of which losses and norms are written, and of how many first iterations."""

BUFFERS = {"momentum_buffer", "sum", "square_avg", "grad_avg", "exp_avg", "exp_avg_sq"}


@dataclass
class Dense:
    """A dense layer: weights in the scenario's layout, bias, and what the last pass left behind."""

    weights: Tensor
    bias: Tensor
    activation: str
    in_out: bool
    z: Tensor = field(default_factory=lambda: torch.empty(0))
    a: Tensor = field(default_factory=lambda: torch.empty(0))

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of x, shape (rows, in), and keep z and a with their gradients."""
        self.z = x @ (self.weights if self.in_out else self.weights.T) + self.bias
        self.z.retain_grad()
        self.a = activate(self.activation, self.z)
        self.a.retain_grad()
        return self.a


@dataclass
class Case:
    """One scenario, rebuilt."""

    name: str
    text: dict[str, Any]
    layers: list[Dense]
    x: Tensor
    y: Tensor
    rng: np.random.Generator

    @property
    def parameters(self) -> list[Tensor]:
        """Weights and bias of every layer, in order."""
        return [tensor for layer in self.layers for tensor in (layer.weights, layer.bias)]


def activate(kind: str, z: Tensor) -> Tensor:
    """Return the activation `kind` of z, shape (rows, units)."""
    if kind == "softmax":
        return torch.softmax(z, dim=-1)
    if kind == "identity":
        return z.clone()
    functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
    result: Tensor = functions[kind](z)
    return result


def initial(rule: str, shape: tuple[int, int], fans: tuple[int, int], rng: Any) -> Any:
    """Draw weights of `shape` by the initialiser `rule`; `fans` are inputs and outputs."""
    fan_in, fan_out = fans
    if rule == "he_normal":
        return rng.standard_normal(shape) * np.sqrt(2 / fan_in)
    if rule == "xavier_normal":
        return rng.standard_normal(shape) * np.sqrt(2 / (fan_in + fan_out))
    limit = np.sqrt({"he_uniform": 6 / fan_in, "xavier_uniform": 6 / (fan_in + fan_out)}[rule])
    return rng.uniform(-limit, limit, shape)


def build_layers(network: dict[str, Any], rng: np.random.Generator) -> list[Dense]:
    """Build the layers with their first parameters; drawing is layer by layer."""
    in_out = network.get("layout") == "in_out"
    layers = []
    fan_in = network["inputs"]
    for entry in network["layers"]:
        units = entry["units"]
        shape = (fan_in, units) if in_out else (units, fan_in)
        weights = entry.get("weights")
        if weights is None:
            weights = initial(entry["init"], shape, (fan_in, units), rng)
        tensor = torch.tensor(np.asarray(weights), dtype=torch.float64, requires_grad=True)
        bias = entry.get("bias", [0.0] * units)
        layers.append(
            Dense(
                tensor,
                torch.tensor(bias, dtype=torch.float64, requires_grad=True),
                entry["activation"],
                in_out,
            )
        )
        fan_in = units
    return layers


def read_data(data: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Return x, shape (rows, inputs), and y as the scenario's [data] table describes them."""
    if "file" not in data:
        y = np.asarray(data["y"])
        return torch.tensor(data["x"], dtype=torch.float64), torch.from_numpy(y)
    path = SCENARIOS / data["file"]
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return torch.tensor(arrays["x"], dtype=torch.float64), torch.from_numpy(arrays["y"])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    x = np.array([[float(row[name]) for name in data["inputs"]] for row in rows])
    if data.get("standardize"):
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    classes = sorted({row[data["target"]] for row in rows})
    y = np.array([classes.index(row[data["target"]]) for row in rows])
    return torch.from_numpy(x), torch.from_numpy(np.eye(len(classes))[y])


def read_case(name: str) -> Case:
    """Read the scenario `name` and rebuild its network."""
    text = tomllib.loads((SCENARIOS / f"{name}.toml").read_text(encoding="utf-8"))
    rng = np.random.default_rng(text["network"].get("seed", 0))
    layers = build_layers(text["network"], rng)
    x, y = read_data(text["data"])
    return Case(name, text, layers, x, y, rng)


def batches(case: Case) -> Iterator[tuple[int, list[int]]]:
    """Yield the epoch and the rows of each iteration, to the end of the run."""
    data, run, rows = case.text["data"], case.text["run"], len(case.x)
    size = data.get("batch_size", rows)
    left = run.get("iterations", run.get("epochs", 0) * -(-rows // size))
    epoch = 0
    while left:
        order = case.rng.permutation(rows) if data.get("shuffle") else np.arange(rows)
        for start in range(0, rows, size):
            if left:
                yield epoch, order[start : start + size].tolist()
                left -= 1
        epoch += 1


def loss_of(case: Case, a: Tensor, rows: list[int]) -> Tensor:
    """Return the scenario's loss of the network's output a, shape (rows, units)."""
    y = case.y[rows]
    kind = case.text["loss"]["kind"]
    if kind == "binary_cross_entropy":
        return functional.binary_cross_entropy(a, y)
    if kind == "mse":
        return functional.mse_loss(a, y)
    assert kind == "cross_entropy", kind
    target = y if y.ndim == a.ndim else functional.one_hot(y, a.shape[-1]).double()
    return -(target * torch.log(a)).sum(dim=-1).mean()


def optimizer_of(case: Case) -> torch.optim.Optimizer:
    """Return the torch.optim optimizer that the scenario names, with its options."""
    options = {key: value for key, value in case.text["optimizer"].items() if key != "kind"}
    kinds: dict[str, Any] = {
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
        "adam": torch.optim.Adam,
    }
    optimizer: torch.optim.Optimizer = kinds[case.text["optimizer"]["kind"]](
        case.parameters, **options
    )
    return optimizer


def split(case: Case, tensors: list[Tensor]) -> dict[str, Any]:
    """Return tensors that go with the parameters as {W: per layer, b: per layer}."""
    values = [tensor.detach().tolist() for tensor in tensors]
    return {"W": values[::2], "b": values[1::2]}


def gradient(tensor: Tensor) -> list[Any]:
    """Return the gradient that backward left at a tensor, as nested lists."""
    assert tensor.grad is not None
    values: list[Any] = tensor.grad.tolist()
    return values


def train_step(case: Case, optimizer: torch.optim.Optimizer, rows: list[int]) -> float:
    """Run one forward and one backward pass; leave the update to the caller; return the loss."""
    a = case.x[rows]
    for layer in case.layers:
        a = layer.forward(a)
    loss = loss_of(case, a, rows)
    optimizer.zero_grad()
    loss.backward()
    return float(loss.detach())


def buffers(case: Case, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the optimizer's state after an update, by torch's names for it."""
    names = sorted(BUFFERS & set(optimizer.state[case.parameters[0]]))
    return {
        name: split(case, [optimizer.state[parameter][name] for parameter in case.parameters])
        for name in names
    }


def full_step(
    case: Case, optimizer: torch.optim.Optimizer, t: int, rows: list[int]
) -> dict[str, Any]:
    """Run one iteration and return every tensor of it, as the torch oracles do."""
    loss = train_step(case, optimizer, rows)
    step = {
        "t": t,
        "batch": rows,
        "z": [layer.z.tolist() for layer in case.layers],
        "a": [layer.a.tolist() for layer in case.layers],
        "loss": loss,
        "da": [gradient(layer.a) for layer in case.layers],
        "dz": [gradient(layer.z) for layer in case.layers],
        "dW": [gradient(layer.weights) for layer in case.layers],
        "db": [gradient(layer.bias) for layer in case.layers],
    }
    optimizer.step()
    step |= split(case, case.parameters)
    state = buffers(case, optimizer)
    return step | ({"opt_state": state} if state else {})


def header(case: Case, kind: str) -> dict[str, Any]:
    """Return what stands at the top of every file."""
    network = case.text["network"]
    return {
        "schema": "nnstep-oracle/gallery/1",
        "name": case.name,
        "kind": kind,
        "made_with": {"torch": torch.__version__, "dtype": "float64", "device": "cpu"},
        "config": {
            "sizes": [network["inputs"], *(layer["units"] for layer in network["layers"])],
            "activations": [layer["activation"] for layer in network["layers"]],
            "layout": network.get("layout", "out_in"),
            "loss": case.text["loss"],
            "optimizer": case.text["optimizer"],
        },
    }


def full(name: str, count: int) -> dict[str, Any]:
    """Return a small scenario's first `count` iterations in full, and the losses of its run."""
    case = read_case(name)
    optimizer = optimizer_of(case)
    record = header(case, "mlp")
    if record["config"]["layout"] == "in_out":
        record["notes"] = [
            "weights and their gradients are (in, out), as torch.nn.Linear's are not"
        ]
    record |= {"X": case.x.tolist(), "Y": case.y.tolist(), "init": split(case, case.parameters)}
    steps, losses = [], []
    for t, (_, rows) in enumerate(batches(case), start=1):
        if t <= count:
            steps.append(full_step(case, optimizer, t, rows))
            losses.append(steps[-1]["loss"])
        else:
            losses.append(train_step(case, optimizer, rows))
            optimizer.step()
    return record | {"steps": steps, "losses": losses, "final": split(case, case.parameters)}


def norms(tensors: list[Tensor | None]) -> list[float]:
    """Return the Euclidean norm of each tensor."""
    return [
        float(torch.linalg.vector_norm(tensor.detach())) for tensor in tensors if tensor is not None
    ]


def epoch_end(
    case: Case, optimizer: torch.optim.Optimizer, iteration: int, loss: float
) -> dict[str, Any]:
    """Return the norms of parameters and buffers after the last iteration of an epoch."""
    state = {
        name: norms([optimizer.state[parameter][name] for parameter in case.parameters])
        for name in sorted(BUFFERS & set(optimizer.state[case.parameters[0]]))
    }
    after = norms(list(case.parameters))
    return {"iteration": iteration, "loss": loss, "parameters": after, "buffers": state}


def summary(name: str, count: int) -> dict[str, Any]:
    """Return losses, norms and a few whole tensors of a scenario too large to write out."""
    case = read_case(name)
    optimizer = optimizer_of(case)
    record = header(case, "summary")
    record["notes"] = [
        "iterations count from 0; norms are Euclidean, in the order W1, b1, W2, b2, ...",
        "gradients: norms before the update of each of the first iterations",
        "epoch_ends: after the update of an epoch's last iteration; its loss is from before it",
    ]
    first: dict[str, Any] = {"rows": [], "losses": [], "gradients": []}
    ends: dict[int, Any] = {}
    initial_norms = norms(list(case.parameters))
    for iteration, (epoch, rows) in enumerate(batches(case)):
        loss = train_step(case, optimizer, rows)
        if iteration == 0:
            first["tensors"] = first_tensors(case)
        if iteration < count:
            first["losses"].append(loss)
            first["gradients"].append(norms([tensor.grad for tensor in case.parameters]))
        if iteration < 3:
            first["rows"].append(rows)
        optimizer.step()
        if iteration + 1 == count:
            first["W_last"] = case.layers[-1].weights.tolist()
        ends[epoch] = epoch_end(case, optimizer, iteration, loss)
    tail = {"b1": case.layers[0].bias.tolist(), "b_last": case.layers[-1].bias.tolist()}
    return record | {
        "initial": initial_norms,
        "first": first,
        "epoch_ends": list(ends.values()),
        "final": tail,
    }


def first_tensors(case: Case) -> dict[str, Any]:
    """Return the small tensors of the first iteration: one row of each layer, and the biases' d."""
    layers = case.layers
    return {
        "x_row": case.x[0].tolist(),
        "z_row": [layer.z[0].tolist() for layer in layers],
        "a_row": [layer.a[0].tolist() for layer in layers],
        "dz_row": [gradient(layer.z)[0] for layer in layers],
        "db": [gradient(layer.bias) for layer in layers],
        "dW_first_row": [gradient(layer.weights)[0] for layer in layers],
    }


def write(record: dict[str, Any]) -> None:
    """Write one file, a line for each top-level key and for each step."""
    lines = []
    for key, value in record.items():
        if key == "steps":
            steps = ",\n  ".join(json.dumps(step, allow_nan=False) for step in value)
            lines.append(f' "steps": [\n  {steps}\n ]')
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    path = HERE / "gallery" / f"{record['name']}.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes")


def main() -> None:
    """Write every file of the gallery's oracles."""
    torch.set_num_threads(1)
    for name, count in FULL.items():
        write(full(name, count))
    for name, count in SUMMARY.items():
        write(summary(name, count))


if __name__ == "__main__":
    main()
