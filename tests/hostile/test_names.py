"""Names that escape, collide, hide or command: from a recording to ls, cat and replay."""

from __future__ import annotations

import base64
import json
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_s3.client import S3Client
from support.build import HOUR_16_MS

from cdc_archive.cli import main
from cdc_archive.storage.s3 import S3Options

NAMES = [
    "../../etc/passwd",
    "..",
    ".",
    "/abs",
    "a/../../b",
    "%2F..%2F",
    "%2e%2e",
    "a\0b",
    "a\r\nb",
    "\t",
    " ",
    "🚀",
    "👩‍👩‍👧",
    "\u202egnp.exe",
    "\u200f\u2066x\u2069",
    "\ufeffbom",
    "x" * 1024,
    "é" * 512,
    "case",
    "CASE",
    "caf\u00e9",
    "cafe\u0301",
    "~",
    "table=x",
    "a+0+1-2",
    "[/x]",
    "[red]x",
    ":smile:",
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "\\ud800",
    "-rf",
    "$(id)",
    "a\u2028b",
    "*",
]
"""Names that Unicode has; the first topic of each is the same as the table."""
LONE = "\ud800x"
"""A lone surrogate: JSON can escape it, UTF-8 cannot hold it."""
MAPPING = """
name = "any"
[actor]
template = "@"
[[actor.source]]
columns = { create = ["by"] }
[[rule]]
type = "row.created"
tables = ["*"]
on = "create"
id = "row.id"
payload = "{id: id, row: row, key: key, table: table}"
"""
UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)

Run = Callable[..., tuple[int, str, str]]


PLACES = ("topic", "table", "schema", "db", "column", "key", "header")


def recorded(folder: Path, places: Sequence[str]) -> tuple[Path, list[dict[str, Any]]]:
    """A recording with each name in each place, and what was put into it."""
    lines = []
    for name in NAMES:
        for place in places:
            lines.append(a_line(place, name, len(lines)))
    for place in ("table", "schema", "db", "column", "key"):
        lines.append(a_line(place, LONE, len(lines)))
    path = folder / "dump.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path, lines


def a_line(place: str, name: str, offset: int) -> dict[str, Any]:
    source = {"ts_ms": HOUR_16_MS, "db": "d", "schema": "s", "table": "t"}
    row = {"id": offset, "v": "x"}
    if place in source:
        source[place] = name
    if place == "column":
        row[name] = name
    value = {"before": None, "after": row, "source": source, "transaction": None, "op": "c"}
    key = {"id": offset, name: name} if place == "key" else {"id": offset}
    return {
        "topic": name if place == "topic" else "plain",
        "partition": 0,
        "offset": offset,
        "timestamp": HOUR_16_MS,
        "timestamp_type": "CreateTime",
        "headers": [[name, "eA=="]] if place == "header" else [],
        "key": text64(key),
        "value": text64(value),
    }


def text64(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: exit code, stdout, stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main.run([*arguments])
        told = capfd.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture(params=["folder", "bucket"])
def archive(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path | None:
    """Where the archive lies: the folder, None for a bucket."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDC_ARCHIVE_WORKER__LOG_LEVEL", "error")
    if request.param == "folder":
        folder = tmp_path / "outer" / "archive"
        folder.mkdir(parents=True)
        monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(folder))
        return folder
    options: S3Options = request.getfixturevalue("s3_options")
    s3: S3Client = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    for name, value in {
        "URL": f"s3://{bucket}/root",
        "ENDPOINT_URL": options.endpoint_url,
        "REGION": "us-east-1",
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "PATH_STYLE": "true",
    }.items():
        monkeypatch.setenv(f"CDC_ARCHIVE_STORE__{name}", str(value))
    assert s3 is not None
    return None


def as_value(shown: Any) -> Any:
    """What cat shows as JSON, or as text if it holds a lone surrogate."""
    return json.loads(shown) if isinstance(shown, str) else shown


def shows(out: str) -> list[dict[str, Any]]:
    assert not UNSEEN.search(out)
    return [json.loads(line) for line in out.split("\n") if line]


def test_hostile_names_are_archived_listed_and_replayed(
    archive: Path | None, tmp_path: Path, run: Run
) -> None:
    """Each message once, by its own name, below the root; no name drives the terminal."""
    places = PLACES if archive is not None else PLACES[:2]  # a bucket is slow, and sees keys only
    path, lines = recorded(tmp_path, places)
    code, _, told = run("import", str(path))
    assert code == 0, told
    assert f"{len(lines)} messages archived, 0 of them" in told
    if archive is not None:
        stray = [p for p in tmp_path.rglob("*") if p.is_file() and archive not in p.parents]
        assert stray == [path]

    code, out, told = run("cat")
    assert code == 0, told
    found = {record["offset"]: record for record in shows(out)}
    assert sorted(found) == list(range(len(lines)))
    for line in lines:
        record = found[line["offset"]]
        assert record["topic"] == line["topic"]
        assert as_value(record["key"]) == json.loads(base64.b64decode(line["key"]))
        value = json.loads(base64.b64decode(line["value"]))
        assert as_value(record["after"]) == value["after"]
        assert record["headers"] == [[name, "x"] for name, _ in line["headers"]]
        source = value["source"]
        table = ".".join(source[part] for part in ("db", "schema", "table"))
        assert record["table"] == table.encode("utf-8", "backslashreplace").decode()

    tables = {record["table"] for record in found.values()}
    keys = {(record["table"], record["file"].split("/")[1]) for record in found.values()}
    assert len(keys) == len(tables)
    assert len({folder for _, folder in keys}) == len(tables)

    for by in ("table", "hour", "file", "partition") if archive is not None else ("file",):
        code, out, told = run("ls", "--by", by, "--json")
        assert code == 0, told
        assert shows(out)
        code, out, told = run("ls", "--by", by)
        assert code == 0, told
        assert not UNSEEN.search(out)
    mapping = tmp_path / "any.toml"
    mapping.write_text(MAPPING)
    code, out, told = run("replay", "--mapping", str(mapping), "--provenance", str(tmp_path / "p"))
    assert code == 0, told
    assert not UNSEEN.search(told)
    events = [json.loads(line) for line in out.split("\n") if line]
    assert len({event["id"] for event in events}) == len(lines)
    assert len((tmp_path / "p").read_text().split("\n")) == len(lines) + 1


def test_names_that_differ_in_case_or_normalisation_only_stay_apart() -> None:
    """The list holds such pairs; the test above asks that each has its folder."""
    folded = [unicodedata.normalize("NFC", name).casefold() for name in NAMES]
    assert len(NAMES) - len(set(folded)) == 2


def test_a_topic_that_is_not_unicode_is_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """It is refused by file and line; Kafka has no such topic."""
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path))
    path = tmp_path / "dump.jsonl"
    path.write_text(json.dumps(a_line("topic", LONE, 0)) + "\n")
    code, _, told = run("import", str(path))
    assert code == 9
    assert f"{path}, line 1" in told


def test_an_error_that_names_a_hostile_thing_shows_it_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """The message of an error reaches a terminal too."""
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path))
    (tmp_path / "archive.json").write_text('{"archive":"\\u001b[31m\\u202e"}')
    code, _, told = run("ls")
    assert code == 15
    assert not UNSEEN.search(told)
    assert os.linesep in told
