"""What the doctor says of a bucket or folder: each rule with a fact that it is about."""

from __future__ import annotations

from typing import Any

import pytest
from doctor.facts import BUCKET, FOLDER, POLICY, checks

from cdc_archive.doctor import bucket, folder
from cdc_archive.doctor.finding import Severity
from cdc_archive.storage.bucket import ExpiryRule, ObjectLockFacts, RightsFacts


def with_rule(**changes: Any) -> Any:
    return BUCKET._replace(lifecycle=(*BUCKET.lifecycle, ExpiryRule("r", **changes)))


def with_rights(*allowed: str) -> Any:
    return BUCKET._replace(rights=RightsFacts("me", dict.fromkeys(allowed, True), "IAM"))


def test_a_sound_bucket_gives_nothing_but_ok() -> None:
    """And says what was seen."""
    told = list(bucket.findings(BUCKET))
    assert checks(told) == set()
    assert len(told) >= 8


@pytest.mark.parametrize(
    ("facts", "check"),
    [
        (BUCKET._replace(versioning="Suspended"), "versioning"),
        (BUCKET._replace(lock=ObjectLockFacts(False)), "object-lock"),
        (BUCKET._replace(lock=ObjectLockFacts(True)), "object-lock-default"),
        (BUCKET._replace(lock=ObjectLockFacts(True, "GOVERNANCE", 30)), "object-lock-governance"),
        (with_rule(prefix="", deletes_days=30), "expires"),
        (with_rule(prefix="production/changes/", deletes_days=30), "expires"),
        (with_rule(prefix="prod", deletes_on="2027-01-01"), "expires"),
        (with_rule(prefix="", deletes_versions_days=30), "versions-expire"),
        (with_rule(prefix="", moves_to=("DEEP_ARCHIVE",)), "moves"),
        (BUCKET._replace(lifecycle=()), "uploads"),
        (BUCKET._replace(encryption=""), "encryption"),
        (BUCKET._replace(public_blocked=False), "public"),
        (BUCKET._replace(policy=None), "create-only"),
        (BUCKET._replace(policy={"Statement": POLICY["Statement"][1]}), "create-only"),
        (BUCKET._replace(policy={"Statement": POLICY["Statement"][:1]}), "tls-only"),
        (BUCKET._replace(endpoint="http://minio:9000"), "plain-http"),
        (BUCKET._replace(replicated=False), "replication"),
        (BUCKET._replace(skew_s=-300.0), "clock"),
        (with_rights("s3:DeleteObject"), "may-delete"),
        (with_rights("s3:BypassGovernanceRetention"), "may-delete"),
        (with_rights("s3:PutBucketPolicy"), "may-unguard"),
        (BUCKET._replace(unseen={"lifecycle": "AccessDenied"}), "unseen"),
        (BUCKET._replace(unseen={"lifecycle": "GetX: NotImplemented"}), "not-offered"),
    ],
)
def test_each_fault_of_a_bucket_is_found(facts: Any, check: str) -> None:
    """And is not found of a sound one."""
    assert f"bucket.{check}" in checks(bucket.findings(facts))
    assert f"bucket.{check}" not in checks(bucket.findings(BUCKET))


def test_a_rule_for_other_keys_does_not_concern_the_archive() -> None:
    """Only those that its prefix and ours share."""
    assert checks(bucket.findings(with_rule(prefix="logs/", deletes_days=1))) == set()


FACTS = ["versioning", "Object Lock", "lifecycle", "encryption", "public access", "policy"]
FACTS += ["replication", "clock", "rights"]


@pytest.mark.parametrize("fact", FACTS)
def test_what_could_not_be_looked_at_is_told_and_not_judged(fact: str) -> None:
    """Neither as a fault nor as well."""
    whole = len(list(bucket.findings(BUCKET)))
    told = list(bucket.findings(BUCKET._replace(unseen={fact: "AccessDenied"})))
    assert checks(told) == {"bucket.unseen"}
    assert len(told) <= whole
    assert sum(one.severity is Severity.OK for one in told) < whole


def test_a_store_that_overwrites_is_an_error() -> None:
    """And one that refuses is well."""
    assert checks([bucket.of_probe(overwrites=True, where="b")]) == {"bucket.overwrites"}
    assert checks([bucket.of_probe(overwrites=False, where="b")]) == set()
    assert checks(bucket.unseen_probe("denied")) == {"bucket.unseen"}


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"writable": False}, "folder-read-only"),
        ({"mode": 0o777}, "folder-permissions"),
        ({"mode": 0o755}, "folder-permissions"),
        ({"same_device": False}, "folder-devices"),
        ({"free": 1 << 30, "size": 1 << 40}, "folder-room"),
        ({"file_system": "nfs4"}, "folder-network"),
    ],
)
def test_each_fault_of_a_folder_is_found(changes: dict[str, Any], check: str) -> None:
    """A sound one has the note that it is a folder."""
    told = checks(folder.findings(FOLDER._replace(**changes)))
    assert told == {"bucket.folder", f"bucket.{check}"}
    assert checks(folder.findings(FOLDER)) == {"bucket.folder"}
