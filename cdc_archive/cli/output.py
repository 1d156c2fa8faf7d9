"""What commands print: tables for people, JSON for programs. Data to stdout, messages to stderr."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.telemetry.terminal import printable

_DELETE: Final = "\x7f"
"""The one character of ASCII that drives a terminal and stands unescaped in JSON."""
_DRIVES_A_TERMINAL: Final = re.compile(
    f"[{_DELETE}-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]+")


def console(*, stderr: bool = False) -> Console:
    """A console: colours and boxes on a terminal, plain text elsewhere."""
    stream = sys.stderr if stderr else sys.stdout
    width = max(200, shutil.get_terminal_size().columns)  # a wide table is cut by nobody
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str | None = None,
    *,
    stderr: bool = False,
) -> None:
    """A table on stdout; numbers to the right. On stderr if stdout has data of another kind."""
    rows = [list(row) for row in rows]
    shown = Table(
        title=title, title_justify="left", box=None if not sys.stdout.isatty() else _box()
    )
    for index, name in enumerate(columns):
        numeric = any(isinstance(row[index], int) for row in rows)
        shown.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(_cell(value))) for value in row))
    console(stderr=stderr).print(shown)


def _box() -> Any:
    from rich import box

    return box.SIMPLE_HEAD


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def json_line(value: object) -> None:
    """One JSON value on a line of stdout; `msgspec.Raw` in it stays as it is."""
    line = json_text(value)
    if not line.isascii() or _DELETE in line:  # most lines are printed as they are
        line = _DRIVES_A_TERMINAL.sub(_as_json_escapes, line)
        encoding = sys.stdout.encoding or "utf-8"
        if line.encode(encoding, "replace").decode(encoding) != line:
            line = _NOT_ASCII.sub(_as_json_escapes, line)
    sys.stdout.write(line + "\n")


def json_text(value: object) -> str:
    """A value as JSON text, numbers exact."""
    return exact_json(value).decode()


def _as_json_escapes(found: re.Match[str]) -> str:
    """The same string as JSON sees it, in ASCII."""
    return json.dumps(found[0])[1:-1]


def line(text: str) -> None:
    """A line of text on stdout; what its encoding cannot hold is escaped."""
    sys.stdout.write(_encodable(text) + "\n")


def styled(text: Text) -> None:
    """A line of text on stdout, coloured on a terminal, of any length."""
    styled_lines([text])


def styled_lines(lines: Iterable[Text]) -> None:
    """Lines of it, each as it comes."""
    shown = console()
    for text in lines:
        plain = Text(_encodable(text.plain), text.style, spans=text.spans)
        shown.print(plain if len(plain) == len(text) else Text(plain.plain), soft_wrap=True)


def _encodable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def say(text: str) -> None:
    """A message to the person, on stderr."""
    console(stderr=True).print(Text(printable(text, keep="\n")))
