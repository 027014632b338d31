"""The wheel has every file of the packages, and nothing else.

A subpackage that is missing from the list in pyproject.toml works when installed editable and is
gone when installed for good.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "tui", "scenarios")
SUFFIXES = {".py", ".toml", ".csv", ".npz"}


def test_the_wheel_has_the_files_of_the_tree(tmp_path: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tracked = [Path(name) for name in listed.stdout.split()]
    packaged = [path for path in tracked if path.parts[0] in PACKAGES]
    assert all(path.suffix in SUFFIXES or path.name == "py.typed" for path in packaged)
    tree = tmp_path / "tree"
    for path in (*packaged, *map(Path, ("pyproject.toml", "README.md", "LICENSE"))):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tree / path)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, tree],
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    in_wheel = {name for name in names if ".dist-info/" not in name}
    assert in_wheel == {f"nnstep/{path}" for path in packaged}
