"""The policies of infra/iam give no right to delete, to overwrite rules, or to anything else."""

from __future__ import annotations

import fnmatch
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdc_archive.archive.format import layout
from cdc_archive.archive.writer.root import PROBE_KEY
from cdc_archive.changelog.hour import Hour
from cdc_archive.changelog.position import TopicPartition

IAM = Path(__file__).parents[2] / "infra" / "iam"
PARTITION = TopicPartition("pg.app.t", 0)
HOUR = Hour("2026-02-19", "16")
NEEDED = {
    "worker": {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
    "reader": {"s3:GetObject", "s3:ListBucket"},
    "checkpointer": {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
    "watch": {"s3:GetObject", "s3:ListBucket"},
    "doctor": {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:GetBucketVersioning",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetEncryptionConfiguration",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketPolicy",
        "s3:GetReplicationConfiguration",
        "s3:PutObject",
        "iam:SimulatePrincipalPolicy",
    },
}
KEYS = {
    "sign": {"kms:Sign", "kms:GetPublicKey"},
    "encrypt": {"kms:GenerateDataKey", "kms:Decrypt"},
    "decrypt": {"kms:Decrypt"},
}
DANGEROUS = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutObjectRetention",
    "s3:BypassGovernanceRetention",
)


def actions(name: str, effect: str) -> set[str]:
    policy = json.loads((IAM / f"{name}.json").read_text())
    assert policy["Version"] == "2012-10-17"
    listed = [one["Action"] for one in policy["Statement"] if one["Effect"] == effect]
    return {action for one in listed for action in ([one] if isinstance(one, str) else one)}


@pytest.mark.parametrize("name", [*NEEDED, *KEYS])
def test_no_more_is_allowed_than_is_needed(name: str) -> None:
    """By name, without a star."""
    assert actions(name, "Allow") == (NEEDED | KEYS)[name]


@pytest.mark.parametrize("action", DANGEROUS)
@pytest.mark.parametrize("name", NEEDED)
def test_what_would_harm_the_archive_is_denied_outright(name: str, action: str) -> None:
    """So that no other policy of the same user can allow it."""
    assert any(fnmatch.fnmatchcase(action, denied) for denied in actions(name, "Deny"))


def may_put(name: str, key: str) -> bool:
    """Whether a policy lets its user create an object of an archive."""
    policy = json.loads((IAM / f"{name}.json").read_text())
    resources = [
        resource
        for one in policy["Statement"]
        if one["Effect"] == "Allow" and "s3:PutObject" in one["Action"]
        for resource in ([one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"])
    ]
    arn = f"arn:aws:s3:::my-archive/production/{key}"
    return any(fnmatch.fnmatchcase(arn, one) for one in resources)


ROOT_KEYS = [layout.ARCHIVE_KEY, PROBE_KEY]
CHECKPOINT_KEYS = [
    layout.checkpoint_key(1, "0" * 64),
    layout.checkpoint_part_key(1, "0" * 64),
]
CHAIN_KEYS = [
    layout.data_key(layout.CHANGES, "pg.app.t", HOUR, PARTITION, 0, 1, "0" * 64),
    layout.data_key(layout.QUARANTINE, "pg.app.t", HOUR, PARTITION, 0, 1, "0" * 64),
    layout.commit_key(PARTITION, 0),
    layout.digest_key(datetime(2026, 2, 19, 16, tzinfo=UTC)),
    layout.key_record_key("0" * 16),
]


@pytest.mark.parametrize("key", [*ROOT_KEYS, *CHAIN_KEYS])
def test_a_worker_may_create_what_it_makes(key: str) -> None:
    """Data, commits, digests, the records of signing keys; and at its first start the archive."""
    assert may_put("worker", key)


def test_a_worker_may_create_nothing_else() -> None:
    """Neither a checkpoint, which would make a replay believe it, nor what no archive has."""
    assert not any(may_put("worker", key) for key in (*CHECKPOINT_KEYS, "other", "changesets/1"))


def test_who_makes_checkpoints_may_write_nothing_else() -> None:
    """No commit, no digest, no key."""
    assert all(may_put("checkpointer", key) for key in CHECKPOINT_KEYS)
    assert not any(may_put("checkpointer", key) for key in (*ROOT_KEYS, *CHAIN_KEYS))


def test_the_doctor_may_write_its_probe_only() -> None:
    """An object that stands there since the archive was made, so that nothing comes of it."""
    assert may_put("doctor", PROBE_KEY)
    assert not any(
        may_put("doctor", key) for key in (layout.ARCHIVE_KEY, *CHAIN_KEYS, *CHECKPOINT_KEYS)
    )


@pytest.mark.parametrize("name", ["reader", "watch"])
def test_readers_write_nothing(name: str) -> None:
    """Whatever it is called."""
    assert not any(may_put(name, key) for key in (*ROOT_KEYS, *CHAIN_KEYS, *CHECKPOINT_KEYS))


def test_the_buckets_policy_denies_a_write_that_is_not_create_only() -> None:
    """To everyone: Null is true when the request has no If-None-Match."""
    (statement,) = json.loads((IAM / "create-only-bucket.json").read_text())["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:PutObject"
    assert statement["Condition"] == {"Null": {"s3:if-none-match": "true"}}


def test_every_policy_is_tested() -> None:
    """A new file needs a test."""
    assert {path.stem for path in IAM.iterdir()} == {*NEEDED, *KEYS, "create-only-bucket"}


def test_nothing_in_the_program_uses_multipart_uploads() -> None:
    """No part can be left behind, so no lifecycle rule is needed for them. And nothing deletes, but
    for the doctor's attempt at a key that never was.
    """
    code = Path(__file__).parents[2] / "cdc_archive"
    texts = {path.name: path.read_text() for path in code.rglob("*.py")}
    for name in ("multipart", "upload_file", "TransferConfig", "upload_part"):
        assert name not in "".join(texts.values())
    assert [file for file, text in texts.items() if "delete_object" in text] == ["s3_bucket.py"]
