"""What a scenario file says arrives in the model, defaults filled in, doubts as warnings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from in_one_test import each_of

from nnstep import scenarios
from nnstep.engine import Interpreter, Session
from nnstep.engine.loading import load
from nnstep.engine.scenario import schema
from nnstep.engine.scenario.convert import kind_of
from nnstep.engine.scenario.model import Activation, Clip, Initializer, Run, Scenario
from nnstep.engine.scenario.schema import json_schema

LAYER = "[[network.layers]]\nunits = 2\n"
DATA = "[data]\nx = [[1, 2], [3, 4], [5, 6]]\ny = [[0, 1], [1, 0], [0, 1]]\n"

Reader = Callable[..., Scenario]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """A function that reads a network from parts of its file."""

    def reader(
        layer: str = "",
        *,
        network: str = "",
        loss: str = 'kind = "mse"',
        data: str = DATA,
        rest: str = "",
    ) -> Scenario:
        path = tmp_path / "s.toml"
        path.write_text(
            f"format = 1\n[network]\ninputs = 2\n{network}\n{LAYER}{layer}\n"
            f"[loss]\n{loss}\n{data}\n{rest}",
            encoding="utf-8",
        )
        return load(path)

    return reader


def test_defaults(read: Reader) -> None:
    scenario = read()
    network = scenario.network
    assert network is not None
    assert scenario.data is not None
    assert (scenario.title, scenario.dtype, scenario.seed) == ("s", "float64", 0)
    assert (network.layout, network.input_gradient, network.l2) == ("out_in", False, 0.0)
    assert network.layers[0].activation == Activation("identity")
    assert network.layers[0].weights == Initializer("xavier_uniform")
    assert network.layers[0].bias == Initializer("zeros")
    assert network.layers[0].frozen == frozenset()
    assert (network.loss.reduction, network.loss.fuse) == ("mean", True)
    assert (scenario.optimizer, scenario.run) == (None, Run())
    assert (scenario.data.batch_size, scenario.data.shuffle) == (3, False)
    assert scenario.warnings == ()


def test_arrays_are_of_the_scenarios_type_and_read_only(read: Reader) -> None:
    scenario = read("weights = [[1, 2], [3, 4]]\nbias = [1, 2]", network='dtype = "float32"')
    assert scenario.network is not None
    assert scenario.data is not None
    layer = scenario.network.layers[0]
    for array in (layer.weights, layer.bias, scenario.data.x, scenario.data.y):
        assert isinstance(array, np.ndarray)
        assert array.dtype == np.float32
        assert not array.flags.writeable


@each_of(
    ("written", "meant"),
    [
        ('"tanh"', Activation("tanh")),
        ('"leaky_relu"', Activation("leaky_relu", {"slope": 0.01})),
        ('{ kind = "leaky_relu", slope = 1 }', Activation("leaky_relu", {"slope": 1.0})),
        ('"elu"', Activation("elu", {"alpha": 1.0})),
        ('"gelu"', Activation("gelu", {"approximate": "none"})),
        ('{ kind = "gelu", approximate = "tanh" }', Activation("gelu", {"approximate": "tanh"})),
    ],
)
def test_activations(written: str, meant: Activation, read: Reader) -> None:
    network = read(f"activation = {written}").network
    assert network is not None
    assert network.layers[0].activation == meant


@each_of(
    ("written", "meant"),
    [
        ('init = "he_normal"', Initializer("he_normal")),
        ('init = { kind = "normal", std = 0.1 }', Initializer("normal", {"std": 0.1, "mean": 0.0})),
        (
            'init = { kind = "uniform", low = -1, high = 1 }',
            Initializer("uniform", {"low": -1.0, "high": 1.0}),
        ),
        ('init = { kind = "constant", value = 2 }', Initializer("constant", {"value": 2.0})),
    ],
)
def test_initializers(written: str, meant: Initializer, read: Reader) -> None:
    network = read(written).network
    assert network is not None
    assert network.layers[0].weights == meant


def test_biases(read: Reader) -> None:
    for written, meant in {
        "true": Initializer("zeros"),
        "false": None,
        '"he_uniform"': Initializer("he_uniform"),
    }.items():
        network = read(f"bias = {written}").network
        assert network is not None
        assert network.layers[0].bias == meant


@each_of(("layout", "shape"), [("out_in", (2, 3)), ("in_out", (3, 2))])
def test_the_layout_decides_the_shape_of_weights(
    layout: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        f'format = 1\n[network]\ninputs = 3\nlayout = "{layout}"\n{LAYER}'
        f'weights = {np.ones(shape).tolist()}\n[loss]\nkind = "mse"\n'
        "[data]\nx = [[1, 2, 3]]\ny = [[1, 2]]\n"
    )
    network = load(path).network
    assert network is not None
    assert isinstance(network.layers[0].weights, np.ndarray)
    assert network.layers[0].weights.shape == shape


@each_of(
    ("kind", "reduction"),
    [
        ("mse", "mean"),
        ("mae", "mean"),
        ("huber", "mean"),
        ("half_squared_error", "sum"),
        ("binary_cross_entropy", "mean"),
        ("cross_entropy", "batch_mean"),
        ('cross_entropy"\nreduction = "mean', "batch_mean"),
        ('cross_entropy"\nreduction = "sum', "sum"),
        ('mse"\nreduction = "batch_mean', "batch_mean"),
    ],
)
def test_reductions(kind: str, reduction: str, read: Reader) -> None:
    network = read(loss=f'kind = "{kind}"').network
    assert network is not None
    assert network.loss.reduction == reduction


@each_of(
    ("written", "lr", "options"),
    [
        (
            "sgd",
            1e-3,
            {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
        ),
        (
            "adagrad",
            1e-2,
            {"lr_decay": 0.0, "weight_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10},
        ),
        (
            "rmsprop",
            1e-2,
            {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "centered": False},
        ),
        (
            "adam",
            1e-3,
            {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False},
        ),
        (
            "adamw",
            1e-3,
            {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2, "amsgrad": False},
        ),
    ],
)
def test_optimizers_have_pytorchs_defaults(
    written: str, lr: float, options: dict[str, object], read: Reader
) -> None:
    optimizer = read(rest=f'[optimizer]\nkind = "{written}"').optimizer
    assert optimizer is not None
    assert (optimizer.kind, optimizer.lr, optimizer.options) == (written, lr, options)


def test_clipping(read: Reader) -> None:
    for written, meant in {
        "norm = 1": Clip("norm", 1.0),
        "value = 0.2": Clip("value", 0.2),
    }.items():
        optimizer = read(rest=f'[optimizer]\nkind = "sgd"\nclip = {{ {written} }}').optimizer
        assert optimizer is not None
        assert optimizer.clip == meant


@each_of("y", ["[0, 1, 1]", "[[0], [1], [1]]"])
def test_class_indices(y: str, read: Reader) -> None:
    data = read(
        'activation = "softmax"',
        loss='kind = "cross_entropy"',
        data=DATA.replace("[[0, 1], [1, 0], [0, 1]]", y),
    ).data
    assert data is not None
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [0, 1, 1]
    assert not data.y.flags.writeable


def test_flat_lists_are_columns_where_the_width_is_one(read: Reader, tmp_path: Path) -> None:
    path = tmp_path / "flat.toml"
    path.write_text(
        'format = 1\n[network]\ninputs = 1\n[[network.layers]]\nunits = 1\n[loss]\nkind = "mse"\n'
        "[data]\nx = [1, nan, 3]\ny = [2, 4, inf]\n"
    )
    data = load(path).data
    assert data is not None
    assert data.x.shape == data.y.shape == (3, 1)
    assert np.isnan(data.x[1, 0])
    assert np.isinf(data.y[2, 0])


def test_batches(read: Reader) -> None:
    data = read(data=DATA + "batches = [[0], [1, 2]]").data
    assert data is not None
    assert data.batches == ((0,), (1, 2))
    assert data.batch_sizes == (1, 2)
    data = read(data=DATA + "batch_size = 2\nshuffle = true").data
    assert data is not None
    assert (data.batch_size, data.shuffle, data.batches_per_epoch) == (2, True, 2)


@each_of(
    ("layer", "loss", "rest", "warning"),
    [
        ('activation = "softmax"', 'kind = "mse"', "", ":9:8: warning: mse on a softmax"),
        (
            'activation = "relu"',
            'kind = "cross_entropy"',
            "",
            ":7:14: warning: cross_entropy expects",
        ),
        ("", 'kind = "binary_cross_entropy"', "", "warning: binary_cross_entropy expects"),
        (
            'activation = "sigmoid"',
            'kind = "binary_cross_entropy"\nfrom_logits = true',
            "",
            ":10:15: warning: from_logits applies sigmoid itself",
        ),
        ('activation = "tanh"', 'kind = "mae"', "", None),
        ("", 'kind = "mse"', "[run]\niterations = 2", ":15:14: warning: without an [optimizer]"),
        ("", 'kind = "mse"', "[run]\niterations = 1", None),
        (
            "",
            'kind = "mse"',
            '[[note]]\nat = "L"\ntext = "so"',
            ":14:1: warning: notes are checked",
        ),
    ],
)
def test_doubts(layer: str, loss: str, rest: str, warning: str | None, read: Reader) -> None:
    warnings = read(layer, loss=loss, rest=rest).warnings
    if warning is None:
        assert warnings == ()
    else:
        assert len(warnings) == 1
        assert warning in warnings[0]


def test_doubtful_targets(read: Reader) -> None:
    data = DATA.replace("[1, 0], [0, 1]", "[1, 0], [1, 7]")
    (warning,) = read('activation = "tanh"', data=data).warnings
    assert warning.endswith(":12:26: warning: tanh never gives 7.0; its values go from -1.0 to 1.0")
    warnings = read('activation = "softmax"', loss='kind = "cross_entropy"', data=data).warnings
    assert any("does not add up to 1" in warning for warning in warnings)


def test_a_program(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(
        'format = 1\n[program]\ncode = """\n  d = a * k\n  e = sum(d)\n"""\nloss = "e"\n'
        "parameters = { a = [[1, 2]] }\ninputs = { k = 4 }\n"
    )
    scenario = load(path)
    expression = scenario.expression
    assert scenario.network is None
    assert expression is not None
    assert expression.code == "  d = a * k\n  e = sum(d)\n"
    assert [statement.name for statement in expression.statements] == ["d", "e"]
    a = expression.parameters["a"]
    assert isinstance(a, np.ndarray)
    assert a.tolist() == [[1.0, 2.0]]
    assert expression.inputs["k"].shape == ()
    assert expression.inputs["k"].dtype == np.float64


def test_control_characters_do_not_survive(read: Reader) -> None:
    scenario = read(rest=r"[[note]]" "\n" r'at = "L"' "\n" r'text = "a\u001b[31m\nb\u202e"')
    assert scenario.notes[0].text == "a\\x1b[31m\nb\\u202e"


ADDITIONS = """\
[[breakpoint]]
at = "line 7"
[[breakpoint]]
at = " layer  1"
hits = 3
when = '''
norm(dW1) > 1   # large
and L > 0'''
[[breakpoint]]
at = "L"
log = "\\u001b[31m \\"{L}\\" #\\n"
[[watch]]
show = "norm(dW1)  # \\u001b[31m"
[[note]]
at = "layer 1"
text = "so"
"""


def test_additions_are_kept_as_they_can_be_typed(read: Reader) -> None:
    session = Session(read(rest=ADDITIONS))
    points = session.stops.points
    assert list(map(str, points)) == [
        "break line 7",
        "break layer 1 if norm(dW1) > 1 and L > 0 after 2",
        'break L log "\\x1b[31m ""{L}"" #\\n"',
    ]
    assert session.watches == ["norm(dW1)"]
    again = Session(read())
    for point in points:
        Interpreter(again).execute(str(point))
    assert again.stops.points == points


def test_the_path_is_kept_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_bytes(scenarios.path("mazur").read_bytes())
    scenario = load("./s.toml")
    assert scenario.path == "./s.toml"
    assert all(warning.startswith("./s.toml:") for warning in scenario.warnings)


def test_a_file_goes_before_a_name_of_the_gallery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load("xor").data is not None
    monkeypatch.chdir(tmp_path)
    Path("xor").write_bytes(scenarios.path("graph").read_bytes())
    assert load("xor").expression is not None


@each_of(
    ("union", "names"),
    [
        (schema.ActivationTable, schema.ActivationName),
        (schema.InitializerTable, schema.InitializerName),
    ],
)
def test_a_name_alone_stands_for_every_table_that_needs_nothing_else(
    union: object, names: object
) -> None:
    complete = []
    for table in get_args(union):
        try:
            complete.append(kind_of(table()))
        except TypeError:
            continue
    assert complete == list(get_args(names))


def test_every_key_of_the_schema_is_explained() -> None:
    schema = json_schema()
    json.dumps(schema)
    for name, table in schema["$defs"].items():
        assert table["description"], name
        for key, value in table["properties"].items():
            if key != "kind" and name != "Scenario":
                assert value["description"], (name, key)
