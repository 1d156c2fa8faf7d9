"""What the doctor says of the archive, of who acts, of settings; and what counts as bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from doctor.facts import checks

from cdc_archive.archive.format.commit import Gap
from cdc_archive.archive.reader.standing import ChainStanding, Sealed, Standing
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.doctor import actors, archive, settings
from cdc_archive.doctor.actors import ActorFacts
from cdc_archive.doctor.finding import Severity, by_severity, error, note, passed, warning
from cdc_archive.doctor.looking import guarded, worst
from cdc_archive.doctor.settings import SettingsFacts
from cdc_archive.errors import StoreDenied

NOW = datetime(2026, 2, 19, 12, tzinfo=UTC)
ONE = TopicPartition("t", 0)
CHAIN = ChainStanding(10, NOW - timedelta(minutes=1), round(NOW.timestamp() * 1_000_000))
STANDING = Standing(
    "a", NOW - timedelta(days=9), {ONE: CHAIN}, (), {}, {}, Sealed(NOW - timedelta(hours=1), "k")
)
GAP = Gap(0, 5, "retention", "me", "2026-02-19T11:00:00Z")
FACTS = ActorFacts("app.t", 10, 10, {}, {"exact": 10})


def of_archive(**changes: Any) -> set[str]:
    return checks(archive.findings(STANDING._replace(**changes), NOW, seals=True))


def test_an_archive_that_is_whole_near_and_sealed_gives_nothing_but_ok() -> None:
    """Nothing to do."""
    assert of_archive() == set()


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"chains": {}}, "not-begun"),
        ({"gaps": ((ONE, GAP),)}, "gaps"),
        ({"quarantined": {"t": {"not_json": 3}}}, "quarantine"),
        ({"chains": {ONE: CHAIN._replace(committed_at=NOW - timedelta(hours=9))}}, "stands-still"),
        (
            {
                "chains": {
                    ONE: CHAIN._replace(newest_event_us=(CHAIN.newest_event_us or 0) - 10**11)
                }
            },
            "behind",
        ),
        ({"sealed": None}, "unsealed"),
        ({"sealed": Sealed(NOW - timedelta(days=1), "k")}, "unsealed"),
        ({"sealed": Sealed(NOW, None)}, "unsigned"),
    ],
)
def test_each_fault_of_an_archive_is_found(changes: dict[str, Any], check: str) -> None:
    """One at a time."""
    assert of_archive(**changes) == {f"archive.{check}"}


def test_what_was_recovered_does_not_lie_in_quarantine() -> None:
    """Counts are of messages."""
    assert of_archive(quarantined={"t": {"not_json": 3}}, recovered={"t": 3}) == set()


def test_only_the_newest_losses_are_listed_and_the_others_counted() -> None:
    """Seven: five and two."""
    told = archive.findings(STANDING._replace(gaps=((ONE, GAP),) * 7), NOW, seals=True)
    seen = [one.seen for one in told if one.check == "archive.gaps"]
    assert len(seen) == 6
    assert seen[-1] == "and 2 before"


def test_a_worker_that_seals_nothing_is_told() -> None:
    """Another one has to."""
    assert checks(archive.findings(STANDING, NOW, seals=False)) == {"archive.seals-off"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([FACTS], set()),
        ([FACTS._replace(with_actor=9, reasons={"none": 1})], {"actors.some"}),
        ([FACTS._replace(with_actor=0, reasons={"none": 10})], {"actors.none"}),
        ([FACTS._replace(proofs={"reconstructed": 10})], {"actors.before-image"}),
        ([], {"actors.no-changes"}),
    ],
)
def test_changes_that_tell_nobody_are_found_by_table(
    facts: list[ActorFacts], expected: set[str]
) -> None:
    """With how many, and why."""
    assert checks(actors.findings(facts, 24, "m")) == expected


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"faults": ["kafka.topics is not set"]}, "fault"),
        ({"session_timeout_ms": 6000}, "session"),
        ({"commit_age_s": 7200.0}, "commit-age"),
        ({"shutdown_s": 400.0}, "shutdown"),
        ({"isolation": "read_uncommitted"}, "read-uncommitted"),
        ({"skip_topics": ("__debezium-heartbeat.*",)}, "skips"),
        ({"http_host": "0.0.0.0"}, "http-open"),
        ({"plain_kafka": True}, "kafka-plain"),
    ],
)
def test_each_risky_setting_is_found(changes: dict[str, Any], check: str) -> None:
    """The defaults are not risky."""
    assert checks(settings.findings(SettingsFacts(**changes))) == {f"settings.{check}"}
    assert checks(settings.findings(SettingsFacts())) == set()


def test_errors_count_always_and_warnings_if_strict() -> None:
    """Notes never do."""
    told = [kind("x.y", "why").found("seen", "mend") for kind in (note, warning, error)]
    told.append(passed("x", "seen"))
    assert [one.severity for one in by_severity(told)] == [*Severity]
    assert worst(told, strict=False)
    assert not worst([told[0], told[1], told[3]], strict=False)
    assert worst([told[1]], strict=True)
    assert not worst([told[0], told[3]], strict=True)


def test_a_look_that_breaks_off_keeps_what_was_found_and_tells_why() -> None:
    """An error of ours is a finding."""

    def look() -> Any:
        yield passed("bucket", "fine so far")
        raise StoreDenied("no")

    first, second = guarded("bucket", look)
    assert (first.severity, second.check) == (Severity.OK, "bucket.unreachable")
    assert checks([second]) == {"bucket.unreachable"}


def test_a_surprise_in_one_look_is_a_finding_too() -> None:
    """It must not hide the other subjects."""
    (one,) = guarded("kafka", lambda: [{}["no such answer"]])  # type: ignore[list-item]
    assert checks([one]) == {"kafka.unreachable"}
    assert "KeyError" in one.seen
