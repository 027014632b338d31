"""Fixtures of several test modules."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from examples import USUAL
from hypothesis import settings
from scenario_texts import Mistakes

# In the processes that tests start: to make a pool of threads takes longer than most of them need.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Let no test pass over a failure that the app would survive, in a terminal either.
os.environ["NNSTEP_FAILURES"] = "raise"

# The same examples in every run, and none kept in a file: a test that passes here passes elsewhere.
# `pytest --hypothesis-profile many` looks at many more, `… explore` at others in every run.
settings.register_profile(
    "same", deadline=None, derandomize=True, database=None, max_examples=USUAL
)
settings.register_profile("many", settings.get_profile("same"), max_examples=20 * USUAL)
settings.register_profile("explore", settings.get_profile("many"), derandomize=False)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Have the same examples not depend on which modules were loaded before.

    Hypothesis draws constants from them, which to gather also takes each process a second.
    """
    if config.getoption("--hypothesis-profile", None) in (None, "same"):
        is_asked = "hypothesis.internal.conjecture.providers.is_local_module_file"
        with suppress(ImportError, AttributeError):  # older versions draw none
            pytest.MonkeyPatch().setattr(is_asked, lambda _: False)


# Nearly all that is alive are modules, which to look through again and again takes a sixth of the
# time.
gc.freeze()
gc.set_threshold(20_000, 20, 100)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process for single files, which are done before others have started."""
    return None if any(Path(argument).is_dir() for argument in config.args) else 0


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Of a test marked `sweep(n)`, leave one case in n quick and call the others slow.

    Where the slow ones are not wanted they are not even made: they are more than all others.
    """
    if (sweep := metafunc.definition.get_closest_marker("sweep")) is None:
        return
    cases = metafunc._calls
    if metafunc.config.option.markexpr == "not slow":
        cases[:] = cases[:: sweep.args[0]]
        return
    for number, case in enumerate(cases):
        if number % sweep.args[0]:
            case.marks.append(pytest.mark.slow.mark)


def pytest_collection_finish() -> None:
    """Have the tests themselves not looked through again and again either.

    Pilot, where there are tests of the screen, is to wait for what the app still has to do, and not
    for an idle processor. Their apps have the same styles, and a terminal of many colours.
    """
    gc.freeze()
    if "textual.pilot" in sys.modules:
        from quiet_app import until_quiet, until_screen_is_quiet
        from remembered_styles import parse_once

        patch = pytest.MonkeyPatch()
        for module in ("app", "pilot"):
            patch.setattr(f"textual.{module}.wait_for_idle", until_quiet)
        patch.setattr("textual.pilot.Pilot._wait_for_screen", until_screen_is_quiet)
        patch.setattr("textual.css.stylesheet.Stylesheet._parse_rules", parse_once)


@pytest.fixture(scope="session")
def new_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of folders that are not there yet."""
    parent = tmp_path_factory.mktemp("of")
    return (parent / str(number) for number in count())


STATES = TemporaryDirectory(prefix="nnstep-states-")
NUMBERS = count()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let no test find, or leave, a session where a person's are kept.

    A fixture of every test would take longer than a small test does.
    """
    os.environ["XDG_STATE_HOME"] = f"{STATES.name}/{next(NUMBERS)}"


@pytest.fixture
def tmp_path(new_folders: Iterator[Path]) -> Path:
    """A folder of the test's own, as pytest's is, which takes a tenth of a small test's time."""
    folder = next(new_folders)
    folder.mkdir()
    return folder


@pytest.fixture
def mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mistakes:
    """A function that loads a text as `s.toml` and returns what is said of it."""
    monkeypatch.chdir(tmp_path)

    # Imported here, since the process that hands out tests to others needs no engine.
    from nnstep.engine.loading import load
    from nnstep.engine.scenario.errors import ScenarioError

    def said(content: str | bytes) -> list[str]:
        Path("s.toml").write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(ScenarioError) as caught:
            load("s.toml")
        assert str(caught.value).splitlines() == list(map(str, caught.value.problems))
        return str(caught.value).splitlines()

    return said
