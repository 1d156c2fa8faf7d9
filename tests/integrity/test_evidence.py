"""What goes into an evidence bundle, and that it stands by itself."""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.evidence_bundle import bundle
from support.tamper_world import put, world

from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.cli import main
from cdc_archive.errors import ConfigInvalid, NothingFound
from cdc_archive.integrity.evidence import Wanted, signed_text
from cdc_archive.signing import key_file
from cdc_archive.signing.public_key import is_signed


def hour(number: int) -> int:
    found = microseconds(datetime(2026, 2, 19, number, tzinfo=UTC))
    assert found is not None
    return found


def of_kind(files: dict[str, bytes], kind: str) -> list[str]:
    return sorted(name for name in files if name.startswith(f"archive/{kind}"))


def test_the_manifest_names_every_file_and_is_signed(tmp_path: Path) -> None:
    files = bundle(tmp_path / "e.zip")
    manifest = json.loads(files["manifest.json"])
    named = {one["name"]: one["sha256"] for one in manifest["objects"]}
    beside = {"manifest.json", "manifest.sig", "SHA256SUMS"}
    assert named.keys() == files.keys() - beside
    assert all(hashlib.sha256(files[name]).hexdigest() == sha for name, sha in named.items())
    key, text = world().new.public_key, signed_text(files["manifest.json"])
    assert is_signed(key, "Ed25519", text, files["manifest.sig"])


def test_objects_are_those_of_the_archive_to_the_byte(tmp_path: Path) -> None:
    files = bundle(tmp_path / "e.zip")
    held = {name[8:]: data for name, data in files.items() if name.startswith("archive/")}
    left_out = {"archive.probe"} | {one for one in world().objects if "checkpoints/" in one}
    assert held == {k: v for k, v in world().objects.items() if k not in left_out}


def test_a_window_takes_its_commits_and_the_digests_that_hold_them(tmp_path: Path) -> None:
    """A commit of another hour too, if it holds a change of this one: the recovered one."""
    files = bundle(tmp_path / "e.zip", Wanted(Window(hour(17), hour(18))))
    assert [name[-20:] for name in of_kind(files, "commits/pg.app.t")] == [
        "/0/000000000001.json",
        "/0/000000000002.json",
    ]
    assert of_kind(files, "digests") == ["archive/digests/2026/02/19/17.json"]
    assert not of_kind(files, "changes")


def test_a_table_takes_only_what_holds_it(tmp_path: Path) -> None:
    files = bundle(tmp_path / "e.zip", Wanted(table="lab.app.u", data=True))
    assert len(of_kind(files, "commits/")) == 1
    (file,) = of_kind(files, "changes")
    assert "table=lab.app.u/" in file


def test_what_verify_found_is_in_the_manifest(tmp_path: Path) -> None:
    store = world().store()
    put(store, "commits/pg.app.t/0/000000000001.json", b"{}")
    manifest = json.loads(bundle(tmp_path / "e.zip", store=store)["manifest.json"])
    assert manifest["result"]["result"] == "damaged"
    assert [one["kind"] for one in manifest["findings"]] == ["altered", "gap"]


def test_nothing_to_show_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NothingFound):
        bundle(tmp_path / "e.zip", Wanted(Window(hour(1), hour(2))))


def test_a_bundle_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "e.zip").write_text("mine")
    with pytest.raises(ConfigInvalid, match="cannot be made"):
        bundle(tmp_path / "e.zip")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "archive"
    for name, data in world().objects.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.usefixtures("archive")
def test_the_command_takes_a_row_and_a_provenance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file.make(tmp_path / "key.pem")
    monkeypatch.setenv("CDC_ARCHIVE_DIGEST__KEY_FILE", str(tmp_path / "key.pem"))
    (tmp_path / "proof.jsonl").write_text("{}\n")
    arguments = ["--table", "lab.app.t", "--key", "1", "--provenance", "proof.jsonl"]
    assert main.run(["evidence", "export", "e.zip", *arguments]) == 0
    with zipfile.ZipFile("e.zip") as written:
        assert written.read("provenance.jsonl") == b"{}\n"
        records = [json.loads(line) for line in written.read("records.jsonl").splitlines()]
        assert {"verifier.html", "VERIFY.txt", "manifest.sig"} <= {*written.namelist()}
    assert {row["key"]["id"] for row in records} == {1}


def test_a_damaged_archive_is_exported_and_told(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (archive / "commits/pg.app.t/0/000000000001.json").write_bytes(b"{}")
    assert main.run(["evidence", "export", "e.zip"]) == 15
    assert Path("e.zip").exists()
    assert "not signed: no key is configured" in capsys.readouterr().err


@pytest.mark.usefixtures("archive")
def test_nothing_to_show_leaves_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["evidence", "export", "e.zip", "--table", "nothing"]) == 17
    assert not Path("e.zip").exists()
    assert main.run(["evidence", "export", "e.zip", "--key", "1"]) == 2
    assert "give --table" in capsys.readouterr().err
