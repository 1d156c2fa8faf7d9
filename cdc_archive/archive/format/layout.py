"""Object keys of the archive, made and parsed in one place.

The rules stand in schemas/ARCHIVE_FORMAT.md, section Layout. Nothing here does any I/O.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from cdc_archive.changelog.hour import Hour
from cdc_archive.changelog.position import TopicPartition

ARCHIVE_KEY: Final = "archive.json"
COMMITS: Final = "commits/"
CHECKPOINTS: Final = "checkpoints/"
DIGESTS: Final = "digests/"
KEYS: Final = "keys/"
CHANGES: Final = "changes"
QUARANTINE: Final = "quarantine"

_PART_LIMIT: Final = 150
_DIGEST_CHARS: Final = 16
_MANIFEST_KEY: Final = re.compile(r"checkpoints/(\d{20})\+[0-9a-f]{12}\.json")
_DIGEST_KEY: Final = re.compile(r"digests/\d{4}/\d\d/\d\d/\d\d(\+\d{4})?\.json", re.ASCII)
_RECORD_KEY: Final = re.compile(r"keys/([0-9a-f]{16})\.json")
_OFFSETS: Final = re.compile(r"\+(\d{19})-(\d{19})\+[0-9a-f]{12}\.avro$", re.ASCII)
_COMMIT_KEY: Final = re.compile(r"commits/([^/]+)/(\d+)/(\d{12})\.json")


def encode_part(name: str) -> str:
    """A name as one part of a key: percent-encoded, never empty, `.` or `..`, at most 150 bytes.

    Only `A-Z a-z 0-9 _ - .` stay as they are; a leading dot is encoded. A longer name is cut and
    ends in `~` and the first 16 hex digits of the sha256 of the whole name: the record repeats it.
    """
    encoded = quote(name, safe="", errors="surrogatepass").replace("~", "%7E")
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) > _PART_LIMIT:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        keep = encoded[: _PART_LIMIT - _DIGEST_CHARS - 1]
        encoded = re.sub(r"%.?$", "", keep) + "~" + digest[:_DIGEST_CHARS]
    return encoded or "%00"


def data_key(
    kind: str, folder: str, hour: Hour, partition: TopicPartition, first: int, last: int, sha: str
) -> str:
    """Key of a data file.

    Args:
        kind: `changes` (folder is a table) or `quarantine` (folder is a topic).
        folder: table or topic, not yet encoded.
        hour: the hour that every record of the file belongs to.
        partition: the topic partition that every record came from.
        first: lowest offset in the file.
        last: highest offset in the file.
        sha: hex sha256 of the file's bytes.
    """
    label = "table" if kind == CHANGES else "topic"
    name = f"{encode_part(partition.topic)}+{partition.partition}+{first:019d}-{last:019d}"
    return (
        f"{kind}/{label}={encode_part(folder)}/date={hour.date}/hour={hour.hour}/"
        f"{name}+{sha[:12]}.avro"
    )


def topic_prefix(topic: str) -> str:
    """Prefix of all commits of a topic."""
    return f"{COMMITS}{encode_part(topic)}/"


def partition_prefix(partition: TopicPartition) -> str:
    """Prefix of all commits of a topic partition."""
    return f"{topic_prefix(partition.topic)}{partition.partition}/"


def commit_key(partition: TopicPartition, sequence: int) -> str:
    """Key of commit number `sequence` (from 0) of a topic partition."""
    return f"{partition_prefix(partition)}{sequence:012d}.json"


def chain_prefix_of(key: str) -> str | None:
    """The partition prefix that a commit's key begins with; None if it is no commit's key."""
    match = _COMMIT_KEY.fullmatch(key)
    return None if match is None else f"{COMMITS}{match[1]}/{match[2]}/"


def sequence_of(key: str) -> int | None:
    """The sequence number in a commit's key; None if it is no commit's key."""
    match = _COMMIT_KEY.fullmatch(key)
    return None if match is None else int(match[3])


def decode_part(part: str) -> str:
    """The name that `encode_part` made a part of, for display: a cut name stays cut."""
    return "" if part == "%00" else unquote(part, errors="surrogatepass")


def offsets_of(key: str) -> tuple[int, int]:
    """The offsets of a data file, half open, by its key; none if it is no such key."""
    found = _OFFSETS.search(key)
    return (0, 0) if found is None else (int(found[1]), int(found[2]) + 1)


def checkpoint_key(at_us: int, sha: str) -> str:
    """Key of a checkpoint's manifest, by its time in microseconds and the manifest's sha256."""
    return f"{CHECKPOINTS}{at_us:020d}+{sha[:12]}.json"


def checkpoint_part_key(at_us: int, sha: str) -> str:
    """Key of one of its parts, by the part's sha256."""
    return f"{CHECKPOINTS}{at_us:020d}/{sha}.jsonl.zst"


def checkpoint_time(key: str) -> int | None:
    """The time in a manifest's key, in microseconds; None if it is no manifest's key."""
    match = _MANIFEST_KEY.fullmatch(key)
    return None if match is None else int(match[1])


def digest_key(end: datetime) -> str:
    """Key of the digest of the hour that ends then; of one that ends within it, with that time."""
    within = end.astimezone(UTC)
    last = within - timedelta(microseconds=1)
    whole = (within.minute, within.second) == (0, 0)
    return f"{DIGESTS}{last:%Y/%m/%d/%H}{'' if whole else f'+{within:%M%S}'}.json"


def is_digest_key(key: str) -> bool:
    """Whether a digest may stand under this key."""
    return _DIGEST_KEY.fullmatch(key) is not None


def key_record_key(key_id: str) -> str:
    """Key of the record of a signing key."""
    return f"{KEYS}{key_id}.json"


def key_id_of(key: str) -> str | None:
    """The id of the signing key whose record stands under a key; None if it is no such key."""
    match = _RECORD_KEY.fullmatch(key)
    return None if match is None else match[1]
