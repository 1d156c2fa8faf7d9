"""A row's history as Markdown, for an incident report. Nothing in it is obeyed as Markdown or HTML.

Source: the GitHub Flavored Markdown specification; in a table a pipe ends a cell even in a code
span, so values stand in `<code>` elements with every active character as an HTML entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from cdc_archive.archive.reader.window import Window
from cdc_archive.cli import history_words as words
from cdc_archive.cli.history_text import value_text
from cdc_archive.history.difference import Shown
from cdc_archive.history.transition import NOT_APPLICABLE, UNKNOWN
from cdc_archive.replay.row_history import RowHistory, Told
from cdc_archive.telemetry.terminal import printable

_ACTIVE: Final = re.compile(
    r"[&<>|`*\[\]\\~#$@]"
    r"|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])"  # emphasis; not the one in updated_by
    r"|:(?=[a-z+-][a-z0-9_+-]*:)"  # :name: is an emoji on GitHub
)


def lines(history: RowHistory, window: Window) -> Iterator[str]:
    """The report: a header that says how far it is proven, a section a version, the losses."""
    yield f"# History of a row of {code(history.table)}"
    yield ""
    facts: list[tuple[str, Iterable[str]]] = [
        ("archive", [code(history.archive)]),
        ("key", map(code, history.keys)),
        ("window", [escaped("; ".join((words.window(window), *words.outside(history))))]),
        ("row", (escaped(words.life(story)) for story in history.lives)),
        ("proven", [escaped(words.proven(history))]),
        ("actors", [escaped(words.looked_for(history) or "found, or said why not")]),
        ("losses", [_losses(history)]),
    ]
    yield from _table(("", ""), ((name, "<br>".join(told)) for name, told in facts))
    number = 0
    for index, story in enumerate(history.lives, 1):
        if len(history.lives) > 1:
            yield ""
            keys = " then ".join(map(code, story.life.keys))
            yield f"## Row {index} of {len(history.lives)}: {keys}"
        for told in story.told:
            number += 1
            yield ""
            yield from _version(number, told)
    yield ""
    yield "## What is not in the archive"
    yield ""
    told_losses = [*words.losses(history)] or ["Nothing is known to be missing."]
    for text in (*told_losses, *words.remarks(history)):
        yield f"- {escaped(text)}"


def _losses(history: RowHistory) -> str:
    count = len([*words.losses(history)])
    return "none known" if history.losses.complete else f"{count}, told at the end"


def _version(number: int, told: Told) -> Iterator[str]:
    version = told.version
    yield f"### {number}. {escaped(words.operation(version))}, {escaped(words.when(version))}"
    yield ""
    where = version.change.archived
    bullets = [words.transaction(version), words.who(told)]
    bullets += [f"note: {note}" for note in version.notes]
    if version.unknown_columns:
        names = ", ".join(sorted(version.unknown_columns))
        bullets.append(f"unknown (their values were never in a message): {names}")
    if version.departure is not None:
        bullets.append(f"left its key: {words.place(version.departure)}")
    bullets.append(words.place(version.change))
    for bullet in bullets:
        if bullet:
            yield f"- {escaped(bullet)}"
    yield f"- {code(where.file)}"
    if version.differences:
        yield ""
        rows = (
            (
                code(one.column),
                _value(one.old),
                _value(one.new),
                escaped(words.proof(one.old, version)),
            )
            for one in version.differences
        )
        yield from _table(("column", "old", "new", "old value is"), rows)


def _value(shown: Shown) -> str:
    if shown.proof == UNKNOWN:
        return "*unknown*"
    return "" if shown.proof == NOT_APPLICABLE else code(value_text(shown.value))


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(names)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def code(text: str) -> str:
    """Text in a fixed-width font."""
    return f"<code>{escaped(text)}</code>"


def escaped(text: str) -> str:
    """Text on one line that stands for itself, in a table cell too."""
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", printable(text))
