"""The demo, whole: broker, worker, watch, reconcile, replay, backfill, verify, evidence."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cdc_archive.cli import demo_account, main
from cdc_archive.cli.demo_account import BROKEN, Account
from cdc_archive.cli.demo_shell import DemoFailed, Shell

Event = dict[str, Any]
STORY = [
    ("worker", 0),
    ("watch --once", 23),
    ("reconcile", 22),
    ("replay", 0),
    ("reconcile", 22),
    ("reconcile", 0),
    ("watch --once", 0),
    ("key new", 0),
    ("digest seal", 0),
    ("verify", 0),
    ("evidence export", 0),
]


def test_the_demo_gives_every_lost_event_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each type: as many exact as were lost. Plain text when it is not a terminal; no file stays;
    what the environment says of another archive is not asked.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", "s3://another/archive")
    assert main.run(["demo"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    rows = re.findall(r"^ (\w+\.\w+) +(\d+) +(\d+) +(\d+) ", shown, re.MULTILINE)
    assert len(rows) == 11
    assert all(lost == recovered == exact != "0" for _, lost, recovered, exact in rows)
    assert [*tmp_path.iterdir()] == []


def test_the_demo_shows_each_command_and_keeps_evidence_that_its_key_signed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In the order of the story, with the exit codes that each must have."""
    folder = tmp_path / "kept"
    assert main.run(["demo", "--keep", str(folder)]) == 0
    shown = capsys.readouterr().out
    told = re.findall(r"^(?:\$ cdc-archive|  exit code) (.*)$", shown, re.MULTILINE)
    story = [line for words, code in STORY for line in (words, str(code))]
    assert len(told) == len(story)
    assert all(map(str.startswith, told, story))
    assert re.search(r"[1-9]\d* changes of api_key, 0 api_key\.\* events published", shown)
    assert str(folder / "evidence.zip") in shown
    public = load_pem_public_key((folder / "digest.public.pem").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    with ZipFile(folder / "evidence.zip") as bundle:
        signed = hashlib.sha256(bundle.read("manifest.json")).hexdigest()
        public.verify(bundle.read("manifest.sig"), f"cdc-archive evidence 1\n{signed}\n".encode())


def test_a_demo_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    """No worker, no folder."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "cdc_archive", "demo"],
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    while demo.stdout.readline() != "$ cdc-archive worker\n":
        assert demo.poll() is None
    time.sleep(0.5)  # the worker is there
    demo.terminate()
    assert demo.wait(20) == 130
    demo.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_holds_something_is_not_written_to(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Wrong usage, and nothing else lies there afterwards."""
    (tmp_path / "mine").write_text("")
    assert main.run(["demo", "--keep", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


def test_a_command_that_ends_otherwise_fails_the_demo_and_is_shown_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whatever was to be held back of its output."""
    with pytest.raises(DemoFailed, match="`cdc-archive ls` ended with 3, not with 0"):
        Shell(tmp_path).run("ls", head=0)
    assert "store.url is not set" in capsys.readouterr().out


def test_the_middle_of_a_long_output_is_held_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It is told how much that is."""
    Shell(tmp_path).run("config example", head=1, tail=1)
    _, first, told, last, code = capsys.readouterr().out.splitlines()
    assert first.startswith("  # Settings of cdc-archive.")
    assert re.fullmatch(r"  \.\.\. \d\d+ more lines", told)
    assert "=" in last
    assert code == "  exit code 0"


def test_a_worker_that_ends_too_early_fails_the_demo(tmp_path: Path) -> None:
    """With what it said last."""
    with pytest.raises(DemoFailed, match=r"committed 0 of 5 messages: .*config example"):
        Shell(tmp_path).archive(5)


def event(n: int, actor: str | None = "a") -> Event:
    payload = {"id": str(n), "data": {}}
    return {"type": "key.created", "actor": actor, "key.created": payload, "project": {"id": "p"}}


ACCOUNT = Account([(BROKEN, event(1)), (BROKEN, event(2)), ("other", event(3))])
ALL = [event(1), event(2)]


def test_an_event_without_actor_came_back_exactly_and_is_told() -> None:
    """Lost, recovered, exact, with actor."""
    rows = demo_account.rows(ACCOUNT, [event(1), event(2, None)])
    assert rows == [("key.created", 2, 2, 2, 1), ("all", 2, 2, 2, 1)]


@pytest.mark.parametrize(
    "back",
    [
        [event(1)],
        [*ALL, event(2)],
        [event(1), event(2, "somebody else")],
        [event(1), event(2) | {"project": {"id": "q"}}],
        [event(1), event(2) | {"key.created": {"id": "2"}}],
    ],
)
def test_an_event_lost_doubled_or_wrong_fails_the_demo(back: list[Event]) -> None:
    """In payload, project or actor."""
    with pytest.raises(DemoFailed):
        demo_account.rows(ACCOUNT, back)


def report(counts: dict[str, int], kind: str = "key.created", service: str = BROKEN) -> Event:
    kinds = ("expected", "paired", "missing", "unexpected", "different", "duplicate")
    rest = ("unattributed", "unreadable", "unproven", "outside", "out_of_window")
    missing = {"missing": counts.get("missing", 0)}
    return {
        "counts": dict.fromkeys((*kinds, *rest), 0) | {"actor_unproven": 1} | counts,
        "by_type": {kind: missing},
        "by_service": {service: missing},
    }


LOSS = {"expected": 3, "paired": 1, "missing": 2}


def test_a_report_of_just_the_loss_and_one_of_nothing_are_as_they_must_be() -> None:
    """Actors that no change proves are no fault."""
    demo_account.require_loss_found(report(LOSS), ACCOUNT)
    demo_account.require_nothing_found(report({"expected": 3, "paired": 3}), ACCOUNT)


@pytest.mark.parametrize(
    "found",
    [
        report(LOSS | {"missing": 1}),
        report(LOSS, kind="key.updated"),
        report(LOSS, service="other"),
        report(LOSS | {"different": 1}),
        report(LOSS | {"unproven": 1}),
    ],
)
def test_a_report_that_tells_another_loss_fails_the_demo(found: Event) -> None:
    """Another number, type or service, or anything else."""
    with pytest.raises(DemoFailed):
        demo_account.require_loss_found(found, ACCOUNT)


@pytest.mark.parametrize("kind", ["missing", "unexpected", "different", "duplicate", "outside"])
def test_anything_found_after_the_backfill_fails_the_demo(kind: str) -> None:
    """Of whatever kind."""
    with pytest.raises(DemoFailed, match=kind):
        demo_account.require_nothing_found(report({"expected": 3, "paired": 3, kind: 1}), ACCOUNT)


def test_the_recorded_account_is_independent_of_the_changes() -> None:
    """Ids of its own, each once, and an actor also where a DELETE tells none."""
    account = demo_account.of(
        Path(demo_account.__file__).parent / "demo_data/incident.audit.jsonl.gz"
    )
    events = [one for _, one in account.events]
    assert len({one["id"] for one in events}) == len(events)
    assert all(one["actor"] and one["effective_at"] for one in events)
    assert {"rate_limit.deleted", "user.deleted"} <= {one["type"] for one in events}
    assert json.dumps(account.services) == json.dumps(
        {
            "accounts": ["invite.*", "organization.*", "user.*"],
            "platform": ["api_key.*", "project.*", "rate_limit.*", "service_account.*"],
        }
    )
