"""`digest` and `key` on an archive in a folder, as a person uses them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from support.runs import NOON_US, Database, archived

from cdc_archive.cli import main
from cdc_archive.storage.local import LocalStore


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archive").mkdir()
    database = Database()
    database.commit(NOON_US, ("c", "user", None, {"id": 1}))
    archived(database.log, LocalStore(tmp_path / "archive"), wall=time.time() - 2)
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "archive"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main.run([*arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def keyed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str = "key.pem"
) -> str:
    code, public, _ = run(capsys, "key", "new", name)
    assert code == 0
    monkeypatch.setenv("CDC_ARCHIVE_DIGEST__KEY_FILE", name)
    return public


def test_without_a_key_nothing_is_sealed_by_accident(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, told = run(capsys, "digest", "seal", "--now")
    assert code == 3
    assert "digest.key_file" in told
    assert run(capsys, "digest", "list")[0] == 17
    code, _, told = run(capsys, "digest", "seal", "--now", "--unsigned")
    assert code == 0
    assert "1 commits, 1 records, not signed" in told


def test_sealed_hours_are_listed_and_shown(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed(capsys, monkeypatch)
    assert run(capsys, "digest", "seal", "--now")[0] == 0
    code, out, _ = run(capsys, "digest", "list", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert sum(row["commits"] for row in rows) == 1
    shown = json.loads(run(capsys, "digest", "show", "last")[1])
    assert shown["sequence"] == len(rows) - 1
    assert shown["chains"][0]["topic"] == "pg.app.user"
    assert run(capsys, "digest", "show", "digests/1999/01/01/00.json")[0] == 17


def test_a_key_takes_over_and_the_old_one_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keyed(capsys, monkeypatch)
    assert run(capsys, "key", "show")[0] == 17
    run(capsys, "digest", "seal", "--now")
    run(capsys, "key", "new", "next.pem")
    code, _, told = run(capsys, "key", "rotate", "--new", "next.pem")
    assert (code, "takes over from" in told) == (0, True)
    code, _, told = run(capsys, "digest", "seal", "--now")
    assert (code, "sign no more" in told) == (26, True)
    monkeypatch.setenv("CDC_ARCHIVE_DIGEST__KEY_FILE", "next.pem")
    assert run(capsys, "digest", "seal", "--now")[0] == 0
    _, table, _ = run(capsys, "key", "show")
    assert [row.split()[-1] == "use" for row in table.splitlines()[1:]] == [False, True]
    assert run(capsys, "key", "show", "--pem")[1].startswith(first)


def test_a_stranger_key_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed(capsys, monkeypatch)
    run(capsys, "digest", "seal", "--now")
    keyed(capsys, monkeypatch, "other.pem")
    code, _, told = run(capsys, "digest", "seal", "--now")
    assert code == 26
    assert "cdc-archive key rotate --old OLD.pem --new NEW.pem" in told
