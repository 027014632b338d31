"""A session file that is damaged, or was made to do harm, is refused in plain words."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from building import network
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nnstep.engine.loading import load
from nnstep.engine.saving.decode import Decoded, decode
from nnstep.engine.saving.encode import encode
from nnstep.engine.saving.errors import SessionFileError
from nnstep.engine.saving.files import MAX_SESSION_BYTES, read_session
from nnstep.engine.saving.old_reference import reference_to
from nnstep.engine.saving.restore import restore
from nnstep.engine.saving.state import save
from nnstep.engine.scenario.model import Run
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint, Watchpoint

Table = dict[str, Any]


def sample() -> Session:
    session = Session(load("mazur"))
    session.seek(60)
    session.seek(20)
    session.edit("W1", (0, 1), float("nan"))
    session.seek(40)
    session.seek(30)
    session.edit("lr", (), 0.25)
    session.stops.add(Breakpoint("dW1", "norm(dW1) > 1", after=2, log="β {L}"))
    session.stops.add(Watchpoint("W1[0, 0]", "crosses", 0.25))
    session.watch("norm(dW1)")
    return session


SAMPLE = sample()
CONTENT = encode(save(SAMPLE), reference_to(SAMPLE.scenario))


def table() -> Table:
    """Return the sample as a table that may be changed: without its checksum."""
    return {key: value for key, value in json.loads(CONTENT).items() if key != "check"}


def refused(content: bytes) -> str:
    with pytest.raises(SessionFileError) as caught:
        decode(content)
    return str(caught.value)


def refused_table(changed: Table) -> str:
    return refused(json.dumps(changed).encode())


def meaning(decoded: Decoded) -> str:
    """Return all that a file says as text, for NaN is not equal to NaN."""
    return repr(decoded)


def test_every_truncation_is_refused() -> None:
    end = len(CONTENT.rstrip())
    for length in range(end):
        refused(CONTENT[:length])
    assert meaning(decode(CONTENT[:end])) == meaning(decode(CONTENT))


def test_a_truncated_file_says_where_it_ends() -> None:
    lines = CONTENT.decode().splitlines()
    content = "\n".join(lines[:5])
    with pytest.raises(SessionFileError) as caught:
        decode(content.encode())
    assert (caught.value.line, caught.value.column) == (5, len(lines[4]) + 1)
    assert str(caught.value) == (
        "the file ends too early; the file is damaged, and was left as it is"
    )


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_changes_no_meaning_unseen(at: int, by: int) -> None:
    changed = bytearray(CONTENT)
    changed[at] ^= by
    try:
        found = decode(bytes(changed))
    except SessionFileError:
        return
    assert meaning(found) == meaning(decode(CONTENT))


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 10**9))
def test_a_file_that_lost_or_repeats_a_part_changes_no_meaning_unseen(seed: int) -> None:
    choose = random.Random(seed)
    start, end = sorted(choose.choices(range(len(CONTENT) + 1), k=2))
    changed = CONTENT[:start] + choose.choice([b"", CONTENT[start:end] * 2]) + CONTENT[end:]
    try:
        found = decode(changed)
    except SessionFileError:
        return
    assert meaning(found) == meaning(decode(CONTENT))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_are_more_than_refused(content: bytes) -> None:
    refused(content)


# Without its checksum, as somebody may write it by hand, what it says is judged for itself.


def test_the_layout_is_of_no_consequence() -> None:
    loose = json.dumps(json.loads(CONTENT), indent=7, sort_keys=True).replace("\n", "\r\n")
    assert meaning(decode(b"\xef\xbb\xbf" + loose.encode())) == meaning(decode(CONTENT))
    assert meaning(decode(json.dumps(table()).encode())) == meaning(decode(CONTENT))


def test_the_line_of_the_checksum_can_be_deleted() -> None:
    lines = [line for line in CONTENT.splitlines() if not line.startswith(b'  "check"')]
    assert len(lines) == len(CONTENT.splitlines()) - 1
    changed = b"\n".join(lines).replace(b"0.25", b"0.75")
    assert repr(decode(changed).saved).count("0.75") == 2
    assert "delete the line" in refused(CONTENT.replace(b"0.25", b"0.75"))


def wrong_tables() -> Iterator[tuple[str, Table, str]]:
    """Yield what is wrong, the table, and a part of what is said of it."""
    base = table()
    main, b1, b2 = base["branches"]
    first, second = base["edits"]
    hit, watched = base["breakpoints"][0], base["watchpoints"][0]

    def branches(*tables: Table) -> Table:
        return {**base, "branches": list(tables)}

    def edits(*tables: Table) -> Table:
        return {**base, "edits": list(tables)}

    yield "format 2", {**base, "format": 2}, "reads format 1, and the file has 2"
    yield "huge format", {**base, "format": 10**400}, "the file has a huge number"
    yield "format true", {**base, "format": True}, "format must be a whole number"
    yield "no format", {k: v for k, v in base.items() if k != "format"}, "key 'format' is missing"
    yield "unknown key", {**base, "breakpoint": []}, "unknown key 'breakpoint'"
    yield "control in key", {**base, "\x1b[2J": 0}, r"unknown key '\x1b[2J'"
    yield "a list", {**base, "scenario": []}, "scenario must be a table"
    yield "no digest", {**base, "scenario": {"name": "mazur"}}, "'digest' is missing in scenario"
    yield "digest", {**base, "scenario": {"digest": "x"}}, "scenario.digest must be text"
    yield "no branch", {**branches(), "edits": []}, "it has 0 branches, not 1 to"
    yield "current", {**base, "current": "b3"}, "there is no branch 'b3'"
    yield "current empty", {**base, "current": ""}, "there is no branch ''"
    yield "left", {**base, "left": ""}, "there is no branch ''"
    yield "twice", branches(main, b1, {**b2, "name": "b1"}), "on 'b2', which is no branch"
    yield "same name", branches(main, main, b1, b2), "there are two branches 'main'"
    yield "own parent", branches({**main, "parent": "main"}, b1, b2), "no earlier branch"
    yield "later parent", branches(b1, main, b2), "'b1' leaves 'main', which is no earlier branch"
    yield "no parent", branches({**main, "fork": 2}, b1, b2), "has a fork, but leaves no branch"
    yield "fork", branches({**main, "newest": 19, "place": 0}, b1, b2), "where that never was"
    yield "newest", branches(main, {**b1, "newest": 19, "place": 3}, b2), "'b1' is not in order"
    yield "place", branches(main, b1, {**b2, "place": 31}), "at a place beyond its newest"
    yield "negative", branches({**main, "newest": -1}, b1, b2), "branches[0].newest must be"
    yield "float", branches({**main, "newest": 60.0}, b1, b2), "branches[0].newest must be"
    yield "large", branches({**main, "newest": 2**53 + 1}, b1, b2), "branches[0].newest must be"
    yield "seed", branches(main, {**b1, "seed": 1}, b2), "another seed than the branch that it"
    yield "inherited", branches(main, b1, {**b2, "inherited": 2}), "the edits from before its fork"
    yield "not inherited", branches(main, b1, {**b2, "inherited": 0}), "edits from before its fork"
    yield "inherited early", branches(main, {**b1, "inherited": 1}, b2), "edits from before its"
    yield "branch of an edit", edits({**first, "branch": "b"}), "an edit is on 'b', which is no"
    yield "early edit", edits({**first, "place": 19}, second), "'b1' is not in order"
    yield "late edit", edits({**first, "place": 41}, second), "'b1' is not in order"
    yield "order", edits({**first, "place": 22}, first, second), "'b1' is not in order"
    yield "index", edits({**first, "index": [-1, 0]}, second), "edits[0].index[0] must be"
    yield "value", edits({**first, "value": "Nan"}, second), "edits[0].value is a word that has no"
    yield "null", edits({**first, "value": None}, second), "edits[0].value must be"
    yield "number", {**base, "breakpoints": [{**hit, "number": 0}]}, "[0].number must be"
    yield "every", {**base, "breakpoints": [{**hit, "every": 0}]}, "[0].every must be"
    yield "same", {**base, "breakpoints": [{**hit, "number": 2}]}, "two breakpoints have the number"
    yield "mode", {**base, "watchpoints": [{**watched, "mode": "is"}]}, "[0].mode is a word that"
    yield "tag", {**base, "watchpoints": [{**watched, "at": "W1"}]}, "unknown key 'at' in watchp"
    yield "log", {**base, "breakpoints": [{**hit, "log": "\x1b[2J"}]}, "character that cannot be"
    yield "at", {**base, "breakpoints": [{**hit, "at": "line\x0b7"}]}, "character that cannot be"
    yield "watch", {**base, "watches": ["\u202e"]}, "character that cannot be shown"


@pytest.mark.parametrize(
    ("changed", "said"), [pytest.param(*case[1:], id=case[0]) for case in wrong_tables()]
)
def test_what_makes_no_sense_is_refused(changed: Table, said: str) -> None:
    message = refused_table(changed)
    assert said in message
    assert message.isprintable()


def test_the_table_that_all_these_were_made_from_is_sound() -> None:
    assert meaning(decode(json.dumps(table()).encode())) == meaning(decode(CONTENT))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file ends too early"),
        (b"[" * 10**6, "must be a table"),
        (b'{"a": ' + b"[" * 10**6, "nested too deeply"),
        (b'{"format": 1, "nnstep": "\xff"}', "this byte is not UTF-8 text"),
        (b'{"format": NaN}', "this is not valid JSON"),
        (b"null", "must be a table"),
    ],
    ids=["empty", "list", "deep", "bytes", "nan", "null"],
)
def test_what_is_no_table_is_refused(content: bytes, said: str) -> None:
    assert said in refused(content)


def test_more_edits_than_memory_has_room_for_are_refused() -> None:
    changed = table()
    changed["edits"] = [{**changed["edits"][0], "branch": "main", "place": 0}] * 11_000
    changed["branches"] = changed["branches"][:1] + [
        {"name": f"x{i}", "seed": 0, "newest": 9, "place": 0, "parent": "main", "inherited": 11_000}
        for i in range(1000)
    ]
    changed.update(current="main", left=None)
    assert "more edits than can be taken up" in refused_table(changed)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Any) -> None:
    path = tmp_path / "large.session"
    path.write_bytes(CONTENT + b" " * MAX_SESSION_BYTES)
    with pytest.raises(SessionFileError, match="larger than 16 MiB"):
        read_session(path)


@pytest.mark.parametrize("name", ["/dev/zero", "none.session", "."])
def test_what_is_no_file_is_not_read(tmp_path: Any, name: str) -> None:
    with pytest.raises(SessionFileError):
        read_session(tmp_path / name)


# What only its scenario can tell


def restored(changed: Table) -> str:
    with pytest.raises(SessionFileError) as caught:
        restore(decode(json.dumps(changed).encode()).saved, SAMPLE.scenario)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tensor": "W9"}, "the edit at step 20 does not fit: there is no tensor 'W9'"),
        ({"tensor": "\x1b[2J"}, "there is no tensor"),
        ({"index": [2, 0]}, "index 2 is outside axis 0 of W1"),
        ({"index": [2**53, 0]}, "outside axis 0"),
        ({"index": [0]}, "takes 2 indices, not 1"),
        ({"index": [0] * 1000}, "takes 2 indices, not 1000"),
    ],
)
def test_an_edit_that_nobody_could_make_is_refused(change: Table, said: str) -> None:
    changed = table()
    changed["edits"][0].update(change)
    assert said in restored(changed)


@pytest.mark.parametrize("place", [0, 3])
def test_an_edit_of_a_tensor_without_value_is_refused(place: int) -> None:
    changed = table()
    changed["edits"] = [
        {"branch": "main", "place": place, "tensor": "dW1", "index": [0, 0], "value": 1.0}
    ]
    changed["branches"] = changed["branches"][:1]
    changed.update(current="main", left=None)
    assert "dW1 has no value yet" in restored(changed)


def test_an_edit_too_large_for_its_tensor_is_refused() -> None:
    case = network(dtype="float16", run=Run(iterations=9))
    session = Session(case)
    session.edit("W1", (0, 0), 1.0)
    saved = save(session)
    edit = replace(saved.branches[0].edits[0], value=1e6)
    saved = replace(saved, branches=(replace(saved.branches[0], edits=(edit,)),))
    with pytest.raises(SessionFileError, match="too large for float16"):
        restore(saved, case)


@pytest.mark.parametrize("name", ["", " ", "two words", "x" * 41, "\x1b[2J", "\u202ex"])
def test_a_name_that_no_branch_could_have_is_refused(name: str) -> None:
    changed = table()
    changed["branches"][0]["name"] = name
    changed["branches"][1]["parent"] = name
    assert "a branch's name is one word" in restored(changed)


@pytest.mark.parametrize(
    ("key", "entry", "said"),
    [
        ("breakpoints", {"number": 1, "at": "dW7"}, "the breakpoint 'break dW7' does not fit"),
        ("breakpoints", {"number": 1}, "the breakpoint 'break' does not fit"),
        ("breakpoints", {"number": 1, "at": "L", "when": "1 +"}, "does not fit"),
        ("watchpoints", {"number": 3, "expression": "("}, "does not fit"),
        ("watches", "W9 + 1", "the watch 'W9 + 1' does not fit"),
        ("watches", "W1 +" * 1000, "does not fit"),
    ],
)
def test_a_point_that_does_not_fit_is_refused(key: str, entry: object, said: str) -> None:
    assert said in restored({**table(), key: [entry]})


def test_a_place_beyond_the_end_of_the_run_is_refused_at_once() -> None:
    changed = table()
    changed["branches"][0]["newest"] = 10**15
    assert restored(changed) == (
        "its run ends at step 1600 now, and the session went on to step 1000000000000000; "
        "give the scenario more iterations"
    )


ODD: tuple[object, ...] = (0, 1, 2, 3, 20, 30, 40, 60, 1600, 2**53, -1, 0.5, True, None, "", "b1")
ODD += ("main", "W1", "y", "lr", "dW1", "norm(W1)", "line 3", "loss", "nan", "inf", [], [0], [1, 1])


def leaves(part: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where the values of a table can be replaced: the container and the key."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        yield part, key
        if isinstance(value, dict | list):
            yield from leaves(value)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 10**9))
def test_a_file_made_by_hand_is_restored_or_refused_whatever_it_says(seed: int) -> None:
    choose = random.Random(seed)
    changed = table()
    for _ in range(choose.randrange(1, 4)):
        container, key = choose.choice(list(leaves(changed)))
        container[key] = deepcopy(choose.choice(ODD))
    try:
        session = restore(decode(json.dumps(changed).encode()).saved, SAMPLE.scenario)
    except SessionFileError as error:
        assert str(error).isprintable()
    else:
        assert session is not None
        session.snapshot()
