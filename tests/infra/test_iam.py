"""The policies of infra/iam give no right to delete, to overwrite rules, or to anything else."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import pytest

from cdc_archive.archive.format import layout

IAM = Path(__file__).parents[2] / "infra" / "iam"
NEEDED = {
    "worker": {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
    "reader": {"s3:GetObject", "s3:ListBucket"},
    "checkpointer": {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
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


@pytest.mark.parametrize("name", NEEDED)
def test_no_more_is_allowed_than_is_needed(name: str) -> None:
    """By name, without a star."""
    assert actions(name, "Allow") == NEEDED[name]


@pytest.mark.parametrize("action", DANGEROUS)
@pytest.mark.parametrize("name", NEEDED)
def test_what_would_harm_the_archive_is_denied_outright(name: str, action: str) -> None:
    """So that no other policy of the same user can allow it."""
    assert any(fnmatch.fnmatchcase(action, denied) for denied in actions(name, "Deny"))


def test_who_makes_checkpoints_may_write_nothing_else() -> None:
    """Under the prefix that every object of a checkpoint has."""
    policy = json.loads((IAM / "checkpointer.json").read_text())
    may_put = [
        one["Resource"]
        for one in policy["Statement"]
        if one["Effect"] == "Allow" and "s3:PutObject" in one["Action"]
    ]
    assert may_put == [f"arn:aws:s3:::my-archive/production/{layout.CHECKPOINTS}*"]
    for key in (layout.checkpoint_key(1, "0" * 64), layout.checkpoint_part_key(1, "0" * 64)):
        assert key.startswith(layout.CHECKPOINTS)


def test_the_buckets_policy_denies_a_write_that_is_not_create_only() -> None:
    """To everyone: Null is true when the request has no If-None-Match."""
    (statement,) = json.loads((IAM / "create-only-bucket.json").read_text())["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:PutObject"
    assert statement["Condition"] == {"Null": {"s3:if-none-match": "true"}}


def test_every_policy_is_tested() -> None:
    """A new file needs a test."""
    assert {path.stem for path in IAM.iterdir()} == {*NEEDED, "create-only-bucket"}


def test_nothing_in_the_program_uses_multipart_uploads() -> None:
    """No part can be left behind, so no lifecycle rule is needed for them."""
    code = Path(__file__).parents[2] / "cdc_archive"
    text = "".join(path.read_text() for path in code.rglob("*.py"))
    for name in ("multipart", "upload_file", "TransferConfig", "upload_part", "delete_object"):
        assert name not in text
