"""The checksum of a session file: it tells a number that was damaged from one that was meant."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def checksum(table: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a file's table without its key `check`, in hexadecimal.

    It is that of the values, so a file may be laid out in another way.
    """
    rest = {key: value for key, value in table.items() if key != "check"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
