"""Which row stood under a key at one moment, out of a history that kept the last version of then.

See `row_history.Asked.last_only`.
"""

from __future__ import annotations

from cdc_archive.history.row_version import ENDS, RowVersion
from cdc_archive.replay.row_history import LifeStory, RowHistory


def standing(history: RowHistory, as_of_us: int) -> list[LifeStory]:
    """The row that stood under the key then, if there is one.

    Else those that lived under another key then, before they came to this one or after they left
    it: mostly one, none if all that ever stood there were not yet or no longer.
    """
    living = [one for one in _newest(history) if _lives(one, as_of_us)]
    return [one for one in living if version_at(one).key in history.asked] or living


def version_at(story: LifeStory) -> RowVersion:
    """The version of the moment: the only one that was kept."""
    return story.told[-1].version


def _newest(history: RowHistory) -> list[LifeStory]:
    """Of each key the row that was last seen there: two connectors may both tell of a table."""
    found: dict[str, LifeStory] = {}
    for story in history.lives:
        if story.told:
            key = version_at(story).key
            if key not in found or _time(found[key]) <= _time(story):
                found[key] = story
    return [*found.values()]


def _time(story: LifeStory) -> int:
    return version_at(story).time_us or 0


def _lives(story: LifeStory, as_of_us: int) -> bool:
    overtaken = story.life.overtaken
    gone_us = None if overtaken is None else overtaken.archived.record.event_time_us
    return version_at(story).op not in ENDS and (gone_us is None or gone_us > as_of_us)
