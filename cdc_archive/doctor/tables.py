"""What of captured PostgreSQL tables will not be in the change stream, or not be provable. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cdc_archive.doctor.finding import Finding, error, note, or_passed, warning
from cdc_archive.source.database import PublicationFacts, TableFacts

_IDENTITY: Final = "PostgreSQL documentation, ALTER TABLE, REPLICA IDENTITY"
_PUBLICATION: Final = "PostgreSQL documentation, CREATE PUBLICATION"

_NOTHING = error(
    "postgres.identity-nothing",
    "An UPDATE or DELETE of a published table without identity fails in the application, or, in a "
    "partition, tells nothing of the row before.",
    _IDENTITY,
)
_NO_KEY = error(
    "postgres.no-key",
    "Without a primary key and without FULL a row has no identity: PostgreSQL refuses UPDATE and "
    "DELETE while the table is published, and inserted rows have no key to follow.",
    _IDENTITY,
)
_DEFAULT = warning(
    "postgres.identity-default",
    "An UPDATE tells no image before it and a DELETE only the key (Debezium invents the rest): "
    "what was changed from what has to be put together from earlier changes, and is not exact.",
    _IDENTITY,
)
_INDEX = warning(
    "postgres.identity-index",
    "Only the columns of the index are in the image before a change; the rest has to be put "
    "together from earlier changes.",
    _IDENTITY,
)
_LONG = warning(
    "postgres.out-of-line",
    "A long value that an UPDATE does not touch is not in the change. Under FULL Debezium takes it "
    "from the image before; else it is known only if the archive has seen it.",
    "PostgreSQL documentation, TOAST",
)
_UNPUBLISHED = error(
    "postgres.unpublished",
    "The connector captures this table, but its publication does not have it: it is in the "
    "snapshot and no change of it ever comes.",
    _PUBLICATION,
)
_OPERATIONS = error(
    "postgres.publish",
    "Changes of these operations are not sent to the connector at all.",
    f"{_PUBLICATION}, `publish`",
)
_UNLOGGED = error(
    "postgres.unlogged",
    "The changes of an unlogged table are not in the write-ahead log: nobody can capture them.",
    "PostgreSQL documentation, CREATE TABLE, UNLOGGED",
)
_TWICE = warning(
    "postgres.partitions-twice",
    "The table and its partitions are captured both: a snapshot has each row twice, under two "
    "names, and changes come under one of them.",
    "recorded with Debezium 3.6.3",
)
_GENERATED = note(
    "postgres.generated",
    "Generated columns are in snapshots only; up to PostgreSQL 17 no change has them.",
    "PostgreSQL documentation, Logical Replication, Generated Column Replication",
)
_NO_PUBLICATION = error(
    "postgres.publication",
    "The connector streams what its publication publishes; without one it does not start, or makes "
    "its own.",
    _PUBLICATION,
)
_NOT_THERE = warning(
    "postgres.table-missing",
    "The connector is told to capture what does not exist: a typing error here is a table that is "
    "never archived.",
    "Debezium documentation, PostgreSQL connector, `table.include.list`",
)
_NONE = error("postgres.nothing-captured", "No table of this database is captured.")

EVERY_OPERATION: Final = frozenset({"insert", "update", "delete", "truncate"})


def findings(
    tables: Sequence[TableFacts], publications: Sequence[PublicationFacts], publication: str
) -> Iterator[Finding]:
    """Look at the captured tables.

    Args:
        tables: those that the connector captures.
        publications: all of the database.
        publication: the name of the connector's.
    """
    if not tables:
        yield _NONE.found(
            "no captured table", "Check table.include.list and schema.include.list, and the DSN."
        )
        return
    identities = [one for table in tables for one in _of_identity(table)]
    yield from or_passed(identities, "postgres", f"identity FULL: all {len(tables)} tables")
    yield from (one for table in tables for one in _of_table(table, tables))
    known = next((one for one in publications if one.name == publication), None)
    if known is None:
        listed = ", ".join(one.name for one in publications) or "none"
        yield _NO_PUBLICATION.found(
            f"there is no publication {publication}; the database has: {listed}",
            f"CREATE PUBLICATION {quoted(publication)} FOR TABLE "
            f"{', '.join(quoted(table.name) for table in tables)};",
            publication,
        )
        return
    published = [*_of_publication(known), *_unpublished(tables, known)]
    yield from or_passed(published, "postgres", "publishes all that is captured", publication)


def missing(entries: Sequence[str]) -> Iterator[Finding]:
    """Entries of an include list that match no table."""
    for entry in entries:
        yield _NOT_THERE.found(
            "no table matches this entry of table.include.list", "Correct or remove it.", entry
        )


def _of_identity(table: TableFacts) -> Iterator[Finding]:
    mend = f"ALTER TABLE {quoted(table.name)} REPLICA IDENTITY FULL;"
    if table.kind == "partitioned":
        return  # its partitions have the identity that counts
    if table.identity == "nothing":
        yield _NOTHING.found("replica identity NOTHING", mend, table.name)
    elif table.identity == "default" and not table.has_primary_key:
        yield _NO_KEY.found("no primary key, and replica identity DEFAULT", mend, table.name)
    elif table.identity == "default":
        yield _DEFAULT.found("replica identity DEFAULT", mend, table.name)
    elif table.identity == "index":
        index = table.identity_index or "that was dropped"
        yield _INDEX.found(f"replica identity INDEX {index}", mend, table.name)
    if table.identity != "full" and table.out_of_line_bytes:
        columns = ", ".join(table.long_columns) or "some column"
        yield _LONG.found(
            f"{table.out_of_line_bytes:,} bytes out of line ({columns}), identity "
            f"{table.identity.upper()}",
            mend,
            table.name,
        )


def _of_table(table: TableFacts, captured: Sequence[TableFacts]) -> Iterator[Finding]:
    if table.persistence == "unlogged":
        yield _UNLOGGED.found(
            "is UNLOGGED", f"ALTER TABLE {quoted(table.name)} SET LOGGED;", table.name
        )
    if table.generated_columns:
        yield _GENERATED.found(
            f"generated: {', '.join(table.generated_columns)}",
            "Compute them where the archive is read.",
            table.name,
        )
    if table.parent is not None and any(one.name == table.parent for one in captured):
        yield _TWICE.found(
            f"is a partition of {table.parent}, which is captured too",
            f"Add {table.parent} to table.exclude.list (or, with publish_via_partition_root, the "
            "partitions).",
            table.name,
        )


def _of_publication(publication: PublicationFacts) -> Iterator[Finding]:
    lacking = sorted(EVERY_OPERATION - publication.operations)
    if lacking:
        yield _OPERATIONS.found(
            f"does not publish {', '.join(lacking)}",
            f"ALTER PUBLICATION {quoted(publication.name)} "
            "SET (publish = 'insert, update, delete, truncate');",
            publication.name,
        )


def _unpublished(tables: Sequence[TableFacts], publication: PublicationFacts) -> Iterator[Finding]:
    names = {table.name for table in tables if publication.name in table.publications}
    parents = {table.name: table.parent for table in tables}
    for table in tables:
        covered = table.name in names or _has_child(table.name, parents, names)
        covered = covered or (publication.via_root and table.parent is not None)
        if not covered and table.persistence == "permanent":
            yield _UNPUBLISHED.found(
                f"is not in publication {publication.name}",
                f"ALTER PUBLICATION {quoted(publication.name)} ADD TABLE {quoted(table.name)};",
                table.name,
            )


def _has_child(name: str, parents: dict[str, str | None], published: set[str]) -> bool:
    """A partitioned table is published by way of its partitions."""
    return any(parent == name and child in published for child, parent in parents.items())


def quoted(name: str) -> str:
    """A name as SQL takes it, part by part; plain ones stay as they are."""
    parts = name.split(".", 1)
    plain = [part.replace("_", "a").isalnum() and part == part.lower() for part in parts]
    pairs = zip(parts, plain, strict=True)
    return ".".join(part if is_plain else _in_quotes(part) for part, is_plain in pairs)


def _in_quotes(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'
