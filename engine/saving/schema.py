"""The keys of a session file, with what each may hold."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from nnstep.engine.limits import MAX_COUNT

FORMAT = 1

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Positive = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Seed = Annotated[int, Meta(ge=0)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

Number = float | Literal["nan", "-nan", "inf", "-inf"]
"""JSON has no name for what is not finite, so that is written as text."""


class Table(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the file; what has its default is not written."""


class Scenario(Table, frozen=True):
    """Which scenario it is; see `Reference`."""

    digest: Digest
    name: str | None = None
    path: str | None = None
    relative: str | None = None


class Branch(Table, frozen=True):
    """A branch without its edits; its first ones are the first `inherited` of its parent's."""

    name: str
    seed: Seed
    newest: Count
    place: Count
    parent: str | None = None
    fork: Count = 0
    inherited: Count = 0


class Edit(Table, frozen=True):
    """An edit that was made on a branch."""

    branch: str
    place: Count
    tensor: str
    index: tuple[Count, ...]
    value: Number


class Breakpoint(Table, frozen=True):
    """A breakpoint, as the session has it."""

    number: Positive
    at: str | None = None
    when: str | None = None
    after: Count = 0
    every: Positive = 1
    log: str | None = None
    enabled: bool = True


class Watchpoint(Table, frozen=True):
    """A watchpoint, as the session has it."""

    number: Positive
    expression: str
    mode: Literal["changes", "crosses"] = "changes"
    value: Number = 0.0
    enabled: bool = True


class File(Table, frozen=True):
    """A session file; `check` is the checksum of all the rest."""

    format: Literal[1]
    nnstep: str
    scenario: Scenario
    current: str
    branches: tuple[Branch, ...]
    left: str | None = None
    iterations: Count | None = None
    edits: tuple[Edit, ...] = ()
    breakpoints: tuple[Breakpoint, ...] = ()
    watchpoints: tuple[Watchpoint, ...] = ()
    watches: tuple[str, ...] = ()
    check: Digest | None = None
