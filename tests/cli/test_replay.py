"""`replay` and `checkpoint`, as a person or a script runs them."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from moto.server import ThreadedMotoServer
from support.captures import FOLDER
from support.runs import NOON_US, RULES, SECOND_US, Database, archived

from cdc_archive.cli import main
from cdc_archive.storage.local import LocalStore
from cdc_archive.storage.s3 import S3Options, S3Store, client

CAPTURE = str(FOLDER / "pg_jp.jsonl.gz")
ROOT = Path(__file__).parents[2]
DYING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from cdc_archive.replay import job
job.COMMIT_EVERY, take, left = 3, job.Telling.take, [17]
def dying(self, change):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self, change)
job.Telling.take = dying
from cdc_archive.cli.main import main
main()
"""
SECRET = "s3cr3t-of-the-store"


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDC_ARCHIVE_WORKER__LOG_LEVEL", "error")
    monkeypatch.delenv("CDC_ARCHIVE_CONFIG", raising=False)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of a capture in a folder, named by the environment."""
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(folder))
    assert main.run(["import", CAPTURE]) == 0
    return folder


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of thirty users, each made and renamed; and the mapping `small.toml`."""
    database = Database()
    for number in range(30):
        user = {"id": number, "name": "a"}
        database.commit(NOON_US + number * SECOND_US, ("c", "user", None, user))
        database.commit(NOON_US + number * SECOND_US, ("u", "user", None, user | {"name": "b"}))
    folder = tmp_path / "users"
    folder.mkdir()
    archived(database.log, LocalStore(folder), 7)
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", str(folder))
    (tmp_path / "small.toml").write_text(RULES)
    return folder


def program(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, as `python -m` or as another entry runs it."""
    entry = ["-m", "cdc_archive"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *entry, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.usefixtures("archive")
def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    """To a file and to stdout; events, evidence and report."""
    for jobs in ("1", "2"):
        files = ["--provenance", f"evidence{jobs}", "--report", f"report{jobs}"]
        done = program("replay", "--jobs", jobs, "--out", f"out{jobs}", *files)
        assert done.returncode == 0, done.stderr
    for name in ("out", "evidence", "report"):
        assert (tmp_path / f"{name}1").read_bytes() == (tmp_path / f"{name}2").read_bytes()
    assert not list(tmp_path.glob(".*"))
    assert main.run(["replay", "--out", "out3", "--work-dir", "new/work"]) == 0
    assert (tmp_path / "out3").read_bytes() == (tmp_path / "out1").read_bytes()
    assert not (tmp_path / "new" / "work").exists()


@pytest.mark.usefixtures("archive")
def test_stdout_holds_events_and_nothing_else(tmp_path: Path) -> None:
    """The report is on stderr, and no file stays anywhere."""
    done = program("replay", "--jobs", "2")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(events) > 50
    assert f"{len(events)} audit events from" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    ("number", "code", "says"),
    [("SIGKILL", -signal.SIGKILL, ""), ("SIGINT", 130, "the same command with --resume goes on")],
)
def test_a_run_that_was_killed_goes_on(tmp_path: Path, number: str, code: int, says: str) -> None:
    """kill -9 or Ctrl-C among its changes: the same bytes, no second event, nothing left behind."""
    arguments = ["replay", "--mapping", "small.toml", "--out"]
    assert main.run([*arguments, "whole"]) == 0
    killed = program(*arguments, "out", code=DYING.replace("SIGKILL", number))
    assert killed.returncode == code
    assert says in killed.stderr
    assert "Traceback" not in killed.stderr
    assert not (tmp_path / "out").exists()
    assert (tmp_path / ".out.replay").is_dir()
    refused = program("replay", "--out", "out", "--resume")
    assert refused.returncode == 1
    assert "another archive, mapping, window" in refused.stderr
    assert main.run([*arguments, "out", "--resume"]) == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not (tmp_path / ".out.replay").exists()


def test_a_damaged_file_is_told_by_the_job_that_reads_it(users: Path, tmp_path: Path) -> None:
    """With its exit code and no traceback; the folder stays, for the run to go on."""
    victim = min(users.glob("changes/**/*.avro"))
    data = victim.read_bytes()
    victim.write_bytes(data[:-1] + b"x")
    arguments = ["replay", "--mapping", "small.toml", "--out", "out", "--jobs", "2"]
    done = program(*arguments)
    assert done.returncode == 15
    assert "not those that were committed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    victim.write_bytes(data)
    assert main.run([*arguments, "--resume"]) == 0
    assert len((tmp_path / "out").read_text().splitlines()) == 60


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("out", [[], ["--out", "-"], ["--out", "/dev/null"]])
def test_a_run_without_a_name_cannot_go_on(
    capsys: pytest.CaptureFixture[str], out: list[str]
) -> None:
    """Its folder is gone."""
    assert main.run(["replay", "--resume", *out]) == 2
    assert "--resume needs the --out FILE or the --work-dir" in capsys.readouterr().err


@pytest.mark.usefixtures("users")
def test_a_report_that_cannot_be_written_costs_no_second_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told is still there."""
    arguments = ["replay", "--mapping", "small.toml", "--out", "out", "--report"]
    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", _full)
        assert main.run([*arguments, "report"]) == 1
    assert "go on with --resume and another --report" in capsys.readouterr().err
    monkeypatch.setattr("cdc_archive.replay.telling.Telling.take", lambda *_: 1 / 0)
    assert main.run([*arguments, "report", "--resume"]) == 0
    assert json.loads((tmp_path / "report").read_text())["events_total"] == 60
    assert not (tmp_path / ".out.replay").exists()


@pytest.mark.usefixtures("users")
def test_a_reader_that_wants_no_more_ends_the_program_quietly() -> None:
    """`cdc-archive replay | head -1` is no fault; its code is that of a closed pipe."""
    arguments = [sys.executable, "-m", "cdc_archive", "replay", "--mapping", "small.toml"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as replay:
        assert replay.stdout is not None
        replay.stdout.close()
        assert replay.wait(60) == 141
        assert replay.stderr is not None
        assert b"error" not in replay.stderr.read()


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--out", "out", "--report", "none/report"], 1, "none/report cannot be written"),
        (["--out", "out", "--provenance", "none/proof"], 1, "none/proof cannot be written"),
        (["--out", "out", "--provenance", "./out"], 2, "must be different files"),
        (["--out", "out", "--report", "out"], 2, "must be different files"),
    ],
)
@pytest.mark.usefixtures("users")
def test_what_could_only_fail_at_the_end_is_told_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, says: str
) -> None:
    """A run may take hours."""
    assert main.run(["replay", "--mapping", "small.toml", *options]) == code
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".out.replay").exists()


@pytest.mark.usefixtures("users")
def test_a_work_dir_of_somebody_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written; and after a good run only the run's files are removed."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    arguments = ["replay", "--mapping", "small.toml", "--out", "out", "--work-dir"]
    assert main.run([*arguments, "mine"]) == 1
    assert "has files that no replay made" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis"]
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("users")
def test_a_checkpoint_is_made_told_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its key on stdout; the replay after it says where its state is from."""
    at = "2026-02-19T12:00:10Z"
    made = program("checkpoint", "--at", at, "--mapping", "small.toml", "--jobs", "2")
    assert made.returncode == 0, made.stderr
    (key,) = made.stdout.split()
    assert key.startswith("checkpoints/00001771502410000000+")
    assert "10 rows as of 2026-02-19T12:00:10" in made.stderr
    arguments = ["replay", "--mapping", "small.toml", "--from", at, "--out"]
    assert main.run([*arguments, "with"]) == 0
    assert f"state taken from {key}" in capsys.readouterr().err
    assert main.run([*arguments, "without", "--no-checkpoint"]) == 0
    assert "state taken" not in capsys.readouterr().err
    assert (tmp_path / "with").read_bytes() == (tmp_path / "without").read_bytes()
    assert main.run(["verify"]) == 0
    assert main.run(["checkpoint", "--at", "2020-01-01"]) == 17


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A bucket of an S3 server in this process, named by the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = S3Options(f"http://{host}:{port}", "us-east-1", "test", SECRET, path_style=True)
    s3 = client(options)
    s3.create_bucket(Bucket="bucket")
    for name, value in (
        ("URL", "s3://bucket/archive"),
        ("ENDPOINT_URL", options.endpoint_url or ""),
        ("REGION", "us-east-1"),
        ("ACCESS_KEY_ID", "test"),
        ("SECRET_ACCESS_KEY", SECRET),
        ("PATH_STYLE", "true"),
    ):
        monkeypatch.setenv(f"CDC_ARCHIVE_STORE__{name}", value)
    yield S3Store(s3, "bucket", "archive")
    server.stop()


def test_two_processes_read_a_bucket_and_keep_no_secret_of_it(
    bucket: S3Store, tmp_path: Path
) -> None:
    """Each opens the store by itself; the run's folder holds rows, not settings."""
    database = Database()
    for number in range(4):
        user = {"id": number, "name": "a"}
        database.commit(NOON_US + number, ("c", "user", None, user))
        database.commit(NOON_US + number, ("c", "note", None, {"id": 1, "text": "x"}))
        database.commit(NOON_US + number, ("u", "note", None, {"id": 1, "text": f"{number}"}))
    archived(database.log, bucket)
    (tmp_path / "small.toml").write_text(RULES)
    arguments = ["replay", "--mapping", "small.toml", "--jobs", "2", "--out"]
    done = program(*arguments, "out")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out").read_text().splitlines()) == 8
    assert program(*arguments[:3], "--out", "b", code=DYING.replace("17", "3")).returncode < 0
    kept = list((tmp_path / ".b.replay").iterdir())
    assert len(kept) >= 4
    assert not any(SECRET.encode() in path.read_bytes() for path in kept)


@pytest.mark.usefixtures("users")
def test_what_a_store_makes_wait_for_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """In a line of events it would be no event."""
    assert main.run(["ls"]) == 0
    capsys.readouterr()
    structlog.get_logger("store").warning("trying again")
    told = capsys.readouterr()
    assert "trying again" in told.err
    assert told.out == ""
