"""What rests on a value that was edited since: the tensors that are stale at a place."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import count

from nnstep.engine.program.program import Phase, Program

Version = tuple[str, int]


def stale_tensors(program: Program, place: int, edits: Iterable[Version]) -> frozenset[str]:
    """Return the names of the tensors that are stale at a place.

    `edits` holds the name of each edited tensor and the place at which it was edited, in order. A
    value goes back to all that was read to compute it, but a new parameter or buffer, which an
    update makes, stands for itself.
    """
    recent = tuple((name, at) for name, at in edits if at > place - 2 * len(program))
    return _followed(program, place, recent) if recent else frozenset()


@lru_cache(16)  # it is asked for again and again as long as one is there
def _followed(program: Program, place: int, recent: tuple[Version, ...]) -> frozenset[str]:
    """Follow what was read from the pass before the first of some edits on."""
    by_place: dict[int, list[str]] = defaultdict(list)
    for name, at in recent:
        by_place[at].append(name)
    # A bit for each version of an edited tensor; and by tensor, the versions that it goes back to,
    # its own included.
    bits = count()
    version = {name: 1 << next(bits) for name, _ in recent}
    carried, replaced = dict(version), 0
    lines = program.instructions
    for now in range(max(0, recent[0][1] - len(lines)), place + 1):
        for name in by_place.get(now, ()):
            replaced |= version[name]
            version[name] = carried[name] = 1 << next(bits)
        if now == place:
            break
        line, read = lines[now % len(lines)], 0
        for name in line.reads:
            if name in carried:
                read |= carried[name]
        if line.phase is Phase.UPDATE:
            read = 0
        for name in line.writes:
            carried[name] = read
            if name in version:
                version[name] = 1 << next(bits)
                carried[name] |= version[name]
    return frozenset(name for name, read in carried.items() if read & replaced)
