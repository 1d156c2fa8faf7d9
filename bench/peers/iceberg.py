"""Iceberg's own sink for Kafka Connect: a table of Iceberg for each table, partitioned by hour.

Settings are the documented ones (https://iceberg.apache.org/docs/latest/kafka-connect/), chosen for
the least work: tables made beforehand, no inference and no evolution of schemas, static routing by
`source.table`, no transforms, keys and headers passed on as bytes and not stored; one task; zstd,
Iceberg's default. Commits are `COMMIT_MS` apart. What the JVM takes to load and compile is not
counted: it has archived the same topic before the measured run, into other tables, as often as it
takes to see a million events (five times at most): after 300,000 it still compiled a lot.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from bench import stack
from bench.filled import Topic
from bench.peers import tables
from bench.peers.connect import Connect
from bench.peers.meter import Meter
from bench.peers.warehouse import CATALOG, NAMESPACE, Warehouse
from bench.proxy import Proxy
from bench.realistic import events
from bench.subjects import Cost
from infra.local.artifacts import iceberg_plugin

COMMIT_MS = 30_000
"""The default is 300,000: a run would wait for it. Fewer commits are cheaper, if only a little."""
_WARM_EVENTS, _MOST_WARM_UPS = 1_000_000, 5
_SAMPLED = 4_000
"""Messages from which the tables' columns are known: all kinds that are in the topic."""


def sink(topic: Topic, recording: str, file_format: str, folder: Path) -> Cost:
    """Archive a topic; each row is counted by the manifests of the tables.

    Args:
        topic: what was sent.
        recording: a key of `bench.realistic.RECORDINGS`.
        file_format: `parquet` or `avro`.
        folder: for files of the run.

    Raises:
        AssertionError: what is stored is not what was sent, or the sink failed.
    """
    name, schemas = f"iceberg-{file_format}-{secrets.token_hex(4)}", recording == "json-schemas"
    kinds = tables.kinds(event.value for event in islice(events(recording), _SAMPLED))
    kept = Warehouse.made(name, kinds, file_format, folder)
    proxy = Proxy(stack.s3_port())
    running = Connect(stack.servers()["bootstrap.servers"], iceberg_plugin(), folder / name)

    def done() -> bool:
        running.checked()
        return kept.counted().rows >= topic.events

    try:
        for number in range(warm_ups(topic.events)):
            warm = Warehouse.made(f"{name}-warm{number}", kinds, file_format, folder)
            running.add(warm.prefix, config(topic.name, list(kinds), warm, proxy.port, schemas))
            Meter(running.process.pid).until(running.checked)
            running.remove(warm.prefix)
            Meter(running.process.pid).until(running.checked)
        proxy.requests.clear()
        running.add(kept.prefix, config(topic.name, list(kinds), kept, proxy.port, schemas))
        cost = Meter(running.process.pid).until(done)
        requests = proxy.requests.copy()
    finally:
        running.end()
        proxy.close()
    found = kept.counted()
    assert found.rows == topic.events, f"sent {topic.events}, stored {found.rows}"
    return cost._replace(
        stored_bytes=found.bytes, objects=found.files, commits=found.commits, requests=requests
    )


def warm_ups(events: int) -> int:
    """How often a topic is archived before it is measured."""
    return min(_MOST_WARM_UPS, -(-_WARM_EVENTS // events))


def config(
    topic: str, source_tables: Sequence[str], warehouse: Warehouse, port: int, schemas: bool
) -> dict[str, str]:
    """Of the connector; `port` is the S3 server's, `schemas` tells whether messages carry them."""
    routes = {
        f"iceberg.table.{NAMESPACE}.{table}.route-regex": table.replace(".", r"\.")
        for table in source_tables
    }
    return routes | {
        "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
        "tasks.max": "1",
        "topics": topic,
        "value.converter.schemas.enable": str(schemas).lower(),
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "iceberg.tables": ",".join(f"{NAMESPACE}.{table}" for table in source_tables),
        "iceberg.tables.route-field": "source.table",
        "iceberg.control.topic": f"control-{warehouse.prefix}",
        "iceberg.control.commit.interval-ms": str(COMMIT_MS),
        "iceberg.catalog": CATALOG,
        "iceberg.catalog.catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        "iceberg.catalog.uri": f"jdbc:sqlite:{warehouse.catalog}",
        "iceberg.catalog.jdbc.schema-version": "V0",
        "iceberg.catalog.warehouse": warehouse.url,
        "iceberg.catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "iceberg.catalog.client.region": os.environ["CDC_ARCHIVE_STORE__REGION"],
        "iceberg.catalog.s3.endpoint": f"http://127.0.0.1:{port}",
        "iceberg.catalog.s3.path-style-access": "true",
        "iceberg.catalog.s3.access-key-id": os.environ["CDC_ARCHIVE_STORE__ACCESS_KEY_ID"],
        "iceberg.catalog.s3.secret-access-key": os.environ["CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY"],
    }
