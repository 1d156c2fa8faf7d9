"""The peers' configurations and how their rows are counted."""

from __future__ import annotations

import io
import json
import re
from itertools import islice
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml

from bench.peers import connect, iceberg, program, tables, warehouse
from bench.realistic import RECORDINGS, TABLES, events

CONFIGURATIONS = sorted(program.FOLDER.glob("redpanda_connect*.yaml"))


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a running stack would tell."""
    for name, value in (
        ("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9"),
        ("STORE__REGION", "us-east-1"),
        ("STORE__ACCESS_KEY_ID", "key"),
        ("STORE__SECRET_ACCESS_KEY", "secret"),
    ):
        monkeypatch.setenv(f"CDC_ARCHIVE_{name}", value)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_the_tables_hold_every_column_that_is_not_null(recording: str) -> None:
    """A column that is missing would be dropped by the sink without a word."""
    values = [event.value for event in islice(events(recording), 2_000)]
    kinds = tables.kinds(values)
    assert sorted(kinds) == sorted(TABLES)
    for value in values:
        message = json.loads(value)
        envelope = message.get("payload", message)
        described = tables.metadata(kinds[envelope["source"]["table"]], "s3://b/t", "u", 1, {})
        held = set(paths({"type": described["schemas"][0]}))
        assert {path for path, one in leaves(envelope) if one is not None} <= held


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for name, one in value.items() for leaf in leaves(one, (*path, name))]
    return [(path, value)]


def paths(field: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(field["type"], dict) and field["type"]["type"] == "struct":
        return [
            leaf for one in field["type"]["fields"] for leaf in paths(one, (*path, one["name"]))
        ]
    return [path]


def test_a_column_of_several_types_becomes_the_one_that_holds_all() -> None:
    """Whole numbers are numbers; whatever else differs is text."""

    def value(**row: object) -> bytes:
        return json.dumps({"after": row, "source": {"table": "t", "ts_ms": 1}}).encode()

    seen = tables.kinds(
        [
            value(a=None, b=1, c=1, d=[], e={"x": None}),
            value(a=True, b=1.5, c="1", d=["s"], e={"y": 1}),
        ]
    )
    assert seen["t"]["after"] == {
        "a": "boolean",
        "b": "double",
        "c": "string",
        "d": ["string"],
        "e": {"x": None, "y": "long"},
    }


def test_a_table_is_partitioned_by_the_hour_of_the_source() -> None:
    """Not by when Debezium or the sink saw the change; each field has an id of its own."""
    kind = {"ts_ms": "long", "op": None, "source": {"ts_ms": "long", "tags": ["string"]}}
    made = tables.metadata(kind, "s3://b/t", "u", 1, {"p": "q"})
    top, source = made["schemas"][0]["fields"]
    ts_ms, tags = source["type"]["fields"]
    assert (top["name"], top["type"]) == ("ts_ms", "long")
    assert (ts_ms["name"], ts_ms["type"]) == ("ts_ms", "timestamptz")
    (by,) = made["partition-specs"][0]["fields"]
    assert (by["transform"], by["source-id"]) == ("hour", ts_ms["id"])
    ids = [top["id"], source["id"], ts_ms["id"], tags["id"], tags["type"]["element-id"]]
    assert sorted(ids) == [1, 2, 3, 4, 5]
    assert made["last-column-id"] == 5


def avro(rows: list[dict[str, Any]], *fields: tuple[str, Any]) -> bytes:
    out = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": n, "type": t} for n, t in fields]}
    fastavro.writer(out, schema, rows)
    return out.getvalue()


def test_rows_are_counted_by_what_the_current_snapshot_holds() -> None:
    """Files of an older snapshot and files that were removed are not there for a reader."""
    file = {"type": "record", "name": "f", "fields": [{"name": "record_count", "type": "long"}]}
    entries = [{"status": n, "data_file": {"record_count": 10**n}} for n in (0, 1, 2)]
    stored = {
        "list": avro([{"manifest_path": "manifest"}], ("manifest_path", "string")),
        "manifest": avro(entries, ("status", "int"), ("data_file", file)),
    }
    described = {
        "current-snapshot-id": 2,
        "snapshots": [
            {"snapshot-id": 1, "manifest-list": "gone"},
            {"snapshot-id": 2, "manifest-list": "list"},
        ],
    }
    found = list(warehouse.live(described, stored.__getitem__))
    assert sum(one["record_count"] for one in found) == 11
    assert not list(warehouse.live({}, stored.__getitem__))


def test_the_sink_routes_each_table_to_its_own_and_no_other() -> None:
    """A pattern must match all of a name, and a name with a dot only itself."""
    kept = warehouse.Warehouse(Path("/c.db"), "p")
    made = iceberg.config("topic", ["user", "user.log"], kept, 9, schemas=False)
    assert made["iceberg.tables"] == "app.user,app.user.log"
    routes = {
        table: [
            name
            for name in ("user", "user.log", "userxlog", "superuser")
            if re.fullmatch(made[f"iceberg.table.app.{table}.route-regex"], name)
        ]
        for table in ("user", "user.log")
    }
    assert routes == {"user": ["user"], "user.log": ["user.log"]}
    assert made["value.converter.schemas.enable"] == "false"


def test_a_jvm_is_warm_before_it_is_measured() -> None:
    """By a million events, without reading a small topic for ever."""
    assert [iceberg.warm_ups(events) for events in (1_000, 300_000, 1_000_000, 9_000_000)] == [
        5,
        4,
        1,
        1,
    ]


def test_connect_reads_topics_from_their_beginning() -> None:
    """Else a sink would wait for what comes next."""
    lines = connect.worker("127.0.0.1:9", "http://127.0.0.1:8", Path("/f")).splitlines()
    assert "consumer.auto.offset.reset=earliest" in lines
    assert "bootstrap.servers=127.0.0.1:9" in lines


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_a_configuration_names_only_what_it_is_given(path: Path) -> None:
    """An unknown name would be an empty setting."""
    named = set(re.findall(r"\$\{([A-Z_]+)\}", path.read_text()))
    assert named == program.environment("topic", "prefix", 9).keys()


def test_the_configurations_differ_by_how_the_place_is_found() -> None:
    """So their difference is that of the two ways."""
    parsed, pattern = (yaml.safe_load(path.read_text()) for path in CONFIGURATIONS)
    assert parsed["pipeline"]["processors"].pop(0) != pattern["pipeline"]["processors"].pop(0)
    assert parsed == pattern


@pytest.mark.parametrize(
    ("text", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2)]
)
def test_lines_are_counted_with_or_without_a_line_feed_at_the_end(text: bytes, lines: int) -> None:
    """Programs differ in that."""
    assert program.in_lines(text) == lines


@pytest.mark.parametrize("recording", RECORDINGS)
def test_a_messages_place_is_its_table_and_hour(recording: str) -> None:
    """With a schema around it or without."""
    first = next(events(recording))
    assert program.place(first.value) == f"{TABLES[0]}/492088"


@pytest.mark.parametrize("recording", RECORDINGS)
def test_the_pattern_finds_the_place_of_every_recorded_message(recording: str) -> None:
    """Where it did not, the variant that does not parse would be no comparison."""
    text = (program.FOLDER / "redpanda_connect_pattern.yaml").read_text()
    found = re.search(r're_find_all_submatch\(("(?:[^"\\]|\\.)*")\)', text)
    assert found is not None
    pattern = re.compile(json.loads(found[1]).encode())
    for event in islice(events(recording), 2_000):
        match = pattern.search(event.value)
        assert match is not None
        hour = int(match[1]) // 3_600_000
        assert f"{match[2].decode()}/{hour}" == program.place(event.value)
