"""Every mistake in a scenario is reported at its file, line and column."""

from pathlib import Path

import pytest
from in_one_test import each_of
from scenario_texts import NETWORK, PROGRAM, ROWS, Mistakes, edited

from nnstep.engine import Interpreter, Session, load
from nnstep.engine.language.typed import TextError
from nnstep.engine.scenario.model import Scenario

VALUES = [
    ("lr = 0.5", 'lr = "0.5"', "13:6: 'lr' must be a number, not '0.5'"),
    ("lr = 0.5", "lr = -1", "13:6: 'lr' must be a number >= 0, not -1"),
    ("lr = 0.5", "lr = nan", "13:6: 'lr' must be finite, not nan"),
    ("lr = 0.5", "lr = true", "13:6: 'lr' must be a number, not true"),
    ("lr = 0.5", "lr = 1979-05-27", "13:6: 'lr' must be a number, not a date or time"),
    ("lr = 0.5", f"lr = {'9' * 400}", "13:6: 'lr' must be a number that fits"),
    (
        '"sgd"',
        f'"adam"\nbetas = [0.9, {"9" * 400}]',
        "13:15: an element of 'betas' must be a number that fits",
    ),
    ("lr = 0.5", "momentun = 0.5", "13:1: unknown key 'momentun' (did you mean 'momentum'?)"),
    ("lr = 0.5", "betas = [0.9, 0.9]", "13:1: 'betas' belongs to adam and adamw, not to sgd"),
    ("lr = 0.5", "clip = { norm = 0 }", "13:17: 'norm' must be a number > 0, not 0"),
    ("lr = 0.5", "clip = {}", "13:8: clip needs norm = … or value = …"),
    ("lr = 0.5", "clip.norm = 1\nclip.value = 2", "14:6: 'norm' and 'value' exclude each other"),
    ("lr = 0.5", "nesterov = true", "13:12: nesterov needs momentum > 0"),
    ('kind = "sgd"', 'kind = "sdg"', "12:8: 'kind' must be 'sgd', 'adagrad', 'rmsprop', 'adam'"),
    ('kind = "sgd"\n', "", "11:1: the key 'kind' is missing"),
    ('"sgd"', '"adam"\nbetas = [0.9, 1]', "13:15: an element of 'betas' must be a number < 1"),
    ('"sgd"', '"adam"\nbetas = [0.9]', "13:9: 'betas' must be a list of length 2"),
    ("units = 2", "units = 0", "5:9: 'units' must be a whole number >= 1, not 0"),
    ("units = 2", "units = 2.0", "5:9: 'units' must be a whole number, not 2.0"),
    ("units = 2", "units = 2\nunit = 3", "6:1: unknown key 'unit' (did you mean 'units'?)"),
    ("units = 2\n", "", "4:1: the key 'units' is missing"),
    ("units = 2", "units = 100_000_000", "5:9: W1 would have 200,000,000 numbers"),
    ("inputs = 2\n", "", "2:1: the key 'inputs' is missing"),
    ("inputs = 2", 'inputs = 2\nlayout = "in-out"', "4:10: 'layout' must be 'out_in' or 'in_out'"),
    ('"sigmoid"', '"sigmod"', "6:14: 'activation' must be 'identity', 'sigmoid', 'tanh'"),
    ('"sigmoid"', "3", "6:14: 'activation' must be text in quotation marks or a table, not 3"),
    ('"sigmoid"', '{ kind = "relu", slope = 0.1 }', "6:31: 'slope' belongs to leaky_relu"),
    ('"sigmoid"', '{ kind = "elu", alpha = inf }', "6:38: 'alpha' must be finite, not inf"),
    ('"sigmoid"', "{ slope = 1 }", "6:14: the key 'kind' is missing: 'identity'"),
    ('"sigmoid"', '{ kind = "gelu", approximate = "no" }', "6:45: 'approximate' must be 'none'"),
    ("bias = [0.35, 0.35]", "bias = [0.35]", "8:8: expected shape (2,), found (1,)"),
    ("bias = [0.35, 0.35]", 'bias = "zero"', "8:8: 'bias' must be 'zeros', 'constant'"),
    ("bias = [0.35, 0.35]", 'bias = "normal"', "8:8: 'normal' needs std: write { kind ="),
    ("bias = [0.35, 0.35]", 'bias = { kind = "constant" }', "8:8: the key 'value' is missing"),
    ("bias = [0.35, 0.35]", 'init = "zeros"', "8:1: 'init' and 'weights' exclude each other"),
    ("bias = [0.35, 0.35]", 'frozen = ["w"]', "8:11: an element of 'frozen' must be 'weights'"),
    ("bias = [0.35, 0.35]", 'bias = false\nfrozen = ["bias"]', "9:11: this layer has no bias"),
    ("[0.25, 0.30]]", "[0.25]]", "7:26: expected a list of 2 like the first, found a list of 1"),
    ("[0.25, 0.30]]", '[0.25, "é"]]', "7:33: an array holds numbers, not 'é'"),
    ("[0.25, 0.30]]", "[0.25, true]]", "7:33: an array holds numbers, not true"),
    ("[0.25, 0.30]]", "[0.25, nan]]", "7:33: this must be finite, not nan"),
    ("[[0.15, 0.20], [0.25, 0.30]]", "[]", "7:11: an array needs at least one number"),
    ("[[0.15, 0.20], [0.25, 0.30]]", "[1, 2]", "7:11: expected shape (2, 2), found (2,)"),
    ('"mse"', '"mse"\nreduction = "avg"', "11:13: 'reduction' must be 'mean', 'batch_mean'"),
    ('"mse"', '"mse"\ndelta = 1', "11:1: 'delta' belongs to huber, not to mse"),
    ('"mse"', '"mse"\nfrom_logits = true', "11:15: mse takes no logits"),
    ("[0, 1]]", "[0, 1], [1, 1]]", "16:5: y has 3 rows, x has 2"),
    ("y = [[0.01, 0.99], [0, 1]]", "y = [[1], [0]]", "16:5: expected shape (2, 2), a target row"),
    ("y = [[0.01, 0.99], [0, 1]]\n", "", "14:1: the key 'y' is missing"),
    ("x = [[0.05, 0.10], [1, 2]]", "x = [1, 2]", "15:5: expected shape (2, 2), an input row of 2"),
    ("x = [[0.05, 0.10], [1, 2]]", 'file = "a.csv"', "16:1: 'y' goes with 'x', not with 'file'"),
    (ROWS, "", "14:1: 'x' and 'y' are missing, or 'file', or 'generate'"),
    (ROWS, 'generate = "xor"\ntarget = "y"\n', "16:1: 'target' goes with 'file', not with"),
    (ROWS, "y = [[0, 1]]\n", "14:1: the key 'x' is missing"),
    (ROWS, 'target = "y"\n', "14:1: the key 'file' is missing"),
    (ROWS, "noise = 0\n", "14:1: the key 'generate' is missing"),
    (ROWS, "one_hot = true\n", "14:1: 'x' and 'y' are missing, or 'file', or 'generate'"),
    ("[data]", "[data]\nseed = 0", "15:1: 'seed' goes with 'generate', not with 'x'"),
    (ROWS, 'file = "a.npz"\nnoise = 0.0\n', "16:1: 'noise' goes with 'generate'"),
    (ROWS, 'generate = "xr"\n', "15:12: 'generate' must be 'xor', 'moons'"),
    (ROWS, 'file = "a.csv"\n', "15:8: a CSV file needs 'inputs'"),
    (ROWS, 'file = "gone.npz"\n', "15:8: 'gone.npz': no such file"),
    (ROWS, 'file = "../a.npz"\n', "15:8: '../a.npz' is outside the scenario's folder"),
    ("[data]", "[data]\nbatches = [[0, 2]]", "15:16: there is no row 2: there are 2"),
    ("[data]", "[data]\nbatches = [[0], []]", "15:17: a batch needs at least one row"),
    ("[data]", "[data]\nbatches = [[0]]\nbatch_size = 1", "16:1: 'batches' and 'batch_size'"),
    ("[data]", "[data]\nbatch_size = 0", "15:14: 'batch_size' must be a whole number >= 1"),
    ("iterations = 10", "iterations = 0", "18:14: 'iterations' must be a whole number >= 1"),
    ("iterations = 10", "iterations = 1\nepochs = 2", "19:1: 'iterations' and 'epochs' exclude"),
    ("iterations = 10", "iterations = 1\niterations = 2", "19:1: the key 'iterations' is defined"),
    ("[run]", "[rn]", "17:2: unknown key 'rn' (did you mean 'run'?)"),
    ("[run]", '["r\\u001bn"]', r"17:2: unknown key 'r\x1bn'"),
    ("[run]", "[data]\n[run]", "17:2: the key 'data' is defined already"),
    ("[run]", '[watch]\nshow = "L"\n[run]', "17:2: 'watch' is a list of tables, each under"),
    ("format = 1", "format = 2", "1:10: this version of nnstep reads format = 1, not 2"),
    ("format = 1", 'format = "1"', "1:10: this version of nnstep reads format = 1, not '1'"),
    ("format = 1", "format = true", "1:10: this version of nnstep reads format = 1, not true"),
    ("format = 1\n", "", "1:1: the key 'format' is missing"),
    ('[loss]\nkind = "mse"\n', "", "2:1: a [network] needs a table [loss]"),
    ("[run]", '[program]\ncode = "L = 1"\nloss = "L"\n[run]', "17:2: [program] and [network] excl"),
]


@each_of(("old", "new", "said"), VALUES)
def test_a_mistake_in_a_network(old: str, new: str, said: str, mistakes: Mistakes) -> None:
    assert any(line.startswith(f"s.toml:{said}") for line in mistakes(edited(NETWORK, old, new)))


@each_of(
    ("old", "new", "said"),
    [
        ("   c\n", "   (c +\n", "7:1: expected a value, found the end of the text"),
        ("   c\n", f"   {'0' * 5000}\n", "6:4: a number has at most 400 characters, this one"),
        ("   c\n", "   é\n", r"6:4: the character '\xe9'"),
        ("   c\n", "   k\n", "6:4: 'k' has no value"),
        ("d = a + b", "d = a.b", "4:7: after '.' only T"),
        ('loss = "e"', 'loss = "f"', "8:8: no line assigns the loss 'f'"),
        ("a = 2.0", "lambda = 2.0, a = 1", "9:16: 'lambda' is a word of Python's"),
        ("a = 2.0", '"a b" = 2.0, a = 1', "9:16: 'a b' cannot be a name"),
        ("a = 2.0", "a = inf", "9:20: 'a' must be finite, not inf"),
        ("a = 2.0", "a = [1, nan]", "9:24: this must be finite, not nan"),
        ("a = 2.0", 'a = "x"', "9:20: 'a' must be a number, a list or a table, not 'x'"),
        ("loss =", "inputs = { a = 1 }\nloss =", "8:12: 'a' is a parameter already"),
        ("[program]", '[loss]\nkind = "mse"\n[program]', "2:2: [loss] goes with [network]"),
        ("a = 2.0", "x = 2.0, a = 1.0", None),
        ("a = 2.0", "da = 2.0, a = 1.0", "9:16: 'da' is the gradient of 'a'"),
        ('code = """', "code = '''", None),
    ],
)
def test_a_mistake_in_a_program(old: str, new: str, said: str | None, mistakes: Mistakes) -> None:
    text = edited(PROGRAM, old, new)
    if said is None and "'''" in new:
        text, said = text.replace('"""', "'''"), "5:9: '\\' is not used here: a line continues"
    elif said is None:
        text += "[data]\nx = [[1]]\ny = [1]\n"
        said = "9:16: 'x' is the batch of the data"
    assert any(line.startswith(f"s.toml:{said}") for line in mistakes(text))


ADDITIONS = """\
[[breakpoint]]
at = "forward 2"
when = "norm(dW7) > 1 and \\u006eorn(L) > 1"
[[watch]]
show = "W1[0] + c"
[[note]]
at = "foward"
text = "…"
[[expect]]
at = "z1"
cell = [0]
value = "0.3775"
[[expect]]
at = "W1"
cell = [0, 2]
value = "1"
[[expect]]
at = "lrr"
value = "1"
"""


def test_additions_speak_of_what_the_program_has(mistakes: Mistakes) -> None:
    assert mistakes(NETWORK + ADDITIONS) == [
        "s.toml:20:6: the program has no tensor, phase or layer 'forward 2'"
        " (did you mean 'forward 1'?)",
        "s.toml:21:14: the program has no tensor 'dW7' (did you mean 'dW1'?)",
        "s.toml:21:27: there is no function 'norn' (did you mean 'norm'?)",
        "s.toml:23:17: the program has no tensor 'c'",
        "s.toml:25:6: the program has no tensor, phase or layer 'foward' (did you mean 'forward'?)",
        "s.toml:29:8: a cell of z1 has 2 indices, this one 1",
        "s.toml:33:12: W1 has shape (2, 2), so that this index is below 2",
        "s.toml:36:6: the program has no tensor 'lrr' (did you mean 'lr'?)",
    ]


def test_the_shape_of_every_tensor_of_a_program_is_known(mistakes: Mistakes) -> None:
    cells = "".join(
        f'[[expect]]\nat = "{name}"\ncell = [0]\nvalue = "1"\n'
        for name in ("d", "dd", "da", "m_a", "t")
    )
    adam = '[optimizer]\nkind = "adam"\n'
    assert mistakes(PROGRAM + adam + cells) == [
        f"s.toml:{line}:8: a cell of {name} has 0 indices, this one 1"
        for line, name in ((14, "d"), (18, "dd"), (22, "da"), (26, "m_a"), (30, "t"))
    ]


@each_of(
    ("addition", "said"),
    [
        ('[[watch]]\nshow = "W1[0"', "20:13: expected ']' to close '['"),
        ('[[breakpoint]]\nat = "L"\nwhen = "L = 1"', "21:11: a condition compares with '=='"),
        ('[[breakpoint]]\nat = "L"\nhits = 0', "21:8: 'hits' must be a whole number >= 1"),
        ('[[breakpoint]]\nwhen = "L > 1"', "19:1: the key 'at' is missing"),
        ('[[expect]]\nat = "L"\nvalue = "0.3x"', "21:9: '0.3x' is no number"),
        ('[[expect]]\nat = "L"\nvalue = 0.3', "21:9: 'value' must be text in quotation marks"),
        ('[[note]]\nat = "L"\ntext = 3', "21:8: 'text' must be text in quotation marks, not 3"),
    ],
)
def test_a_mistake_in_an_addition(addition: str, said: str, mistakes: Mistakes) -> None:
    assert mistakes(NETWORK + addition + "\n")[0].startswith(f"s.toml:{said}")


@pytest.fixture
def sound(tmp_path: Path) -> Scenario:
    """The network without a mistake."""
    path = tmp_path / "sound.toml"
    path.write_text(NETWORK)
    return load(path)


@each_of(
    ("keys", "command", "place"),
    [
        ('at = "lr"', "break lr", "20:6"),
        ('at = "line 99"', "break line 99", "20:6"),
        ('at = "layer 2"', "break layer 2", "20:6"),
        ('at = "forward 2"', "break forward 2", "20:6"),
        ('at = "forward one"', "break forward  one", "20:6"),
        ('at = "L"\nwhen = "norm(dW9) > 1"', "break L if norm(dW9) > 1", "21:14"),
        ('at = "L"\nwhen = "L > "', "break L if L >", "21:13"),
        ('at = "L"\nwhen = " "', "break L if", "21:9"),
        ('at = "L"\nlog = "{dW9}"', 'break L log "{dW9}"', "21:9"),
        ('at = "L"\nlog = "L: {L}, {dW1 +}"', 'break L log "L: {L}, {dW1 +}"', "21:22"),
        ('at = "L"\nlog = "\\u001b\\"{norn(L)}"', 'break L log """{norn(L)}"', "21:17"),
        ('at = \'L\'\nlog = """\nso\n{L\n+ c}"""', 'break L log "{L + c}"', "24:3"),
        ('at = "L"\nlog = "{ }"', 'break L log "{ }"', "21:9"),
    ],
)
def test_a_breakpoint_is_refused_with_the_words_of_the_prompt(
    keys: str, command: str, place: str, mistakes: Mistakes, sound: Scenario
) -> None:
    with pytest.raises(TextError) as caught:
        Interpreter(Session(sound)).execute(command)
    said = mistakes(f"{NETWORK}[[breakpoint]]\n{keys}\n")
    assert said == [f"s.toml:{place}: {caught.value.message}"]


def test_a_watched_expression_is_refused_with_the_words_of_the_prompt(
    mistakes: Mistakes, sound: Scenario
) -> None:
    for show, column in (("norm(dW9)", 14), ("norn(L)", 9), ("W1 +", 13)):
        with pytest.raises(TextError) as caught:
            Interpreter(Session(sound)).execute(f"watch {show} changes")
        said = mistakes(f'{NETWORK}[[watch]]\nshow = "{show}"\n')
        assert said == [f"s.toml:20:{column}: {caught.value.message}"]


def test_what_cannot_be_parsed_is_reported_with_the_mistakes_elsewhere(mistakes: Mistakes) -> None:
    text = NETWORK.replace("inputs = 2", "inputs = 0") + (
        '[[breakpoint]]\nat = "L"\nwhen = "L >"\nlog = "{L"\n'
        '[[breakpoint]]\nat = "L"\nlog = "{+}"\n'
        '[[watch]]\nshow = "W1["\n'
    )
    assert [line.split(":")[1:3] for line in mistakes(text)] == [
        ["3", "10"],
        ["21", "12"],
        ["25", "9"],
        ["27", "12"],
    ]


def test_a_number_where_a_table_belongs(mistakes: Mistakes) -> None:
    text = NETWORK.replace("[run]\niterations = 10\n", "").replace(
        "[network]", "run = 3\n[network]"
    )
    assert mistakes(text) == ["s.toml:2:7: 'run' must be a table, not 3"]


def test_several_mistakes_are_reported_at_once_in_order(mistakes: Mistakes) -> None:
    text = (
        NETWORK.replace("0.5\n", "-1\n")
        .replace("inputs = 2", "inputs = 0")
        .replace("[run]", "[rn]")
    )
    lines = [line.split(":")[1] for line in mistakes(text)]
    assert lines == ["3", "13", "17"]


def test_a_matrix_of_the_other_layout_is_recognised(mistakes: Mistakes) -> None:
    text = NETWORK.replace("inputs = 2", "inputs = 3").replace(
        "[[0.15, 0.20], [0.25, 0.30]]", "[[1, 2], [3, 4], [5, 6]]"
    )
    assert mistakes(text)[0] == (
        's.toml:7:11: expected shape (2, 3), found (3, 2); it would fit layout = "in_out"'
    )


CROSS_ENTROPY = NETWORK.replace("mse", "cross_entropy").replace("sigmoid", "softmax")


@each_of(
    ("text", "y", "said"),
    [
        (CROSS_ENTROPY, "[0, 2]", "16:9: there is no class 2: the output has 2, counted from 0"),
        (CROSS_ENTROPY, "[[0], [-1]]", "16:12: there is no class -1"),
        (CROSS_ENTROPY, "[0, 0.5]", "16:9: class indices are whole numbers from 0 to 1, not 0.5"),
        (
            CROSS_ENTROPY,
            "[0.0, 1.0]",
            "16:6: class indices are whole numbers from 0 to 1: write 0, not 0.0",
        ),
        (
            CROSS_ENTROPY,
            "[0.0, inf]",
            "16:11: class indices are whole numbers from 0 to 1, not inf",
        ),
        (CROSS_ENTROPY, "[[1, 0, 0], [0, 1, 0]]", "16:5: expected shape (2, 2), a target row"),
        (
            NETWORK.replace("mse", "binary_cross_entropy"),
            "[[0, 1], [0.5, 1.5]]",
            "16:20: binary_cross_entropy takes targets from 0 to 1, not 1.5",
        ),
        (NETWORK, "[[[0], [1]], [[1], [0]]]", "16:5: expected shape (2, 2)"),
    ],
)
def test_targets_that_the_loss_does_not_accept(
    text: str, y: str, said: str, mistakes: Mistakes
) -> None:
    assert mistakes(edited(text, "[[0.01, 0.99], [0, 1]]", y))[0].startswith(f"s.toml:{said}")


@each_of("loss", ["", '[loss]\nkind = "mes"\n', "[loss]\nreduction = 3\n", "[loss]\ndelta = 1\n"])
def test_the_layers_are_checked_whatever_the_loss(loss: str, mistakes: Mistakes) -> None:
    text = edited(edited(NETWORK, '[loss]\nkind = "mse"\n', loss), "[0.25, 0.30]", "[0.25, nan]")
    assert any("7:33: this must be finite, not nan" in line for line in mistakes(text))
    assert len(mistakes(text)) > 1
