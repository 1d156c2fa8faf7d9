"""`reconcile`, as a person or a script runs it: what it says, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from support.audit_api import TOKEN, audit_api
from support.mock_broker import mock_broker
from support.runs import NOON_US, RULES, SECOND_US, Database, archived

from cdc_archive.cli import main
from cdc_archive.storage.local import LocalStore
from cdc_archive.storage.s3 import S3Options, client

ROOT = Path(__file__).parents[2]
RECONCILE = ["reconcile", "--mapping", "small.toml"]
DYING = """
import os, signal, sys
from cdc_archive.sinks import s3
s3._BYTES, create, left = 300, s3.ObjectSink._create, [3]
s3.ObjectSink.__init__.__defaults__ = (300,)
def dying(self):
    create(self)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
s3.ObjectSink._create = dying
from cdc_archive.cli.main import main
main()
"""
Events = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDC_ARCHIVE_CONFIG", raising=False)


@pytest.fixture
def truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Events:
    """An archive of thirty users, each made and renamed; and the events that it proves."""
    database = Database()
    for number in range(30):
        user, at = {"id": number, "name": "a"}, NOON_US + number * 600 * SECOND_US
        database.commit(at, ("c", "user", None, user))
        database.commit(at, ("u", "user", None, user | {"name": "b"}))
    (tmp_path / "archive").mkdir()
    archived(database.log, LocalStore(tmp_path / "archive"), 7)
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "archive"))
    (tmp_path / "small.toml").write_text(RULES)
    assert main.run(["replay", "--mapping", "small.toml", "--out", "truth"]) == 0
    return [json.loads(line) for line in Path("truth").read_text().splitlines()]


@pytest.fixture
def faulty(truth: Events) -> Events:
    """A log of them with ids of its own; five lost, two altered, one doubled, one invented."""
    log = [event | {"id": f"own-{number}"} for number, event in enumerate(truth)]
    log[20]["user.added"] = log[20]["user.added"] | {"id": "x"}
    log[31]["user.updated"] = log[31]["user.updated"] | {"name": "x"}
    log[33]["user.updated"] = log[33]["user.updated"] | {"name": "y"}
    kept = [*log[:4], *log[9:20], *log[21:], log[40]]
    write("log", [*kept, log[20]])
    return kept


def write(name: str, events: Events) -> None:
    Path(name).write_text("".join(json.dumps(event) + "\n" for event in events))


def report(name: str = "report") -> dict[str, Any]:
    counts: dict[str, Any] = json.loads(Path(name).read_text())
    return counts


def found(name: str = "report") -> dict[str, int]:
    ours = ("missing", "unexpected", "different", "duplicate", "unattributed", "unreadable")
    return {kind: report(name)["counts"][kind] for kind in ours if report(name)["counts"][kind]}


def program(*arguments: str, code: str | None = None, text: str = "") -> Any:
    entry = ["-m", "cdc_archive"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *entry, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        input=text,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.usefixtures("truth")
def test_a_log_that_says_what_is_proven_is_reconciled(capfd: pytest.CaptureFixture[str]) -> None:
    """Code 0; the table counts each event."""
    assert main.run([*RECONCILE, "--published", "truth"]) == 0
    out, err = capfd.readouterr()
    assert [line.split() for line in out.splitlines()][1] == ["user.added", "30", "30", "0", "30"]
    assert "reconciled: every proven event was published, once" in err


@pytest.mark.usefixtures("faulty")
def test_faults_are_told_and_end_with_22(capfd: pytest.CaptureFixture[str]) -> None:
    """By type, service and hour; each with its place and proof in a file."""
    files = ["--findings", "findings", "--report", "report"]
    views = [word for view in ("type", "service", "hour") for word in ("--by", view)]
    assert main.run([*RECONCILE, "--published", "log", *files, *views]) == 22
    out, err = capfd.readouterr()
    expected = {"missing": 6, "unexpected": 1, "different": 2, "duplicate": 1}
    assert found() == expected
    assert "6 missing, 1 unexpected, 2 different, 1 duplicate" in err
    assert "2  user.updated.name" in err
    services = [line.split() for line in out.splitlines() if line.startswith(" pg.app")]
    assert services == [["pg.app", "60", "54", "6", "1", "2", "1", "60"]]
    findings = [json.loads(line) for line in Path("findings").read_text().splitlines()]
    kinds = [one["kind"] for one in findings]
    assert {kind: kinds.count(kind) for kind in kinds} == expected
    assert all(one["evidence"]["offset"] >= 0 for one in findings if one["kind"] == "missing")
    assert [one["time"] for one in findings] == sorted(one["time"] for one in findings)
    assert report()["by_hour"]["2026-02-19T12:00:00Z"]["expected"] == 12


@pytest.mark.usefixtures("faulty")
def test_the_same_log_gives_the_same_report_and_findings() -> None:
    """To the byte, by however many processes."""
    for jobs in ("1", "2"):
        files = ["--findings", f"findings{jobs}", "--report", f"report{jobs}", "--jobs", jobs]
        assert program(*RECONCILE, "--published", "log", *files).returncode == 22
    for name in ("findings", "report"):
        assert Path(f"{name}1").read_bytes() == Path(f"{name}2").read_bytes()


@pytest.mark.usefixtures("faulty")
def test_the_report_is_json_on_stdout_if_it_is_asked_for(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """And nothing else is."""
    assert main.run([*RECONCILE, "--published", "log", "--json", "--report", "report"]) == 22
    assert json.loads(capfd.readouterr().out) == report()


def test_a_backfill_writes_what_is_missing_and_a_second_one_nothing(
    faulty: Events, truth: Events
) -> None:
    """To a file of its own, which counts as published; then nothing is missing."""
    options = [*RECONCILE, "--published", "log", "--report", "report", "--backfill", "fill"]
    assert main.run([*options, "--provenance", "proof", "--mark"]) == 22
    filled = [json.loads(line) for line in Path("fill").read_text().splitlines()]
    assert [one["id"] for one in filled] == [truth[n]["id"] for n in (4, 5, 6, 7, 8, 20)]
    assert all(one["cdc_archive_backfill"] == one["id"] for one in filled)
    proofs = [json.loads(line) for line in Path("proof").read_text().splitlines()]
    assert [one["id"] for one in proofs] == [one["id"] for one in filled]
    before = Path("fill").read_bytes()
    assert main.run(options) == 22
    assert found() == {"unexpected": 1, "different": 2, "duplicate": 1}
    assert report()["backfilled"] == 0
    assert Path("fill").read_bytes() == before
    assert len(faulty) == 55


@pytest.mark.usefixtures("faulty")
def test_a_backfill_into_the_log_itself_mends_it() -> None:
    """At its end; the log is read once."""
    options = [*RECONCILE, "--published", "*o?", "--report", "report", "--backfill", "log"]
    assert main.run(options) == 22
    assert main.run(options) == 22
    assert "missing" not in found()
    assert report()["counts"]["published"] == 62


def test_stdin_and_stdout_make_a_pipe(truth: Events) -> None:
    """The missing events are on stdout, and nothing else."""
    kept = "".join(json.dumps(event) + "\n" for event in truth[:50])
    done = program(*RECONCILE, "--published", "-", "--backfill", "-", text=kept)
    assert done.returncode == 22, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [
        event["id"] for event in truth[50:]
    ]
    assert "10 missing" in done.stderr


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    own = {"ENDPOINT_URL": url, "REGION": "us-east-1", "ACCESS_KEY_ID": "test"}
    for name, value in (own | {"SECRET_ACCESS_KEY": "test"}).items():
        monkeypatch.setenv(f"CDC_ARCHIVE_RECONCILE__S3_{name}", value)
    s3 = client(S3Options(url, "us-east-1", "test", "test"))
    s3.create_bucket(Bucket="logs")
    yield "s3://logs/audit"
    s3.close()
    server.stop()


def test_a_backfill_that_was_killed_half_way_goes_on(truth: Events, bucket: str) -> None:
    """In a bucket: what it wrote counts as published, and nothing is written twice."""
    write("log", truth[::3])
    options = [*RECONCILE, "--published", "log", "--report", "report", "--backfill", bucket]
    killed = program(*options, code=DYING)
    assert killed.returncode == -signal.SIGKILL
    assert main.run(options) == 22
    missing = report()["counts"]["missing"]
    assert 0 < missing < 40
    assert report()["backfilled"] == missing
    assert main.run([*RECONCILE, "--published", "log", "--published", bucket]) == 0
    assert main.run(options) == 0
    assert report()["backfilled"] == 0


def test_a_topic_is_compared_and_mended(truth: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """No group is joined; the second run finds nothing missing."""
    with mock_broker() as broker:
        settings = {"BOOTSTRAP_SERVERS": broker.servers, "TOPICS": "unused", "API_VERSION": "2.3"}
        for name, value in settings.items():
            monkeypatch.setenv(f"CDC_ARCHIVE_KAFKA__{name}", value)
        topic = f"kafka:{broker.topic()}"
        write("log", truth[:50])
        options = [*RECONCILE, "--published", "log", "--report", "report", "--backfill", topic]
        assert main.run([*options, "--mark"]) == 22
        assert report()["backfilled"] == 10
        monkeypatch.setenv("CDC_ARCHIVE_KAFKA__CLIENT", "librdkafka")
        assert main.run(options) == 0
        assert main.run([*RECONCILE, "--published", topic, "--report", "report"]) == 22
        assert found() == {"missing": 50}


def test_an_api_is_compared(truth: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token of the settings, in a window."""
    with audit_api() as api:
        api.events = truth
        monkeypatch.setenv("CDC_ARCHIVE_RECONCILE__HTTP_TOKEN", TOKEN)
        window = ["--from", "2026-02-19T13:00", "--to", "2026-02-19T14:00"]
        options = [*RECONCILE, "--published", api.url, "--report", "report", *window]
        assert main.run(options) == 0
        assert report()["counts"]["expected"] == 12
        assert report()["counts"]["published"] == 14  # those at the end of the window too
        assert report()["counts"]["out_of_window"] == 2


def test_another_shape_and_service_come_from_the_settings(truth: Events) -> None:
    """An envelope, other names, times in milliseconds, and rules for services."""
    write(
        "log",
        [
            {
                "by": "people",
                "event": {
                    "uid": f"u{number}",
                    "kind": event["type"],
                    "ms": event["effective_at"] * 1000,
                    "details": event[event["type"]],
                },
            }
            for number, event in enumerate(truth[:-1])
        ],
    )
    Path("cdc-archive.toml").write_text(
        """
        [reconcile]
        event = "event"
        id = "uid"
        type = "kind"
        time = "ms"
        time_unit = "ms"
        payload = "details"
        service_path = "by"
        [[reconcile.service]]
        name = "people"
        types = ["user.*"]
        """
    )
    assert main.run([*RECONCILE, "--published", "log", "--report", "report"]) == 22
    assert found() == {"missing": 1}
    assert report()["by_service"]["people"]["missing"] == 1


def test_only_what_is_asked_for_is_compared(truth: Events) -> None:
    """The other types are counted, and are no finding."""
    write("log", truth)
    only = [*RECONCILE, "--published", "log", "--report", "report", "--type", "user.added"]
    assert main.run(only) == 0
    assert report()["counts"]["outside"] == 30
    assert main.run([*RECONCILE, "--published", "log", "--table", "*.nothing"]) == 17


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--published", "nothing*"], 17, "there is no published log at nothing*"),
        (["--published", "log", "--from", "2030-01-01"], 17, "nothing to compare"),
        (["--published", "log", "--mark"], 2, "--mark and --provenance are about"),
        (["--published", "log", "--json", "--backfill", "-"], 2, "cannot both be written"),
        (["--published", "log", "--backfill", "https://a/b"], 2, "to no HTTP API"),
        (["--published", "log", "--findings", "x", "--report", "x"], 2, "must differ"),
        (["--published", "log", "--findings", "no/x"], 1, "cannot be written"),
        (["--published", "log", "--type", "user.addd"], 2, "has no type user.addd"),
        (["--published", "kafka:audit"], 3, "kafka.bootstrap_servers is not set"),
        ([], 2, "--published"),
    ],
)
@pytest.mark.usefixtures("truth")
def test_wrong_usage_is_told_before_the_long_run(
    options: list[str], code: int, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """With what to do."""
    write("log", [])
    assert main.run([*RECONCILE, *options]) == code
    assert says in capfd.readouterr().err


@pytest.mark.usefixtures("truth")
def test_an_expression_that_is_none_is_told_with_the_other_settings(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the setting's name."""
    monkeypatch.setenv("CDC_ARCHIVE_RECONCILE__PAYLOAD", "a..b")
    assert main.run([*RECONCILE, "--published", "truth"]) == 3
    assert "reconcile.payload is wrong: not a JMESPath expression" in capfd.readouterr().err


def test_a_line_that_cannot_be_read_keeps_the_log_from_being_reconciled(
    truth: Events, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may be anything; it is told where it stands."""
    write("log", truth)
    with Path("log").open("a") as log:
        log.write("{half\n")
    assert main.run([*RECONCILE, "--published", "log", "--report", "report"]) == 22
    assert found() == {"unreadable": 1}
    assert "log:61: no JSON text" in capfd.readouterr().err


@pytest.mark.usefixtures("truth")
def test_nothing_stays_in_the_folder_for_work(tmp_path: Path) -> None:
    """And what else lies there is left alone."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine").touch()
    assert main.run([*RECONCILE, "--published", "truth", "--work-dir", "work"]) == 0
    assert [one.name for one in (tmp_path / "work").iterdir()] == ["mine"]


def test_an_event_that_may_have_happened_is_unproven_and_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first change of a row that was there before the archive: what it was is not known."""
    database = Database()
    for number in range(3):
        database.commit(NOON_US, ("u", "user", None, {"id": number, "name": "b"}))
    (tmp_path / "late").mkdir()
    archived(database.log, LocalStore(tmp_path / "late"), 7)
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(tmp_path / "late"))
    rules = RULES.replace('on = "update"', 'on = "update"\nchanged = ["name"]')
    Path("small.toml").write_text(rules)
    at = NOON_US // SECOND_US
    told = {"type": "user.updated", "effective_at": at}
    write("log", [told | {"id": f"p{n}", "user.updated": {"id": str(n)}} for n in (0, 1)])
    assert main.run([*RECONCILE, "--published", "log", "--report", "report"]) == 0
    assert report()["counts"]["unproven"] == 2
    assert report()["replay"]["unproven"] == {
        "user.updated: the row's version before this change is not in the archive": 3
    }
    write("log", [told | {"id": "p", "user.updated": {"id": "7"}}])
    assert main.run([*RECONCILE, "--published", "log", "--report", "report"]) == 22
    assert found() == {"unexpected": 1}
