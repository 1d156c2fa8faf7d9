"""Recordings and mappings from strangers: whole, or refused by file, line and reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from support.listening import Listener

from cdc_archive import schema_files
from cdc_archive.audit import mapping
from cdc_archive.errors import MappingInvalid, SourceInvalid
from cdc_archive.source.recorded import RecordedSource

GOOD = {"topic": "t", "partition": 0, "offset": 5, "key": None, "value": "eA=="}


def line(**fields: object) -> bytes:
    return json.dumps(GOOD | fields).encode()


LINES = {
    "no JSON": b"\x00\xff",
    "a byte order mark": b"\xef\xbb\xbf" + line(),
    "UTF-16": line().decode().encode("utf-16"),
    "invalid UTF-8 in a topic": line(topic="X").replace(b"X", b"\xff"),
    "a lone surrogate in a topic": line(topic="\ud800"),
    "a lone surrogate in a header": line(headers=[["\ud800", None]]),
    "a topic of 2,049 characters": line(topic="t" * 2049),
    "a partition of 2^31": line(partition=2**31),
    "an offset of 2^63": line(offset=2**63),
    "an offset of a million digits": line(offset=7).replace(b"7", b"9" * 1_000_000),
    "an offset of 1e999999": line(offset=7).replace(b"7", b"1e999999"),
    "an offset that is a fraction": line(offset=0.5),
    "a timestamp of 2^63": line(timestamp=2**63),
    "a timestamp of -2^64": line(timestamp=-(2**64)),
    "no text in a value": line(value=7),
    "no base64": line(value="****"),
    "base64 that is no ASCII": line(value="é"),
    "base64 cut off": line(value="eA="),
    "a type of ESC": line(timestamp_type="\x1b[31m"),
    "an unknown member nested deep": line()[:-1]
    + b',"x":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
    "headers that are no pairs": line(headers=[["a", None, "b"]]),
    "headers that are an object": line(headers={"a": None}),
    "a name that is null": line(headers=[[None, None]]),
    "two objects": line() + line(),
}


@pytest.mark.parametrize("form", ["plain", "gzip"])
@pytest.mark.parametrize("name", LINES)
def test_a_hostile_line_is_refused(tmp_path: Path, name: str, form: str) -> None:
    """By file and line, after good ones and blank ones; nothing else is raised."""
    data = line(offset=0) + b"\n\n" + LINES[name] + b"\n"
    path = tmp_path / ("dump.jsonl.gz" if form == "gzip" else "dump.jsonl")
    path.write_bytes(gzip.compress(data) if form == "gzip" else data)
    with pytest.raises(SourceInvalid, match=r"dump\.jsonl(\.gz)?, line 3: ") as refused:
        RecordedSource([path]).open(Listener())
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("damage", ["cut", "flipped", "not gzip", "rubbish after it"])
def test_a_damaged_gzip_is_refused(tmp_path: Path, damage: str) -> None:
    """By file."""
    data = gzip.compress(b"\n".join(line(offset=at) for at in range(400)), mtime=0)
    bad = {
        "cut": data[:-9],
        "flipped": data[:-6] + bytes([data[-6] ^ 1]) + data[-5:],
        "not gzip": b"plain\n",
        "rubbish after it": data + b"rubbish",
    }[damage]
    path = tmp_path / "dump.jsonl.gz"
    path.write_bytes(bad)
    with pytest.raises(SourceInvalid, match=r"dump\.jsonl\.gz"):
        RecordedSource([path]).open(Listener())


RULES = schema_files.read("mappings/openai.toml")
MAPPINGS = {
    "nothing": b"",
    "rubbish": b"\x00\x01",
    "UTF-16": RULES.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + RULES,
    "nested deep": b"a = " + b"[" * 100_000 + b"]" * 100_000,
    "a number of a million digits": b"a = " + b"9" * 1_000_000,
    "an absurd date": b"a = 9999-99-99",
    "an expression nested deep": RULES.replace(b'id = "', b'id = "' + b"(" * 5_000, 1),
    "an expression that is a number": RULES.replace(b'id = "', b'id = 7 # "', 1),
    "an expression of NUL": RULES.replace(b'id = "', b'id = "\\u0000', 1),
    "a name twice": RULES + RULES,
    "rules that are text": b'name = "x"\nrule = "y"\nactor = 1',
    "rules that are numbers": b'name = "x"\nrule = [1, 2]\nactor = []',
    "an unknown name of ESC": b'"\\u001b[31m" = 1\n' + RULES,
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_hostile_mapping_is_refused(tmp_path: Path, name: str) -> None:
    """By name, with what is wrong."""
    path = tmp_path / "the-mapping.toml"
    path.write_bytes(MAPPINGS[name])
    with pytest.raises(MappingInvalid, match="the-mapping"):
        mapping.load(path)


def test_a_mapping_of_megabytes_is_not_read(tmp_path: Path) -> None:
    """Nobody writes one."""
    path = tmp_path / "the-mapping.toml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(MappingInvalid, match=r"the-mapping.* has more than"):
        mapping.load(path)
