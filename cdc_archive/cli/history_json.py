"""A row's history as one JSON value: `row`, `versions`, `losses`. Its members are a contract."""

from __future__ import annotations

from typing import Any

from cdc_archive.archive.reader.window import Window
from cdc_archive.cli import moments
from cdc_archive.decode.images import parsed
from cdc_archive.history.difference import Difference, Shown
from cdc_archive.history.position import Change
from cdc_archive.history.row_version import ENDS
from cdc_archive.history.transition import NOT_APPLICABLE, UNKNOWN
from cdc_archive.replay.row_history import LifeStory, RowHistory, Told


def document(history: RowHistory, window: Window) -> dict[str, Any]:
    """The whole history; values are whole and exact, whatever is unknown is left out."""
    return {
        "row": {
            "archive": history.archive,
            "table": history.table,
            "asked": [parsed(key) for key in history.asked],
            "keys": [parsed(key) for key in history.keys],
            "from": _time(window.start_us),
            "to": _time(window.end_us),
            "lives": [_life(story) for story in history.lives],
        },
        "versions": [
            _version(one, number)
            for number, story in enumerate(history.lives)
            for one in story.told
        ],
        "losses": vars(history.losses) | {"complete": history.losses.complete},
    }


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else moments.text(time_us)


def _life(story: LifeStory) -> dict[str, Any]:
    ended, overtaken = story.last.op in ENDS, story.life.overtaken
    return {
        "keys": [parsed(key) for key in story.life.keys],
        "first_seen_by": story.first.op,
        "first_seen_at": _time(story.first.time_us),
        "ended_by": story.last.op if ended else None,
        "ended_at": _time(story.last.time_us) if ended else None,
        "overtaken_at": None
        if overtaken is None
        else _time(overtaken.archived.record.event_time_us),
        "versions": story.life.versions,
        "before_window": story.earlier,
        "after_window": story.later,
        "without_time": story.untimed,
    }


def _version(told: Told, life: int) -> dict[str, Any]:
    version, found, _ = told
    where = version.change.position
    return {
        "life": life,
        "op": version.op,
        "time": _time(version.time_us),
        "time_us": version.time_us,
        "time_source": version.change.archived.record.hour_source,
        "key": parsed(version.key),
        "old_key": None if version.old_key is None else parsed(version.old_key),
        "transaction": where.transaction,
        "total_order": where.total_order,
        "before": version.before_proof,
        "differences": [_difference(one) for one in version.differences],
        "row": version.after,
        "unknown_columns": sorted(version.unknown_columns),
        "actor": None if found is None else found.actor,
        "actor_status": None if found is None else found.status,
        "actor_reason": None if found is None else found.reason,
        "actor_from": None if found is None or found.origin is None else found.origin._asdict(),
        "provenance": _provenance(version.change),
        "departure": None if version.departure is None else _provenance(version.departure),
        "notes": list(version.notes),
    }


def _difference(one: Difference) -> dict[str, Any]:
    shown: dict[str, Any] = {"column": one.column}
    for name, value in (("old", one.old), ("new", one.new)):
        shown |= _shown(name, value)
    return shown


def _shown(name: str, value: Shown) -> dict[str, Any]:
    shown: dict[str, Any] = {f"{name}_proof": value.proof}
    if value.proof not in (UNKNOWN, NOT_APPLICABLE):
        shown[name] = value.value
    if value.origin is not None:
        shown[f"{name}_from"] = value.origin._asdict()
    return shown


def _provenance(change: Change) -> dict[str, Any]:
    archived, record = change.archived, change.archived.record
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "incarnation": archived.incarnation,
        "lsn": change.position.lsn,
        "file": archived.file,
        "commit": archived.sequence,
    }
