"""Many small cases of one kind in one test: to report a test takes longer than such a case does."""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import signature
from typing import Any

import pytest

FAILURES = (Exception, pytest.fail.Exception)
MARKED = type(pytest.param(0))


def each_of(
    names: str | tuple[str, ...], cases: Iterable[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with each of the cases, as `pytest.mark.parametrize` does, but as one test.

    `names` are the parameters that a case gives: a single one, or several for cases that are
    tuples. Two decorators, one above the other, give all combinations. All cases run, and all
    that fail are told, each with its values. They share their fixtures, such as `tmp_path`.
    """
    parameters = (names,) if isinstance(names, str) else names
    cases = list(cases)
    values = [(case,) if isinstance(names, str) else tuple(case) for case in cases]
    if not values or any(isinstance(case, MARKED) for case in cases):
        raise ValueError("one test has at least one case, and no marks of their own for some")

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def run(**fixtures: Any) -> None:
            failed = []
            for case in values:
                given = dict(zip(parameters, case, strict=True))
                try:
                    test(**given, **fixtures)
                except FAILURES as failure:
                    failure.add_note(f"with {given!r:.400}")
                    failed.append(failure)
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(values)} cases fail", failed)

        left = signature(test)
        kept = [one for name, one in left.parameters.items() if name not in parameters]
        run.__signature__ = left.replace(parameters=kept)  # type: ignore[attr-defined]
        return run

    return decorate
