"""A row's history for people: a diff for each version, coloured on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Final

from rich.text import Text

from cdc_archive.archive.reader.window import Window
from cdc_archive.cli import history_words as words
from cdc_archive.cli.output import json_text
from cdc_archive.decode.images import parsed
from cdc_archive.history.difference import Difference, Shown
from cdc_archive.history.row_version import ENDS, STATES, RowVersion
from cdc_archive.history.transition import NOT_APPLICABLE, UNKNOWN
from cdc_archive.replay.row_history import RowHistory, Told
from cdc_archive.telemetry.terminal import printable

_LONGEST: Final = 200
_BEFORE: Final = 40
_PAIR: Final = 100
_NAME: Final = 28
_STYLES: Final = {"+": "green", "-": "red", "~": "yellow", "?": "magenta", " ": ""}


def lines(history: RowHistory, window: Window, *, full: bool) -> Iterator[Text]:
    """The history, line by line; values longer than 200 characters are cut unless `full`."""
    yield Text.assemble((printable(history.table), "bold"), " ", _keys(history))
    if window != Window():
        yield Text(f"window: {words.window(window)}; {', '.join(words.outside(history)) or 'all'}")
    number = 0
    for story in history.lives:
        yield Text()
        if len(history.lives) > 1:
            row = f"row {history.lives.index(story) + 1} of {len(history.lives)}"
            yield Text.assemble((row, "bold"), " under ", _then(story.life.keys))
        yield Text(printable(words.life(story)))
        for told in story.told:
            number += 1
            yield Text()
            yield from _version(number, told, full=full)
    yield Text()
    for fact in (words.proven(history), words.looked_for(history)):
        if fact is not None:
            yield Text(printable(fact))
    for loss in words.losses(history):
        yield Text.assemble(("not in the archive: ", "red"), printable(loss))
    for remark in words.remarks(history):
        yield Text(printable(remark))


def _keys(history: RowHistory) -> str:
    """The keys: in their order if it is one row, else those asked for."""
    return _then(history.keys if len(history.lives) == 1 else history.asked)


def _then(keys: list[str]) -> str:
    return " -> ".join(printable(key) for key in keys)


def _version(number: int, told: Told, *, full: bool) -> Iterator[Text]:
    version = told.version
    what = (printable(words.operation(version)), f"bold {_colour(version)}")
    yield Text.assemble((f"{number:>3}  ", "bold"), words.when(version), "  ", what)
    facts = (words.transaction(version), words.who(told))
    if any(facts):
        yield _indented(", ".join(fact for fact in facts if fact))
    for note in version.notes:
        yield _indented(f"note: {note}", "magenta")
    width = min(_NAME, max((len(one.column) for one in version.differences), default=0))
    for one in version.differences:
        yield from _difference(one, version, width, full=full)
    if not version.differences and version.op not in ENDS and version.after is not None:
        yield _indented("nothing differs" if version.op not in STATES else "as known before", "dim")
    if version.unknown_columns:
        names = ", ".join(sorted(version.unknown_columns))
        yield _indented(f"unknown (their values were never in a message): {names}", "magenta")
    if version.departure is not None:
        yield _indented(f"left its key: {words.place(version.departure)}", "dim")
    yield _indented(words.place(version.change), "dim")
    yield _indented(version.change.archived.file, "dim")


def _colour(version: RowVersion) -> str:
    if version.op in STATES:
        return ""
    return {"create": "green"}.get(version.op, "red" if version.op in ENDS else "yellow")


def _indented(text: str, style: str = "") -> Text:
    return Text(f"     {printable(text)}", style)


def _difference(one: Difference, version: RowVersion, width: int, *, full: bool) -> Iterator[Text]:
    name = printable(one.column).ljust(width)
    proof = words.proof(one.old, version)
    mark = Text(f"  [{printable(proof)}]" if proof else "", "dim")
    old, new = _whole(one.old), _whole(one.new)
    if not full:
        begin = _shared(old, new)
        old, new = _cut(old, begin), _cut(new, begin)
    if one.new.proof == NOT_APPLICABLE and version.op in ENDS:
        yield _line("-", name, old) + mark
    elif one.old.proof == NOT_APPLICABLE:
        yield _line(" " if version.op in STATES else "+", name, new)
    elif len(old) + len(new) <= _PAIR:
        sign = "?" if one.old.proof == UNKNOWN else "~"
        yield _line(sign, name, f"{old} -> {new}") + mark
    else:
        yield _line("-", name, old) + mark
        yield _line("+", name, new)


def _line(sign: str, name: str, value: str) -> Text:
    return Text(f"     {sign} {name}  {value}", _STYLES[sign])


def _whole(shown: Shown) -> str:
    if shown.proof == UNKNOWN:
        return "unknown"
    return (
        "(no such column)" if shown.proof == NOT_APPLICABLE else printable(value_text(shown.value))
    )


def _shared(old: str, new: str) -> int:
    """Where to begin, so that the cut of two long values shows where they differ."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
    same = sum(1 for _ in alike)
    return same - _BEFORE if same > _LONGEST - _BEFORE else 0


def _cut(told: str, begin: int) -> str:
    if len(told) <= _LONGEST:
        return told
    shown = told[begin : begin + _LONGEST]
    dots = "..." if begin else "", "..." if begin + _LONGEST < len(told) else ""
    return f"{dots[0]}{shown}{dots[1]} ({len(told):,} characters, --full shows all)"


def value_text(value: Any) -> str:
    """A value as JSON; text that is itself a JSON object or array stands as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            parsed(value)
        except ValueError:
            return json_text(value)
        return value
    return json_text(value)
