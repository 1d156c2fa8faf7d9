"""Topics that the settings name and the cluster does not have: told before anything is read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cdc_archive.errors import TopicMissing


def refuse_missing(wanted: Iterable[str], existing: Iterable[str]) -> None:
    """Fail if a wanted topic does not exist, with the nearest name that does.

    Raises:
        TopicMissing: naming each such topic.
    """
    known = sorted(existing)
    missing = [topic for topic in wanted if topic not in known]
    if not missing:
        return
    told = []
    for topic in missing:
        near = difflib.get_close_matches(topic, known, n=1, cutoff=0.7)
        told.append(f"{topic} (did you mean {near[0]}?)" if near else topic)
    raise TopicMissing(
        f"the cluster has no topic {', '.join(told)}",
        "Check kafka.topics for a typing error, create the topic first, or, if it is there, give "
        "this user the right to DESCRIBE and READ it.",
    )
