"""What is compiled where a C compiler is, and its twin in Python."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest


def can_compile() -> bool:
    """Whether a compiler and Python's headers are here."""
    headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    return headers and shutil.which("cc") is not None


def choose(
    module: ModuleType, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Let a module use its twin in Python, or what is compiled; that may be missing."""
    if request.param == "python":
        monkeypatch.setattr(module, "compiled", None)
    elif module.compiled is None:
        pytest.skip("not compiled here")
    return str(request.param)
