"""What the look at a chain needs, and what it leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cdc_archive.archive.reader.window import Window
from cdc_archive.integrity.anchor import AnchoredHead
from cdc_archive.integrity.content import Contents
from cdc_archive.integrity.ledger import Ledger
from cdc_archive.integrity.looks import Looks
from cdc_archive.integrity.sealed_hours import Hour
from cdc_archive.integrity.topic_facts import TopicFacts


def _nothing() -> Counter[str]:
    return Counter(chains=0, commits=0, files=0, records=0, unsealed=0)


@dataclass
class Scene:
    """Shared by the looks at all chains of an archive.

    `window`: files are opened of commits made in it, and files that may hold records of it.
    `newest` is the newest sound digest; `anchored` are heads known from elsewhere, by the prefix of
    their chains. Left behind: `counts` of what was looked at; `heads` of the chains that are sound
    up to their end, by prefix; the time of the `newest_commit`; what is known of the `topics`.
    """

    looks: Looks
    ledger: Ledger
    contents: Contents
    window: Window = field(default_factory=Window)
    newest: Hour | None = None
    anchored: Mapping[str, AnchoredHead] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=_nothing)
    heads: dict[str, AnchoredHead] = field(default_factory=dict)
    newest_commit: datetime | None = None
    topics: TopicFacts = field(default_factory=TopicFacts)
