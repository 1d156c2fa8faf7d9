"""Compiles the package's hot loops (its `.pyx` files) where a C compiler is.

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

MODULES = (
    "cdc_archive.archive.writer.compiled_lane",
    "cdc_archive.archive.format.compiled_block",
)


class Compiled(BuildHookInterface[Any]):
    """See the module."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the compiled modules into the wheel, which then is of this platform."""
        root = Path(self.root)
        try:
            built = compiled(root)
        except Exception as error:  # noqa: BLE001  # whatever it is, the package works without
            self.app.display_warning(f"cdc-archive: its hot loops are not compiled: {error}")
            for module in MODULES:
                source = _source(module)
                for stale in (root / source.parent).glob(f"{source.stem}.*.so"):
                    stale.unlink()
            return
        build_data["artifacts"] += [f"/{path.relative_to(root).as_posix()}" for path in built]
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def compiled(root: Path) -> list[Path]:
    """Compile the modules of the repository that is the working folder, all or none.

    Args:
        root: each comes into its package's folder below this one.

    Raises:
        Exception: Cython, setuptools, a compiler or Python's headers are missing.
    """
    if os.environ.get("CDC_ARCHIVE_PURE"):
        raise RuntimeError("CDC_ARCHIVE_PURE is set")
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    with tempfile.TemporaryDirectory() as work:
        extensions = [
            Extension(module, [str(_source(module))], extra_compile_args=_optimized())
            for module in MODULES
        ]
        modules = cythonize(extensions, build_dir=work, quiet=True)
        build = build_ext(Distribution({"name": "cdc-archive", "ext_modules": modules}))
        build.build_lib = build.build_temp = work
        build.ensure_finalized()
        build.run()
        made = [Path(build.get_ext_fullpath(module)) for module in MODULES]
        return [_put(file, root / file.relative_to(work)) for file in made]


def _source(module: str) -> Path:
    return Path(*module.split(".")).with_suffix(".pyx")


def _put(made: Path, place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    whole = Path(shutil.copy(made, place.with_name(f".{made.name}")))
    return whole.replace(place)  # a process that has the old one open keeps it


def _optimized() -> list[str]:
    return [] if sys.platform == "win32" else ["-O3", "-g0", "-fno-strict-aliasing"]
