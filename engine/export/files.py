"""Where an export goes: to a stream, or into files of which none was there before."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.files import write_whole

from .errors import ExportError
from .script import Script


def name_beside(path: Path) -> str:
    """Return the name of the NPZ file with the large arrays of a script that will be at `path`."""
    beside = path.with_suffix(".npz").name
    return beside if beside != path.name else f"{path.stem}_data.npz"


def write_script(script: Script, path: Path, *, force: bool = False) -> list[Path]:
    """Write a script, and what it loads into the file beside it; return what was written.

    Raises `ExportError` if one of the files is there and `force` is not given, `OSError` if one
    cannot be written.
    """
    files = {path: script.text.encode()}
    if script.stored:
        files = {path.with_name(name_beside(path)): npz(script.stored), **files}
    for each in files:
        refuse_overwriting(each, force=force)
    for each, content in files.items():
        write_whole(each, content)
    return list(files)


def refuse_overwriting(path: Path, *, force: bool) -> None:
    """Raise `ExportError` if there is something at a path, unless it may be overwritten."""
    if not force and (path.exists() or path.is_symlink()):
        raise ExportError(f"{path} is there already, and stays as it is: --force overwrites it")


def npz(arrays: Mapping[str, Array]) -> bytes:
    """Return the content of an NPZ file of arrays, whatever their names."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return content.getvalue()
