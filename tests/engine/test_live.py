"""What is live is as in a dictionary, whatever is changed in the copies that share it."""

from random import Random

import numpy as np
import pytest
from building import expression, optimizer

from nnstep.engine.arrays import Array, sealed
from nnstep.engine.machine.live import Live, live, same_arrays
from nnstep.engine.session.session import Session

NAMES = [f"t{number}" for number in range(150)]


def new(choose: Random) -> Array:
    return sealed(np.array(choose.random()))


def assert_like(found: Live, expected: dict[str, Array]) -> None:
    for name in NAMES:
        assert found.get(name) is expected.get(name)
        assert (name in found) == (name in expected)
    assert len(found) == len(expected)


def test_copies_have_what_dictionaries_would_have() -> None:
    choose = Random(0)
    pairs = [(live({}), dict[str, Array]())]
    for _ in range(400):
        found, expected = choose.choice(pairs)
        match choose.choice(["copy", "one", "one", "many", "drop", "read"]):
            case "copy":
                pairs.append((found.again(), dict(expected)))
            case "one":
                name, array = choose.choice(NAMES), new(choose)
                found.update({name: array})
                expected[name] = array
            case "many":
                arrays = {name: new(choose) for name in choose.sample(NAMES, 90)}
                found.update(arrays.items())
                expected |= arrays
            case "drop":
                name = choose.choice(NAMES)
                found.drop(name)
                expected.pop(name, None)
            case _:
                assert {*found} == {*expected}
                assert found.keys() == expected.keys()
                assert all(expected[name] is array for name, array in found.items())
                assert all(expected[name] is array for name, array in found.copy().items())
        pairs = pairs[-12:]
    for found, expected in pairs:
        assert_like(found, expected)
    assert all(
        same_arrays(one, two) == (one.keys() == two.keys() and all(one[n] is two[n] for n in one))
        for one, _ in pairs
        for two, _ in pairs
    )


def test_what_is_not_there_is_an_error_as_in_a_dictionary() -> None:
    found = live({"a": sealed(np.array(1.0)), "b": sealed(np.array(2.0))})
    found.drop("a")
    for name in ("a", "c"):
        with pytest.raises(KeyError):
            found[name]
    assert found | {"c": found["b"]} == {"b": found["b"], "c": found["b"]}
    assert {"b": 0} | found == {"b": found["b"]}  # type: ignore[operator]
    assert repr(found) == repr({"b": found["b"]})
    assert not same_arrays(found, {})


def test_snapshots_of_a_run_stay_as_they_were_while_it_goes_on_and_back() -> None:
    lines = [f"a{number + 1} = a{number} * 1.01 + w" for number in range(90)]
    case = expression("\n".join(["a0 = w * 2", *lines]), "a90", w=0.5, optimized=optimizer())
    session, choose = Session(case, iterations=3), Random(3)
    kept = []
    for number in range(120):
        if number % 7 == 3:
            session.edit("w", (), choose.random())
        elif number % 3 == 2:
            session.back()
        else:
            session.advance(session.place + choose.choice([1, 1, 2, 60]))
        tensors = session.snapshot().tensors
        kept.append((tensors, {name: array.tobytes() for name, array in session.values().items()}))
    for tensors, expected in kept:
        assert {name: array.tobytes() for name, array in tensors.items()} == expected
