"""`cdc-archive history --as-of`: the row as it was at one moment."""

from __future__ import annotations

from typing import NoReturn

from cdc_archive.cli import history_words as words
from cdc_archive.cli import moments, output
from cdc_archive.errors import NothingFound
from cdc_archive.history.row_version import RowVersion
from cdc_archive.history.transition import Origin
from cdc_archive.replay.row_as_of import standing, version_at
from cdc_archive.replay.row_history import LifeStory, RowHistory


def show(history: RowHistory, as_of_us: int) -> None:
    """Print the row as JSON, and on stderr what proves it.

    Raises:
        NothingFound: there was no such row then, or the archive does not know; says which.
    """
    at = moments.text(as_of_us)
    here = standing(history, as_of_us)
    if not here:
        _tell_why_not(history, at)
    if len(here) > 1:
        keys = " and ".join(version_at(story).key for story in here)
        raise NothingFound(
            f"no row stood under this key at {at}; those that ever did then stood under {keys}",
            "Ask by one of these keys.",
        )
    version = version_at(here[0])
    if version.after is None:
        raise NothingFound(
            f"the row existed at {at} under {version.key}, but the archive does not hold it: "
            f"{'; '.join(version.notes)}",
            f"The message: {words.place(version.change)}",
        )
    output.json_line(version.after)
    _tell_evidence(history, version)


def _tell_evidence(history: RowHistory, version: RowVersion) -> None:
    output.say(f"as of {words.when(version)}: {words.operation(version)}")
    output.say(f"  {words.place(version.change)}")
    if version.key not in history.asked:
        output.say(f"  it stood under another key then: {version.key}")
    for origin, columns in _shown_before(version).items():
        where = words.origin(origin, version.change)
        output.say(f"  as shown by {where}, untouched since: {', '.join(sorted(columns))}")
    if version.unknown_columns:
        names = ", ".join(sorted(version.unknown_columns))
        output.say(f"  unknown, and left out (never in a message until then): {names}")
    for note in version.notes:
        output.say(f"  note: {note}")
    for loss in words.losses(history):
        output.say(f"  not in the archive: {loss}")


def _tell_why_not(history: RowHistory, at: str) -> NoReturn:
    action = "All versions: the same command without --as-of."
    ended = [one for one in history.lives if one.told]
    if ended:
        last = max(ended, key=lambda one: version_at(one).time_us or 0)
        raise NothingFound(f"the row did not exist at {at}: {words.ending(last)}", action)
    first = min(history.lives, key=_begin)
    begun = words.beginning(first)
    if first.first.op == "create":
        raise NothingFound(f"the row did not exist at {at}: {begun}", action)
    raise NothingFound(f"the archive does not know the row at {at}: {begun}", action)


def _shown_before(version: RowVersion) -> dict[Origin, list[str]]:
    """Columns that earlier messages showed, by message."""
    here = Origin.of(version.change.archived)
    columns: dict[Origin, list[str]] = {}
    for column, origin in version.shown_by.items():
        if origin != here:
            columns.setdefault(origin, []).append(column)
    return columns


def _begin(story: LifeStory) -> int:
    return story.first.time_us or 0
