"""Numbers too large for their type and scenarios too large for memory are refused in time."""

from pathlib import Path

import pytest
from in_one_test import each_of
from scenario_texts import BIAS, NETWORK, ROWS, WEIGHTS, Mistakes, edited

from nnstep.engine.limits import MAX_LAYERS
from nnstep.engine.loading import load
from nnstep.engine.scenario import network


def test_a_number_too_large_for_the_type(mistakes: Mistakes) -> None:
    text = NETWORK.replace("inputs = 2", 'inputs = 2\ndtype = "float16"').replace(
        "[1, 2]", "[1, 1e6]"
    )
    assert mistakes(text) == ["s.toml:16:24: 1000000.0 is too large for float16"]


@each_of(
    ("dtype", "old", "new", "said"),
    [
        ("float16", "lr = 0.5", "lr = 1e10", "14:6: 10000000000.0 is"),
        ("float16", "lr = 0.5", "lr = 100_000", "14:6: 100000.0 is"),
        ("float32", "lr = 0.5", "lr = 1e300", "14:6: 1e+300 is"),
        ("float16", "lr = 0.5", "weight_decay = 7e4", "14:16: 70000.0 is"),
        ("float16", "lr = 0.5", "dampening = -7e4", "14:13: -70000.0 is"),
        ("float16", "lr = 0.5", "clip.norm = 7e4", "14:13: 70000.0 is"),
        ("float16", "lr = 0.5", "clip = { value = 7e4 }", "14:18: 70000.0 is"),
        ("float16", '"sgd"', '"rmsprop"\nalpha = 7e4', "14:9: 70000.0 is"),
        ("float16", '"sgd"', '"adagrad"\ninitial_accumulator_value = 7e4', "14:29: 70000.0 is"),
        ("float16", "inputs = 2", "inputs = 2\nl2 = 7e4", "5:6: 70000.0 is"),
        ("float16", '"mse"', '"huber"\ndelta = 7e4', "12:9: 70000.0 is"),
        ("float16", '"sigmoid"', '{ kind = "leaky_relu", slope = 7e4 }', "7:45: 70000.0 is"),
        ("float16", '"sigmoid"', '{ kind = "elu", alpha = 7e4 }', "7:38: 70000.0 is"),
        ("float16", WEIGHTS, 'init = { kind = "constant", value = 7e4 }', "8:37: 70000.0 is"),
        ("float16", WEIGHTS, 'init = { kind = "normal", std = 7e4 }', "8:33: 70000.0 is"),
        ("float16", WEIGHTS, 'init = { kind = "uniform", low = -7e4, high = 0 }', "8:34: -70000.0"),
        ("float16", BIAS, 'bias = { kind = "constant", value = 7e4 }', "9:37: 70000.0 is"),
        ("float16", ROWS, 'generate = "moons"\nnoise = 7e4\n', "17:9: 70000.0 is"),
    ],
)
def test_a_setting_too_large_for_the_type(
    dtype: str, old: str, new: str, said: str, mistakes: Mistakes
) -> None:
    text = edited(edited(NETWORK, old, new), "inputs = 2", f'inputs = 2\ndtype = "{dtype}"')
    (line,) = mistakes(text)
    assert line.startswith(f"s.toml:{said}")
    assert line.endswith(f" is too large for {dtype}")


def test_a_network_has_at_most_so_many_layers(
    mistakes: Mistakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_LAYERS == 1_000
    monkeypatch.setattr(network, "MAX_LAYERS", 5)
    more = "units = 2" + "\n[[network.layers]]\nunits = 2" * 5
    (line, *_) = mistakes(edited(NETWORK, "units = 2", more))
    assert line == "s.toml:4:1: a network has at most 5 layers"


@each_of(
    ("interval", "said"),
    [
        ("low = 1, high = 0", "7:44: 'high' must not be below 'low', 1.0"),
        ("low = -1.7e308, high = 1.7e308", "7:51: the interval from 'low', -1.7e+308, to 'high'"),
    ],
)
def test_an_interval_that_cannot_be_drawn_from(
    interval: str, said: str, mistakes: Mistakes
) -> None:
    text = edited(NETWORK, WEIGHTS, f'init = {{ kind = "uniform", {interval} }}')
    assert mistakes(text)[0].startswith(f"s.toml:{said}")


def alternating(units: tuple[int, ...], data: str, optimizer: str = "") -> str:
    layers = "".join(f"[[network.layers]]\nunits = {n}\n" for n in units)
    head = f'format = 1\n[loss]\nkind = "mse"\n{optimizer}'
    return f"{head}[data]\n{data}\n[network]\ninputs = 1\n{layers}"


def test_what_does_not_fit_into_memory_together_is_refused(mistakes: Mistakes) -> None:
    x = [0] * 100
    wide = (1, 100_000) * 10 + (1,)
    assert mistakes(alternating(wide, f"x = {x}\ny = {x}")) == [
        "s.toml:4:1: an iteration would hold 406,004,424 numbers, more than 200,000,000"
    ]
    explicit = f"x = {x}\ny = {x}\nbatches = [{list(range(100))}]"
    assert mistakes(alternating(wide, explicit))[0].startswith("s.toml:7:11: an iteration")
    adam = '[optimizer]\nkind = "adam"\namsgrad = true\n'
    heavy = (3_000,) * 6 + (1,)
    assert mistakes(alternating(heavy, "x = [1]\ny = [1]", adam))[0].startswith(
        "s.toml:12:1: an it"
    )


def test_parameters_alone_fit_where_an_optimizer_keeps_little(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(alternating((3_000,) * 6 + (1,), "x = [1]\ny = [1]"))
    assert load(path).network is not None
