"""The test vectors that stand in schemas/ARCHIVE_FORMAT.md."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from cdc_archive import schema_files


@cache
def vectors() -> dict[str, Any]:
    """All vectors of the specification by their name."""
    text = schema_files.read("ARCHIVE_FORMAT.md").decode()
    blocks = re.finditer(r"```json vectors=(\w+)\n(.*?)```", text, re.DOTALL)
    return {block[1]: json.loads(block[2]) for block in blocks}
