"""The wheel has every file of the packages, and nothing else.

A subpackage that is missing from the list in pyproject.toml works when installed editable and is
gone when installed for good.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SUFFIXES = {".py", ".tcss", ".toml", ".csv", ".npz", ".typed"}


def test_the_wheel_has_the_files_of_the_tree(tmp_path: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "engine", "tui", "scenarios"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    expected = {f"nnstep/{name}" for name in tracked}
    assert {Path(name).suffix or Path(name).name for name in tracked} <= SUFFIXES | {"py.typed"}
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == expected
