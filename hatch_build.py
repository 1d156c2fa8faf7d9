"""Compiles the express lane (cdc_archive/archive/writer/compiled_lane.pyx) where a C compiler is.

Where there is none, or `CDC_ARCHIVE_PURE` is set while installing, Python does the same work, more
slowly. What was compiled lies beside its source, so that an editable installation finds it too.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "cdc_archive.archive.writer.compiled_lane"


class CompiledLane(BuildHookInterface[Any]):
    """See the module."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the compiled module into the wheel, which then is of this platform."""
        folder = Path(self.root, *MODULE.split(".")[:-1])
        try:
            built = compiled(folder)
        except Exception as error:  # noqa: BLE001  # whatever it is, the package works without
            self.app.display_warning(f"cdc-archive: the express lane is not compiled: {error}")
            for stale in folder.glob("compiled_lane.*.so"):
                stale.unlink()
            return
        build_data["artifacts"].append(f"/{built.relative_to(self.root).as_posix()}")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def compiled(folder: Path) -> Path:
    """Compile the module of the repository that is the working folder into a folder.

    Raises:
        Exception: Cython, setuptools, a compiler or Python's headers are missing.
    """
    if os.environ.get("CDC_ARCHIVE_PURE"):
        raise RuntimeError("CDC_ARCHIVE_PURE is set")
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    source = Path(*MODULE.split(".")).with_suffix(".pyx")
    with tempfile.TemporaryDirectory() as work:
        modules = cythonize(
            [Extension(MODULE, [str(source)], extra_compile_args=_optimized())],
            build_dir=work,
            quiet=True,
        )
        build = build_ext(Distribution({"name": "cdc-archive", "ext_modules": modules}))
        build.build_lib = build.build_temp = work
        build.ensure_finalized()
        build.run()
        made = Path(build.get_ext_fullpath(MODULE))
        whole = Path(shutil.copy(made, folder / f".{made.name}"))
        return whole.replace(folder / made.name)  # a process that has the old one open keeps it


def _optimized() -> list[str]:
    return [] if sys.platform == "win32" else ["-O3", "-g0", "-fno-strict-aliasing"]
