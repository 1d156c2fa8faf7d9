"""Tests of what is compiled under the address and undefined behaviour sanitizers: `make sanitize`.

A read or write beyond what belongs to it ends the run, whatever it would have read.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
TESTS = [
    "tests/archive/writer/test_express.py",
    "tests/archive/format/test_change_block.py",
    "tests/hostile/test_any_bytes.py",
]


def main() -> int:
    """Compile them, and run their tests with them in the place of the installed ones."""
    sys.path.insert(0, str(ROOT))
    from hatch_build import compiled

    os.chdir(ROOT)
    library = _told("cc", "-print-file-name=libasan.so")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"CFLAGS": f"{SANITIZERS} -O1 -g", "LDFLAGS": SANITIZERS}
        compiled(Path(folder))
        environment = os.environ | {
            "COMPILED_UNDER_TEST": folder,
            "LD_PRELOAD": library,
            "PYTHONMALLOC": "malloc",  # or it would not see where an object ends
            "ASAN_OPTIONS": "detect_leaks=0",  # Python frees little at its end
        }
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "sanitized"]
        return subprocess.run(
            [*command, "-k", "compiled or express_lane or block_of_changes", *TESTS],
            env=environment | {"PYTHONPATH": str(ROOT / "tests")},
            check=False,
        ).returncode


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
