"""What rests on a value that was edited since: the tensors that are stale at a place."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from nnstep.engine.program.program import Phase, Program

Version = tuple[str, int]


def stale_tensors(program: Program, place: int, edits: Sequence[Version]) -> frozenset[str]:
    """Return the names of the tensors that are stale at a place.

    `edits` holds the name of each edited tensor and the place at which it was edited, in order. A
    value goes back to all that was read to compute it, but a new parameter or buffer, which an
    update makes, stands for itself.
    """
    recent = [(name, at) for name, at in edits if at > place - 2 * len(program)]
    if not recent:
        return frozenset()
    by_place: dict[int, list[str]] = defaultdict(list)
    for name, at in recent:
        by_place[at].append(name)
    edited = {name for name, _ in recent}
    version: dict[str, int] = defaultdict(int)
    sources: dict[str, frozenset[Version]] = {}
    replaced: set[Version] = set()
    for now in range(max(0, recent[0][1] - len(program)), place + 1):
        for name in by_place[now]:
            replaced.add((name, version[name]))
            version[name] += 1
            sources[name] = frozenset()
        if now < place:
            _follow(program, now, edited, version, sources)
    return frozenset(name for name, read in sources.items() if not read.isdisjoint(replaced))


def _follow(
    program: Program,
    place: int,
    edited: set[str],
    version: dict[str, int],
    sources: dict[str, frozenset[Version]],
) -> None:
    """Note what the instruction at a place wrote, and which versions that goes back to."""
    instruction = program.instructions[place % len(program)]
    read = _read(instruction.reads, edited, version, sources)
    for name in instruction.writes:
        version[name] += 1
        sources[name] = frozenset() if instruction.phase is Phase.UPDATE else read


def _read(
    names: Sequence[str],
    edited: set[str],
    version: Mapping[str, int],
    sources: Mapping[str, frozenset[Version]],
) -> frozenset[Version]:
    direct = frozenset((name, version[name]) for name in names if name in edited)
    return direct.union(*(sources.get(name, frozenset()) for name in names))
