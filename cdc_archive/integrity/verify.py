"""Proves an archive against its chains and digests: links and contents, object by object.

It goes on after each finding, so that one damaged object does not hide another, and names each
object once. What is found is told by kind (`findings`); what could not be proven, and why, by
`summary`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import NamedTuple

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.checkpoint import MAX_BYTES
from cdc_archive.archive.format.commit import digest
from cdc_archive.archive.format.digest import moment
from cdc_archive.archive.reader.checkpoints import Checkpoints
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, FormatUnknown, ObjectMissing
from cdc_archive.integrity import anchor as anchors
from cdc_archive.integrity import chains, digest_line
from cdc_archive.integrity.anchor import Anchor, AnchoredDigest, AnchoredHead
from cdc_archive.integrity.completeness import StreamResult
from cdc_archive.integrity.content import Contents
from cdc_archive.integrity.digest_line import DigestLine, Standing
from cdc_archive.integrity.findings import ALTERED, BROKEN, MISSING, MOVED, Finding
from cdc_archive.integrity.identity import Identity
from cdc_archive.integrity.ledger import Ledger, told
from cdc_archive.integrity.looks import Looks
from cdc_archive.integrity.scene import Scene
from cdc_archive.integrity.transactions import Transactions
from cdc_archive.integrity.unnamed import Unnamed
from cdc_archive.storage.object_store import ObjectStore


class Asked(NamedTuple):
    """What is asked of a look.

    `window` is of event time, and of the time at which commits were made: the files of a commit
    are opened if it was made in it, or holds a record of it. `trusted` are public keys
    (SubjectPublicKeyInfo in DER). `now` is None for a copy: its newest commit tells the time.
    """

    window: Window = Window()
    trusted: Sequence[bytes] = ()
    anchor: Anchor | None = None
    now: datetime | None = None


class Verification:
    """One look at an archive.

    Attributes:
        counts: of what was looked at.
        archive: the archive's id, once it is known.
        asked: what was asked.
        standing: what the digests are found to be, once they were looked at.
        streams: how whole the transactions of each connector are, at the end.

    Args:
        store: where the archive lies.
        asked: what to look at, and what is known of it from elsewhere.
    """

    def __init__(self, store: ObjectStore, asked: Asked = Asked()) -> None:  # noqa: B008  # a value
        self._store = store
        self.asked = asked
        self.streams: list[StreamResult] = []
        self.counts: Counter[str] = Counter(chains=0, commits=0, files=0, records=0)
        self.archive = ""
        self.standing: Standing | None = None
        self._heads: dict[str, AnchoredHead] = {}
        self._description: str | None = None

    def run(self) -> Iterator[Finding]:
        """All findings: the archive's root, its digests, chain by chain, and the rest.

        Raises:
            ArchiveMissing: nothing there is of an archive.
            ArchiveDamaged: there is only an `archive.json`, and it cannot be read.
            ConfigInvalid: the anchor is of another archive.
            Stop: the disk for temporary files is full.
        """
        transactions = Transactions(self.asked.window)
        with told(), closing(Ledger()) as ledger, closing(transactions):
            yield from self._run(ledger, transactions)

    def _run(self, ledger: Ledger, transactions: Transactions) -> Iterator[Finding]:
        yield from ledger.take(self._store.list(""))
        anchor = self.asked.anchor
        identity = Identity(self._store, ledger, None if anchor is None else anchor.archive)
        self.archive, self._description = identity.archive, identity.sha256
        yield from identity.findings
        described = None if anchor is None else anchor.description
        if described not in (None, identity.sha256) and not identity.findings:
            what = "its bytes are not those that the anchor knows"
            yield Finding(ALTERED, layout.ARCHIVE_KEY, what)
        looks = Looks(self._store, self.archive)
        anchored = None if anchor is None else anchor.digest
        line = DigestLine(looks, ledger, self.asked.trusted, anchored)
        sound = True
        for finding in line.judge():
            sound = sound and not finding.is_damage
            yield finding
        self.standing = line.standing
        if not identity.findings and described in (None, identity.sha256):
            yield from self._created(identity)
        scene = self._scene(looks, ledger, transactions)
        for chain in sorted({*ledger.chains(), *scene.anchored}):
            yield from chains.judge(scene, chain)
        self._heads = scene.heads
        if sound:
            yield from self._overdue(scene.newest_commit)
        now_us = microseconds(scene.newest_commit)
        yield from transactions.judge(scene.topics, now_us, self.streams)
        yield from self._checkpoints(ledger)
        yield from Unnamed(self._store, ledger).judge()

    def _created(self, identity: Identity) -> Iterator[Finding]:
        """The first digest begins with the hour in which the archive was made."""
        first = self.standing.sound[0] if self.standing and self.standing.sound else None
        if first is None or first.sequence > 0 or identity.info is None:
            return
        made = moment(identity.info.created_at).astimezone(UTC)
        if made.replace(minute=0, second=0, microsecond=0) != first.start:
            what = f"says that the archive was made at {identity.info.created_at}, but {first.key}"
            yield Finding(ALTERED, layout.ARCHIVE_KEY, f"{what} begins in another hour")

    def _scene(self, looks: Looks, ledger: Ledger, transactions: Transactions) -> Scene:
        asked, standing = self.asked, self.standing
        assert standing is not None
        self.counts["digests"] = len(standing.sound)
        anchored = {} if asked.anchor is None else _by_chain(asked.anchor.chains)
        contents = Contents(self._store, ledger, transactions.take)
        newest, counts = standing.newest, self.counts
        return Scene(looks, ledger, contents, asked.window, newest, anchored, counts)

    def _overdue(self, newest_commit: datetime | None) -> Iterator[Finding]:
        now = self.asked.now or newest_commit
        newest = None if self.standing is None else self.standing.newest
        if newest is not None and now is not None:
            finding = digest_line.overdue(newest, now)
            if finding is not None:
                yield finding

    def _checkpoints(self, ledger: Ledger) -> Iterator[Finding]:
        """They prove nothing, but a later replay may begin with one."""
        checkpoints = Checkpoints(self._store, self.archive)
        for key in ledger.keys(layout.CHECKPOINTS):
            if layout.checkpoint_time(key) is None:
                continue
            ledger.name_other(key)
            try:
                manifest = checkpoints.manifest(key)
            except (ArchiveDamaged, FormatUnknown) as error:
                yield self._no_checkpoint(key, error.what, ledger)
                for part_key in ledger.keys(f"{key.partition('+')[0]}/"):
                    ledger.name_other(part_key)  # its manifest would have named it
                continue
            for part in (part for one in manifest.connectors for part in one.parts):
                if part.key != layout.checkpoint_part_key(manifest.at_us, part.sha256):
                    yield Finding(BROKEN, key, "it names a part that cannot be one of it")
                    continue
                ledger.name_other(part.key)
                try:
                    for _ in checkpoints.rows(part):
                        pass
                except ArchiveDamaged as error:
                    kind = ALTERED if self._store.stat(part.key) is not None else MISSING
                    yield Finding(kind, part.key, error.what.removeprefix(f"{part.key}: "))

    def _no_checkpoint(self, key: str, what: str, ledger: Ledger) -> Finding:
        """A copy of another one, or one that was altered."""
        for other in ledger.keys(layout.CHECKPOINTS):
            if other != key and layout.checkpoint_time(other) is not None:
                with suppress(ArchiveDamaged, ObjectMissing):
                    if digest(self._store.get(key, MAX_BYTES)) == digest(
                        self._store.get(other, MAX_BYTES)
                    ):
                        return Finding(MOVED, key, f"holds the bytes of {other}")
        return Finding(ALTERED, key, what.removeprefix(f"{key}: "))

    def head(self, made_at: datetime) -> Anchor:
        """What is known of the archive after a clean run, to be kept elsewhere."""
        newest = None if self.standing is None else self.standing.newest
        return Anchor(
            anchors.FORMAT,
            self.archive,
            made_at.isoformat(timespec="seconds"),
            self._description,
            newest and AnchoredDigest(newest.sequence, newest.sha256, newest.end.isoformat()),
            [self._heads[chain] for chain in sorted(self._heads)],
        )


def _by_chain(heads: Iterable[AnchoredHead]) -> dict[str, AnchoredHead]:
    return {
        layout.partition_prefix(TopicPartition(head.topic, head.partition)): head for head in heads
    }
