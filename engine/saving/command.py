"""What the commands `save` and `sessions` do."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from nnstep.engine.commands.command import Answer, says, takes_long
from nnstep.engine.copying import check_new, write_files
from nnstep.engine.files import write_whole
from nnstep.engine.language.typed import Typed, blaming
from nnstep.engine.session.session import Session
from nnstep.engine.text import printable, quoted

from .journal import SUFFIX, Journal
from .recovery import delete, leftovers, state_folder
from .reference import SessionFileError
from .scenario_file import Written, scenario_file


def runs_of(journal: Journal) -> Mapping[str, Callable[[Session, Typed], Answer]]:
    """Return what carries out the commands about the files of sessions, by name."""

    def run_save(session: Session, text: Typed) -> Answer:
        name = _unquoted(text)
        path = Path(os.path.expanduser(name))  # noqa: PTH111 - never raises
        if not name.strip():
            raise text.error("say the file to write, as in save lesson")
        if path.name in ("", ".", "..") or name.endswith(_ENDS_A_FOLDER):
            raise text.error("say the file to write, as in save lesson: this names a folder")
        journal.note(session)

        def write(_: object) -> Answer:
            return says(f"The session is saved in {printable(str(save(journal, path)))}.")

        return takes_long(text, write, "saving")

    def run_save_scenario(session: Session, text: Typed) -> Answer:
        return _save_scenario(session, journal, text)

    return {"save": run_save, "save-scenario": run_save_scenario, "sessions": _sessions}


_ENDS_A_FOLDER = tuple(filter(None, (os.sep, os.altsep)))


def _unquoted(text: Typed) -> str:
    """Return a path as it is, or what stands between its quotation marks."""
    if not text.text.startswith('"'):
        return text.text
    inner, mark, more = text.text[1:].partition('"')
    if not mark or more:
        raise text.error('a path stands between two quotation marks, as in save "my lesson"')
    return inner


def save(journal: Journal, path: str | Path) -> Path:
    """Write a copy of a journal's file that `nnstep` opens; return its path, `.session` added.

    Raises `SessionFileError` if it cannot be written, and if there is a file already that is not
    the session's own, from an earlier `save` or from where it was opened.
    """
    target = Path(path)
    if target.name and target.suffix.lower() != SUFFIX:
        target = target.with_name(target.name + SUFFIX)
    try:
        resolved = target.resolve()  # a link stays one, and the file that it names is replaced
        if target.exists() and resolved != journal.own:
            problem = "there is such a file already; choose another name, or delete it first"
            raise SessionFileError(problem)
        write_whole(resolved, b"".join(journal.laid_out(resolved.parent)))
    except SessionFileError as error:
        raise error.of(str(path)) from None
    except OSError as error:
        reason = f"it cannot be written: {error.strerror or error}"
        if isinstance(error, FileNotFoundError):
            reason += f": there is no folder {quoted(str(target.parent))}"
        raise SessionFileError(reason, str(path)) from None
    except (RuntimeError, ValueError):
        raise SessionFileError("this cannot be a file's name", str(path)) from None
    journal.own = resolved
    return target


_FORCE = re.compile(r"(?:^|\s)--force$")


def _save_scenario(session: Session, journal: Journal, text: Typed) -> Answer:
    """Write the scenario as it is on this branch, and read it again to see that it is so."""
    found = text.cut(_FORCE)
    name = _unquoted(found[0] if found else text)
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - never raises
    if not name.strip() or path.name in ("", ".", "..") or name.endswith(_ENDS_A_FOLDER):
        raise text.error("say the file to write, as in save-scenario lesson.toml")
    if not path.suffix:
        path = path.with_name(f"{path.name}.toml")
    force = found is not None
    with blaming(text):
        if not force:
            check_new(path)

    def write(_: object) -> Answer:
        written = scenario_file(session)
        write_files({path: written.text.encode()}, force=force)
        return _told(written, path, journal)

    return takes_long(text, write, "writing the scenario")


def _told(written: Written, path: Path, journal: Journal) -> Answer:
    """Say that a scenario is written, and what of the session is not in it."""
    said = [f"The scenario is written to {printable(str(path))}.", *written.remarks]
    if written.changes_left:
        many = written.changes_left
        changes = "1 change stands" if many == 1 else f"{many} changes stand"
        own = f"{printable(str(journal.own))} has" if journal.own else "a session file keeps"
        what = "it" if many == 1 else "them"
        how = "" if journal.own else f", as in: save {printable(path.stem)}"
        said.append(f"{changes} after step 0 and not in it; {own} {what}{how}.")
    return says(" ".join(said))


def _sessions(session: Session, text: Typed) -> Answer:
    if text and (text.first.text != "delete" or len(text.words) > 2):
        raise text.error("sessions are listed, or one is deleted as in: sessions delete 1")
    number = text.rest.number("a session's number") if text else None
    return takes_long(text, lambda _: _left(text, number), "reading sessions")


def _left(text: Typed, number: int | None) -> Answer:
    """List what was left, or delete one of it."""
    found = leftovers()
    if number is not None:
        if not 1 <= number <= len(found):
            raise text.rest.error(
                f"the sessions are numbered from 1 to {len(found)}" if found else "there is none"
            )
        chosen = found[number - 1]
        try:
            delete(chosen.path)
        except OSError as error:
            raise text.rest.error(f"it cannot be deleted: {error.strerror or error}") from None
        return says(f"The session is deleted: {chosen}.")
    if not found:
        return says("No other session is left.")
    lines = [f"{number}: {each}" for number, each in enumerate(found, 1)]
    where = f"The gallery opens one, and so does: nnstep PATH. They are in {state_folder()}."
    return Answer((*lines, where), title="Sessions")
