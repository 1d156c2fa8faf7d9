"""`cdc-archive doctor`, as a person or a script runs it, with nothing but files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.captures import FOLDER

from cdc_archive.cli import main
from cdc_archive.doctor.catalog import checks
from cdc_archive.doctor.looking import SUBJECTS

SECRET = "s3cr3t-0f-a-database"
CONNECTOR = {
    "name": "pg",
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "database.password": SECRET,
    "topic.prefix": "pg",
    f"column.mask.hash.SHA-256.with.salt.{SECRET}": "app.t.c",
}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archive").mkdir(mode=0o750)
    (tmp_path / "pg.json").write_text(json.dumps(CONNECTOR))
    monkeypatch.setenv("CDC_ARCHIVE_WORKER__LOG_LEVEL", "error")
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "archive"))
    monkeypatch.setenv("CDC_ARCHIVE_DOCTOR__CONNECTOR_FILES", str(tmp_path / "pg.json"))


def found(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Any]]:
    code = main.run(["doctor", "--json", *arguments])
    return code, [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_every_subject_is_looked_at_and_what_is_not_configured_is_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Exit code 24, for the connector of the file leaves TRUNCATE out."""
    code, told = found(capfd)
    assert code == 24
    assert {one["subject"] for one in told} == set(SUBJECTS)
    by_check = {one["check"]: one for one in told}
    assert "doctor.postgres_dsn" in by_check["postgres.not-configured"]["mend"]
    assert "kafka.not-configured" in by_check
    assert by_check["archive.not-begun"]["severity"] == "warning"
    assert "skipped.operations=none" in by_check["connect.skipped-operations"]["mend"]
    known = {check.name for check in checks()} | {f"{one}.ok" for one in SUBJECTS}
    assert set(by_check) <= known


@pytest.mark.parametrize(
    ("arguments", "subjects"),
    [
        (["--only", "bucket"], {"bucket"}),
        (["--only", "bucket,archive", "--skip", "archive"], {"bucket"}),
        (["--skip", "settings,connect,kafka,postgres,actors"], {"bucket", "archive"}),
    ],
)
def test_subjects_are_chosen_and_left_out(
    arguments: list[str], subjects: set[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """By name, with commas."""
    code, told = found(capfd, *arguments)
    assert code == 0
    assert {one["subject"] for one in told} == subjects


def test_warnings_are_failures_only_if_strict(capfd: pytest.CaptureFixture[str]) -> None:
    """An archive that has not begun is a warning."""
    assert found(capfd, "--only", "archive")[0] == 0
    assert found(capfd, "--only", "archive", "--strict")[0] == 24


def test_a_subject_that_does_not_exist_is_wrong_usage(capfd: pytest.CaptureFixture[str]) -> None:
    """With those that do."""
    assert main.run(["doctor", "--only", "kafak"]) == 2
    assert "choose from settings, postgres" in capfd.readouterr().err


def test_text_tells_each_reason_once_and_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    """Plain where it is piped; a summary at the end."""
    assert main.run(["doctor", "--only", "connect,bucket"]) == 24
    out, err = capfd.readouterr()
    assert out.count("error   connect.skipped-operations") == 1
    assert "mend: In " in out
    assert "\x1b" not in out
    assert err.splitlines()[0].startswith("1 error, ")
    errors, warnings = out.index("error   connect."), out.index("warning connect.")
    assert errors < warnings


def test_no_secret_is_shown_wherever_it_stands(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a DSN that is wrong or leads nowhere, in a connector's file, in a login."""
    for dsn in (f"postgresql://u:{SECRET}@127.0.0.1:1/x", f"host=127.0.0.1 port=1 {SECRET}"):
        monkeypatch.setenv("CDC_ARCHIVE_DOCTOR__POSTGRES_DSN", dsn)
        for form in ([], ["--json"]):
            assert main.run(["doctor", "--only", "postgres,connect", *form]) == 24
            written = capfd.readouterr()
            assert "postgres.unreachable" in written.out
            assert SECRET not in written.out + written.err


def test_an_unfit_setting_is_a_finding_and_a_wrong_one_stops(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `config check` says of missing ones; nothing can be looked at with wrong ones."""
    code, told = found(capfd, "--only", "settings")
    assert code == 24
    faults = [one["seen"] for one in told if one["check"] == "settings.fault"]
    assert any("kafka.bootstrap_servers is not set" in one for one in faults)
    monkeypatch.setenv("CDC_ARCHIVE_DOCTOR__SAMPLE_HOURS", "never")
    assert main.run(["doctor", "--only", "settings"]) == 3


def test_a_store_that_does_not_answer_is_a_finding_for_each_subject_in_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And no crash."""
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "nowhere"))
    code, told = found(capfd, "--only", "bucket,archive,actors")
    assert code == 0
    assert {one["check"] for one in told} == {
        "bucket.unreachable",
        "archive.unreachable",
        "actors.unreachable",
    }


def test_actors_are_counted_by_table_over_the_end_of_the_archive(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With why there is none; a mapping can be given."""
    assert main.run(["import", str(FOLDER / "platform.jsonl.gz")]) == 0
    capfd.readouterr()
    code, told = found(capfd, "--only", "archive,actors", "--sample-hours", "10000")
    assert code == 24
    actors = {(one["check"], one["about"]): one for one in told if one["subject"] == "actors"}
    nobody = actors["actors.none", "lab.platform.organization_user"]
    assert nobody["seen"].startswith("0 of 2 changes (0 %) tell who made them (")
    assert actors["actors.ok", "lab.platform.session"]["seen"].startswith("all 2 changes")
    before = actors["actors.before-image", "lab.platform.group"]
    assert before["mend"] == "ALTER TABLE platform.group REPLICA IDENTITY FULL; -- PostgreSQL"
    assert not any(one["check"] == "archive.not-begun" for one in told)
    assert main.run(["doctor", "--sample-hours", "0"]) == 2
    assert main.run(["doctor", "--mapping", "nowhere.toml"]) == 4


def test_a_damaged_archive_is_an_error(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the command that finds all damage."""
    assert main.run(["import", str(FOLDER / "platform.jsonl.gz")]) == 0
    capfd.readouterr()
    commit = next((tmp_path / "archive" / "commits").rglob("*.json"))
    commit.write_bytes(b"{}")
    code, (one,) = found(capfd, "--only", "archive")
    assert (code, one["check"]) == (24, "archive.damaged")
    assert "cdc-archive verify" in one["mend"]


def test_every_check_stands_in_the_documentation_as_it_is() -> None:
    """Severity, name, reason; and none that does not exist."""
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{one.name}` | {one.severity} | {one.why} |" for one in checks()]
