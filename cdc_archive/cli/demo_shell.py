"""The demo's commands as a person runs them: each in its own process, shown as it is typed."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from typing import IO, Any, Final

from rich.text import Text

from cdc_archive.cli import output
from cdc_archive.config import load
from cdc_archive.errors import CdcArchiveError
from cdc_archive.telemetry.terminal import printable

_PATIENCE_S: Final = 120.0
"""For one command."""
_ALL: Final = 1_000_000


class DemoFailed(CdcArchiveError):
    """The demo did not end as it must."""

    exit_code = 1


class Shell:
    """Commands of cdc-archive in one folder, whose settings file they find there.

    Args:
        folder: where files that commands name lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = load.environment_without_settings() | {"PYTHONUNBUFFERED": "1"}

    def run(self, line: str, ends_with: int = 0, *, head: int = _ALL, tail: int = 0) -> None:
        """Show a command, run it, show what it says.

        Args:
            line: what stands after `cdc-archive`; stdout may be sent to a file (`> FILE`).
            ends_with: its exit code.
            head: show so many lines of what it says first; all if it ends otherwise.
            tail: and so many of what it says last.

        Raises:
            DemoFailed: it ended with another one, or not in time.
        """
        _show_command(line)
        words, _, target = line.partition(" > ")
        with ExitStack() as opened:
            out = opened.enter_context((self._folder / target).open("wb")) if target else None
            process = opened.enter_context(self._started(words, out))
            opened.callback(process.kill)
            opened.callback(_limited(process).cancel)
            rest = []
            for number, text in enumerate((process.stderr if out else process.stdout) or ()):
                if number < head:
                    _show(text)
                else:
                    rest.append(text)
            code = process.wait()
        if code == ends_with and len(rest) > tail:
            hidden = len(rest) - tail
            rest = [f"... {hidden} more lines", *rest[hidden:]]
        for text in rest:
            _show(text)
        _require(line, code, ends_with)

    def archive(self, waiting: int) -> None:
        """Show a worker at work until it has committed all messages, then stop it as a service is.

        Args:
            waiting: how many messages there are.

        Raises:
            DemoFailed: it ended before, or not in time.
        """
        _show_command("worker")
        done, commits, last = 0, 0, ""
        with self._started("worker", None) as process, ExitStack() as opened:
            opened.callback(process.kill)
            opened.callback(_limited(process).cancel)
            for line in process.stdout or ():
                entry, last = _log_entry(line), line
                if entry.get("event") != "committed":
                    continue
                commits, done = commits + 1, done + entry["end"] - entry["start"]
                if done == waiting:
                    process.terminate()
            code = process.wait()
        if done != waiting:
            raise DemoFailed(f"the worker committed {done:,} of {waiting:,} messages: {last}")
        _show(f"{done:,} messages in {commits} commits; then it was told to stop")
        _require("worker", code, 0)

    def _started(self, words: str, out: IO[bytes] | None) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-m", "cdc_archive", *shlex.split(words)],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=out or subprocess.PIPE,
            stderr=subprocess.PIPE if out else subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )


def _require(line: str, code: int, wanted: int) -> None:
    if code != wanted:
        late = f" after {_PATIENCE_S:g} s" if code == -signal.SIGKILL else ""
        raise DemoFailed(f"`cdc-archive {line}` ended with {code}{late}, not with {wanted}")
    output.styled(Text(f"  exit code {code}", "dim"))


def _show(text: str) -> None:
    output.line("  " + printable(text.rstrip()))


def _show_command(line: str) -> None:
    output.styled(Text(f"$ cdc-archive {line}", "bold"))


def _limited(process: subprocess.Popen[str]) -> Timer:
    timer = Timer(_PATIENCE_S, process.kill)
    timer.daemon = True
    timer.start()
    return timer


def _log_entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
