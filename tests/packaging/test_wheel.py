"""The wheel works by itself: installed into an empty venv, away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.compiled import can_compile

ROOT = Path(__file__).parents[2]


SOURCES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "cdc_archive").rglob("*.pyx")}


def built(source: Path, folder: Path, **settings: str) -> Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source],
        env=os.environ | settings,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def compiled_in(wheel: Path) -> set[str]:
    """The sources of the compiled modules that a wheel carries."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return {f"{name.partition('.')[0]}.pyx" for name in names if name.endswith(".so")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_every_hot_loop_compiled(wheel: Path) -> None:
    """Where a compiler and Python's headers are; all or none."""
    assert len(SOURCES) > 1
    assert compiled_in(wheel) == (SOURCES if can_compile() else set())


def test_a_pure_wheel_carries_nothing_that_was_compiled_before(tmp_path: Path) -> None:
    """It is for any platform, and leaves no compiled module beside its source."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "cdc_archive", source / "cdc_archive")
    shutil.copytree(ROOT / "schemas", source / "schemas")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source)
    wheel = built(source, tmp_path, CDC_ARCHIVE_PURE="1")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not compiled_in(wheel)
    assert not [*source.rglob("*.so")]


def test_the_wheel_carries_the_schemas_of_the_repository(wheel: Path) -> None:
    """One copy in the repository, the same bytes in the wheel; no tests, no captures."""
    with zipfile.ZipFile(wheel) as archive:
        carried = {
            name.removeprefix("cdc_archive/schemas/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("cdc_archive/schemas/")
        }
        assert not any("tests" in name or "captures" in name for name in archive.namelist())
    folder = ROOT / "schemas"
    here = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert carried == here


def test_the_wheel_runs_in_an_empty_venv(wheel: Path, tmp_path: Path) -> None:
    """Import a recording, look at it, replay it."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin/pip", "install", "-q", wheel], check=True)
    (tmp_path / "archive").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "CDC_ARCHIVE_STORE__URL": str(tmp_path / "archive"),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [venv / "bin/cdc-archive", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--version").stdout.startswith("cdc-archive, version ")
    capture = ROOT / "tests/captures/pg_jp.jsonl.gz"
    assert run("import", str(capture)).returncode == 0
    assert "lab.app.api_key" in run("ls").stdout
    replayed = run("replay")
    assert replayed.returncode == 0
    assert '"type":"api_key.created"' in replayed.stdout
    demo = run("demo")
    assert demo.returncode == 3
    assert "pip install 'cdc-archive[demo]'" in demo.stderr
