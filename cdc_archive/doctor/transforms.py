"""Transforms (SMTs) of a connector that lose, alter or mix what it captured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cdc_archive.doctor.finding import Check, Finding, error, note, warning
from cdc_archive.source.connector import ConnectorFacts

Mended = Callable[[ConnectorFacts, Mapping[str, str | None]], str]

_PAGE: Final = "Debezium documentation, Transformations"
_FLATTENS = warning(
    "connect.flattens",
    "The image before, the operation and the position are cut away, and a TRUNCATE is dropped: who "
    "changed what from what cannot be told from what is left.",
    f"{_PAGE}, New Record State Extraction",
)
_DROPS_DELETES = error(
    "connect.drops-deletes",
    "A deletion leaves no message at all: deleted rows look alive for ever.",
    f"{_PAGE}, New Record State Extraction, `delete.tombstone.handling.mode`",
)
_DROPS = warning(
    "connect.filters",
    "Messages that it does not let through are lost to the archive.",
    f"{_PAGE}, Message Filtering",
)
_OUTBOX = error(
    "connect.outbox",
    "It makes plain payloads of outbox rows: what is no row of the outbox table is dropped or "
    "stops it, and payloads are no changes that the archive can decode.",
    f"{_PAGE}, Outbox Event Router",
)
_MIXES = warning(
    "connect.mixes-tables",
    "Tables that share a topic share its order and its keys: rows of equal keys of two tables look "
    "like one row.",
    f"{_PAGE}, Topic Routing",
)
_SPREADS = warning(
    "connect.spreads",
    "Rows of one table go to partitions by their values: changes of one row may be out of order.",
    f"{_PAGE}, Partition Routing",
)
_ALTERS = warning(
    "connect.alters",
    "What is archived is no longer what the database has.",
    "Apache Kafka documentation, Connect, Transformations",
)
_UNKNOWN = note(
    "connect.transform-unknown", "What a transform does that is not known here is not judged."
)

_KNOWN: Final[dict[str, Check | None]] = {
    "ExtractNewRecordState": _FLATTENS,
    "ExtractNewDocumentState": _FLATTENS,
    "Filter": _DROPS,
    "EnforceRecordSize": _DROPS,
    "EventRouter": _OUTBOX,
    "ByLogicalTableRouter": _MIXES,
    "RegexRouter": _MIXES,
    "PartitionRouting": _SPREADS,
    "MaskField$Value": _ALTERS,
    "ReplaceField$Value": _ALTERS,
    "ExtractField$Value": _ALTERS,
    "Cast$Value": _ALTERS,
    "Flatten$Value": _ALTERS,
    "HoistField$Value": _ALTERS,
    "TimestampConverter$Value": _ALTERS,
    "ExtractField$Key": _ALTERS,
    "ValueToKey": _ALTERS,
    "TimezoneConverter": _ALTERS,
    "ConvertCloudEventToSaveableForm": _ALTERS,
    "InsertHeader": None,
    "ExtractChangedRecordState": None,
    "SchemaChangeEventFilter": None,
    "HeaderToValue": None,
    "SetSchemaMetadata$Value": None,
    "SetSchemaMetadata$Key": None,
}
"""By class name; None: loses nothing that the archive needs."""


def findings(connector: ConnectorFacts, mended: Mended) -> Iterator[Finding]:
    """What the connector's transforms do to its messages, in their order."""
    for name in connector.listed("transforms"):
        kind = connector.get(f"transforms.{name}.type").rpartition(".")[2]
        rest = [one for one in connector.listed("transforms") if one != name]
        without = mended(connector, {"transforms": ",".join(rest) or None})
        seen = f"transform {name} ({kind or 'without a type'})"
        if predicate := connector.get(f"transforms.{name}.predicate"):
            seen += f", where predicate {predicate} says so"
        check = _KNOWN.get(kind, _UNKNOWN)
        if check is not None:
            yield check.found(seen, _mend(check, without), connector.name)
        if check is _FLATTENS and _drops_deletes(connector, f"transforms.{name}."):
            yield _DROPS_DELETES.found(f"{seen} drops deletions", without, connector.name)


def _mend(check: Check, without: str) -> str:
    if check is _FLATTENS:
        return f"{without} (or, to decode what there is: decode.flattened_topics)"
    return without


def _drops_deletes(connector: ConnectorFacts, prefix: str) -> bool:
    """`tombstone`, the default since 2.5, keeps the tombstone only: the row's key, no more."""
    now = connector.get(f"{prefix}delete.tombstone.handling.mode")
    before = connector.get(f"{prefix}delete.handling.mode")
    return now == "drop" or (not now and before == "drop")
