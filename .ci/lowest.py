"""Prints the lowest versions that pyproject.toml allows of what nnstep needs, as constraints."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
for requirement in project["dependencies"]:
    name, version = re.match(r"([\w-]+)>=([\w.]+)", requirement).groups()
    print(f"{name}=={version}")
