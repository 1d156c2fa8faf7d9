"""The commands, as a person or a script runs them."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.captures import FOLDER

from cdc_archive.cli import main

ACCEPT = ["gap", "accept", "jp.message", "0", "--reason", "retention", "--by", "ann"]
CAPTURE = str(FOLDER / "pg_jp.jsonl.gz")


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDC_ARCHIVE_WORKER__LOG_LEVEL", "error")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of a capture in a folder, named by the environment."""
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(folder))
    assert main.run(["import", CAPTURE]) == 0
    return folder


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("archive")
def test_import_can_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """What the archive has already is not archived again."""
    capsys.readouterr()
    assert main.run(["import", CAPTURE]) == 0
    assert "0 messages archived" in capsys.readouterr().err


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("by", "key", "rows"), [("table", "table", 28), ("partition", "topic", 21), ("file", "key", 28)]
)
def test_ls_shows_what_there_is(
    capsys: pytest.CaptureFixture[str], by: str, key: str, rows: int
) -> None:
    """By table, topic partition or file; the records add up."""
    capsys.readouterr()
    assert main.run(["ls", "--by", by, "--json"]) == 0
    shown = lines(capsys.readouterr().out)
    assert len({row[key] for row in shown}) == len(shown)
    assert sum(row["records"] for row in shown) == 340
    assert len(shown) == rows


@pytest.mark.usefixtures("archive")
def test_cat_prints_records_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a table, in offset order, with provenance."""
    capsys.readouterr()
    assert main.run(["cat", "--table", "*.api_key"]) == 0
    shown = lines(capsys.readouterr().out)
    assert [row["op"] for row in shown] == ["r", "c", "u", "u"]
    assert shown[2]["after"]["name"] == "k2"
    assert {"file", "commit", "offset", "headers"} <= shown[0].keys()


@pytest.mark.usefixtures("archive")
def test_cat_follows_a_row_through_a_change_of_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    """proj_3 becomes proj_3_moved; it is one row."""
    capsys.readouterr()
    assert main.run(["cat", "--topic", "*.project", "--follow-key", '{"id":"proj_3"}']) == 0
    shown = lines(capsys.readouterr().out)
    assert [row["op"] for row in shown] == ["r", "d", "tombstone", "c"]
    assert shown[3]["key"] == {"id": "proj_3_moved"}


@pytest.mark.usefixtures("archive")
def test_cat_takes_a_window_and_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    """Half open, in UTC."""
    capsys.readouterr()
    assert main.run(["cat", "--from", "2026-11-23T00:00:00", "--limit", "3"]) == 0
    assert len(lines(capsys.readouterr().out)) == 3
    assert main.run(["cat", "--to", "2026-11-23T00:00:00"]) == 17
    assert "no archived record matches" in capsys.readouterr().err


@pytest.mark.usefixtures("archive")
def test_replay_writes_events_evidence_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same bytes to a file and to stdout; a line of evidence for each event."""
    out, evidence, report = (tmp_path / name for name in ("events", "evidence", "report"))
    arguments = ["--out", str(out), "--provenance", str(evidence), "--report", str(report)]
    assert main.run(["replay", *arguments]) == 0
    assert "audit events from" in capsys.readouterr().err
    events, proofs = lines(out.read_text()), lines(evidence.read_text())
    assert [event["id"] for event in events] == [proof["id"] for proof in proofs]
    assert json.loads(report.read_text())["events_total"] == len(events)
    assert {"topic", "partition", "offset", "lsn", "transaction", "file", "commit"} <= proofs[
        0
    ].keys()
    assert not list(tmp_path.glob(".events*"))
    assert main.run(["replay", "--out", str(out)]) == 0
    assert lines(out.read_text()) == events


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["replay", "--type", "no.such"], 2, "has no type no.such"),
        (["replay", "--table", "nothing"], 17, "prove no such event"),
        (["replay", "--mapping", "missing.toml"], 4, "missing.toml cannot be read"),
        (["replay", "--out", "no/such/folder/x"], 1, "cannot be written"),
        (["cat", "--topic", "nothing"], 17, "no archived record"),
        (["import", "missing.jsonl"], 9, "missing.jsonl cannot be read"),
        (
            [
                "gap",
                "accept",
                "jp.message",
                "0",
                "--from",
                "1",
                "--to",
                "9",
                "--reason",
                "r",
                "--by",
                "b",
            ],
            2,
            "ends at 5",
        ),
        (["no-such-command"], 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    """One message on stderr, nothing on stdout."""
    capsys.readouterr()
    assert main.run(arguments) == code
    told = capsys.readouterr()
    assert says in told.err
    assert told.out == ""


@pytest.mark.usefixtures("archive")
def test_a_reason_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    """The dots of the message are no reason."""
    accept = ["gap", "accept", "jp.message", "0", "--from", "5", "--to", "9"]
    assert main.run([*accept, "--reason", "...", "--by", "ann"]) == 2
    assert main.run([*accept, "--reason", "storm", "--by", "..."]) == 2
    assert "who accepts" in capsys.readouterr().err


@pytest.mark.usefixtures("archive")
def test_an_accepted_gap_stands_in_the_chain(capsys: pytest.CaptureFixture[str]) -> None:
    """With its range; and replay says that it is not complete."""
    assert main.run([*ACCEPT, "--from", "5", "--to", "9"]) == 0
    capsys.readouterr()
    assert main.run(["ls", "--by", "partition", "--json"]) == 0
    rows = {row["topic"]: row for row in lines(capsys.readouterr().out)}
    assert (rows["jp.message"]["lost"], rows["jp.message"]["to"]) == (4, 9)
    assert main.run(["replay"]) == 0
    assert "lost: jp.message[0] [5, 9): retention" in capsys.readouterr().err
    assert main.run(["ls", "--by", "gap", "--json"]) == 0
    (gap,) = lines(capsys.readouterr().out)
    assert (gap["kind"], gap["from"], gap["to"], gap["accepted_by"]) == ("deleted", 5, 9, "ann")


def test_an_archive_is_verified_by_exit_code(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole, whole with known losses, damaged, empty."""
    assert main.run(["verify"]) == 0
    assert "whole and unaltered" in capsys.readouterr().err
    assert main.run([*ACCEPT, "--from", "5", "--to", "9"]) == 0
    assert main.run(["verify"]) == 20
    assert main.run(["verify", "--allow-gaps"]) == 0
    capsys.readouterr()
    victim = next(archive.glob("changes/*/*/*/*.avro"))
    victim.write_bytes(b"x")
    assert main.run(["verify", "--json"]) == 15
    *found, result = lines(capsys.readouterr().out)
    kinds = {row["kind"]: row["key"] for row in found}
    assert kinds["altered"] == str(victim.relative_to(archive))
    assert (result["kind"], result["result"]) == ("result", "damaged")
    shutil.rmtree(archive / "commits")
    victim.unlink()
    assert main.run(["verify"]) == 17
    assert "nothing to prove" in capsys.readouterr().err


def test_changes_that_a_transaction_tells_of_and_that_are_not_there_end_with_20(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though every object is sound, and gaps are allowed: nobody accepted this one."""
    gone = '{"topic":"jp.app.api_key","partition":0,"offset":2,'
    with gzip.open(CAPTURE, "rt") as dump:
        kept = [one for one in dump if not one.startswith(gone)]
    (tmp_path / "short.jsonl").write_text("".join(kept))
    (tmp_path / "archive").mkdir()
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "archive"))
    assert main.run(["import", str(tmp_path / "short.jsonl")]) == 0
    capsys.readouterr()
    assert main.run(["verify", "--allow-gaps"]) == 20
    said = capsys.readouterr()
    assert "app.api_key is short by 1 of" in said.out
    assert "transactions of jp: gap, 64 complete, 1 gap" in said.err


@pytest.mark.usefixtures("archive")
def test_an_anchor_is_written_and_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by a run that finds damage, and one that is none is refused."""
    assert main.run(["verify", "--write-anchor", "head.json"]) == 0
    assert len(json.loads(Path("head.json").read_text())["chains"]) == 21
    assert main.run(["verify", "--anchor", "head.json"]) == 0
    assert main.run(["verify", "--anchor", "nothing.json"]) == 3
    (tmp_path / "archive/archive.probe").unlink()
    assert main.run(["verify", "--write-anchor", "other.json"]) == 15
    assert not Path("other.json").exists()
    assert main.run(["verify", "--offline", "archive", "--write-anchor", "no/such/file"]) == 15
    assert "missing     archive.probe" in capsys.readouterr().out


@pytest.mark.usefixtures("archive")
def test_a_hole_in_a_change_stream_is_recorded_in_each_chain_of_its_connector(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Once; and replay says that it is not complete."""
    accept = ["gap", "accept", "--connector", "jp", "--position", "99", "--reason", "slot", "--by"]
    for _ in range(2):
        assert main.run([*accept, "ann"]) == 0
    capsys.readouterr()
    assert main.run(["ls", "--by", "gap", "--json"]) == 0
    gaps = lines(capsys.readouterr().out)
    assert len({gap["topic"] for gap in gaps}) == len(gaps) > 5
    assert {gap["kind"] for gap in gaps} == {"source"}
    assert main.run(["replay"]) == 0
    assert "slot (source; accepted by ann) connector jp: archived up to" in capsys.readouterr().err


def test_an_archive_that_is_not_there_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong store.url must not look like nothing happened."""
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path))
    assert main.run(["ls"]) == 14
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "typo"))
    assert main.run(["ls"]) == 11
    monkeypatch.delenv("CDC_ARCHIVE_STORE__URL")
    assert main.run(["ls"]) == 3
    assert "store.url is not set" in capsys.readouterr().err


def test_config_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """check, show and example."""
    assert main.run(["config", "check"]) == 3
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", "/x")
    assert main.run(["config", "check", "--for", "read"]) == 0
    assert main.run(["config", "show", "--json"]) == 0
    rows = {row["setting"]: row for row in lines(capsys.readouterr().out)}
    assert rows["store.url"]["origin"] == "environment CDC_ARCHIVE_STORE__URL"
    assert main.run(["config", "show"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main.run(["config", "example"]) == 0
    assert "[kafka]" in capsys.readouterr().out


def test_an_unexpected_error_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is for those who ask."""
    monkeypatch.setattr(main.cli, "main", lambda *_, **__: 1 / 0)
    assert main.run(["ls"]) == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "Traceback" not in told
    assert main.run(["--verbose", "ls"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_help_waits_for_no_client_library() -> None:
    """Commands are imported when they run."""
    script = (
        "import sys; from cdc_archive.cli import main; main.run(['--help']);"
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'boto3', 'kafka', 'pydantic', 'fastavro', 'rich', 'confluent_kafka'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for name in main.COMMANDS:
        assert f"  {name}" in done.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And can be imported."""
    assert main.run([name, "--help"]) == 0
    assert "Usage: cdc-archive" in capsys.readouterr().out


FLAT = {"topic": "flat.t", "partition": 0, "timestamp": 1_771_516_800_000, "key": None}


@pytest.fixture
def quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of two rows without a mark, and poison."""
    values = [b'{"id":1}', b"\xff\x1b[31m", b'{"id":2}']
    dump = tmp_path / "dump.jsonl"
    with dump.open("w") as out:
        for offset, value in enumerate(values):
            line = FLAT | {"offset": offset, "value": base64.b64encode(value).decode()}
            out.write(json.dumps(line | {"timestamp_type": "CreateTime", "headers": []}) + "\n")
    (tmp_path / "archive").mkdir()
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "archive"))
    monkeypatch.delenv("CDC_ARCHIVE_CONFIG", raising=False)
    assert main.run(["import", str(dump)]) == 0


@pytest.mark.usefixtures("quarantine")
def test_what_is_in_quarantine_is_listed_shown_and_tried_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the settings name the topic as flattened, its rows are recovered; poison stays."""
    capsys.readouterr()
    assert main.run(["quarantine", "list", "--json"]) == 0
    reasons = {row["reason"]: row["messages"] for row in lines(capsys.readouterr().out)}
    assert reasons == {"not_debezium": 2, "invalid_utf8": 1}
    assert main.run(["quarantine", "show", "flat.t", "0", "1"]) == 0
    (shown,) = lines(capsys.readouterr().out)
    assert (shown["reason"], shown["value"]) == ("invalid_utf8", {"base64": "/xtbMzFt"})
    monkeypatch.setenv("CDC_ARCHIVE_DECODE__FLATTENED_TOPICS", "flat\\..*")
    assert main.run(["quarantine", "retry"]) == 0
    assert "2 messages recovered, 1 still do not decode" in capsys.readouterr().err
    assert main.run(["quarantine", "retry"]) == 0
    assert "0 messages recovered, 1 still do not decode" in capsys.readouterr().err
    assert main.run(["cat", "--topic", "flat.t"]) == 0
    assert [row["offset"] for row in lines(capsys.readouterr().out)] == [0, 2]
    assert main.run(["quarantine", "list", "--messages", "--recovered", "--json"]) == 0
    told = [row["recovered_by"] for row in lines(capsys.readouterr().out)]
    assert told == [1, None, 1]
    assert main.run(["quarantine", "show", "flat.t", "0", "7"]) == 17
    assert main.run(["quarantine", "show", "flat.t", "0", "1", "--incarnation", "1"]) == 17
    assert main.run(["quarantine", "list"]) == 0
    assert "invalid_utf8" in capsys.readouterr().out
