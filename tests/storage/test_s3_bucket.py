"""A bucket's own answers, from moto; nothing is written or deleted by looking."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3.client import S3Client

from cdc_archive.storage.bucket import ExpiryRule, ObjectLockFacts
from cdc_archive.storage.folder import look as look_at_folder
from cdc_archive.storage.s3_bucket import ASKED, BucketLook

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*"}]}


class Refusing:
    """A client that refuses some requests, and counts deletions."""

    def __init__(self, inner: Any, refused: dict[str, str]) -> None:
        self.inner = inner
        self.refused = refused
        self.deletions: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def refuse(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": self.refused[name]}}, name)

        def delete(**arguments: Any) -> Any:
            self.deletions.append(arguments)
            return refuse() if name in self.refused else self.inner.delete_object(**arguments)

        if name == "delete_object":
            return delete
        return refuse if name in self.refused else getattr(self.inner, name)


class Aws:
    """STS and IAM."""

    def __init__(self, allowed: set[str] | None) -> None:
        self.allowed = allowed
        self.asked: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        return self

    def get_caller_identity(self) -> Any:
        return {"Arn": "arn:aws:sts::1:assumed-role/worker/session"}

    def simulate_principal_policy(self, **asked: Any) -> Any:
        if self.allowed is None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "SimulatePrincipalPolicy")
        self.asked = asked
        decisions = {True: "allowed", False: "implicitDeny"}
        return {
            "EvaluationResults": [
                {"EvalActionName": one, "EvalDecision": decisions[one in self.allowed]}
                for one in asked["ActionNames"]
            ]
        }


def look(s3: Any, bucket: str, aws: Any = None, *, may_try: bool = True) -> Any:
    asked = BucketLook(
        s3,
        bucket,
        "production/",
        is_aws=aws is not None,
        other_client=aws or (lambda _: None),
        may_try=may_try,
    )
    return asked.facts()


def everything(s3: S3Client, bucket: str) -> list[Any]:
    listed = s3.list_object_versions(Bucket=bucket)
    return [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]


def test_a_bare_bucket_has_none_of_what_guards_it(s3: S3Client, bucket: str) -> None:
    """What is not set is no failure to look."""
    facts = look(s3, bucket)
    assert (facts.versioning, facts.lock, facts.lifecycle) == ("never", ObjectLockFacts(False), ())
    assert (facts.policy, facts.public_blocked, facts.replicated) == (None, False, False)
    assert dict(facts.unseen) == {}
    assert abs(facts.skew_s) < 5


def test_a_guarded_bucket_tells_all_of_it(s3: S3Client, bucket: str) -> None:
    """Versioning, Object Lock, lifecycle, encryption, public access, policy."""
    name = f"{bucket}-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
        },
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "uploads",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                },
                {
                    "ID": "old",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "production/"},
                    "Expiration": {"Days": 90},
                },
                {
                    "ID": "off",
                    "Status": "Disabled",
                    "Filter": {"Prefix": ""},
                    "Expiration": {"Days": 1},
                },
            ]
        },
    )
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(POLICY))
    facts = look(s3, name)
    assert (facts.versioning, facts.lock) == ("Enabled", ObjectLockFacts(True, "COMPLIANCE", 30))
    assert facts.lifecycle == (
        ExpiryRule("uploads", "", aborts_uploads_days=7),
        ExpiryRule("old", "production/", deletes_days=90),
    )
    assert (facts.encryption, facts.public_blocked, facts.policy) == ("aws:kms", True, POLICY)


@pytest.mark.parametrize(
    ("request_name", "fact"),
    [
        ("get_bucket_versioning", "versioning"),
        ("get_object_lock_configuration", "Object Lock"),
        ("get_bucket_lifecycle_configuration", "lifecycle"),
        ("get_bucket_encryption", "encryption"),
        ("get_public_access_block", "public access"),
        ("get_bucket_policy", "policy"),
        ("get_bucket_replication", "replication"),
        ("list_objects_v2", "clock"),
    ],
)
def test_a_request_that_is_denied_leaves_the_others_answered(
    s3: S3Client, bucket: str, request_name: str, fact: str
) -> None:
    """And is remembered with its reason."""
    facts = look(Refusing(s3, {request_name: "AccessDenied"}), bucket)
    assert dict(facts.unseen) == {fact: f"{request_name}: AccessDenied"}


@pytest.mark.parametrize("versioned", [False, True])
def test_whether_these_credentials_may_delete_is_found_out_without_harm(
    s3: S3Client, bucket: str, versioned: bool
) -> None:
    """Objects, versions and markers are what they were, with versioning and without."""
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="production/archive.json", Body=b"{}")
    before = everything(s3, bucket)
    allowed, denied = Refusing(s3, {}), Refusing(s3, {"delete_object": "AccessDenied"})
    action = "s3:DeleteObjectVersion" if versioned else "s3:DeleteObject"
    assert look(allowed, bucket).rights.allowed == {action: True}
    assert look(denied, bucket).rights.allowed == {action: False}
    assert everything(s3, bucket) == before
    for tried in (*allowed.deletions, *denied.deletions):
        assert tried["Key"].startswith("production/doctor/")
        assert tried.get("VersionId") == ("null" if versioned else None)


def test_without_knowing_of_versions_no_plain_deletion_is_tried(s3: S3Client, bucket: str) -> None:
    """It could leave a marker."""
    client = Refusing(s3, {"get_bucket_versioning": "AccessDenied"})
    look(client, bucket)
    assert [one["VersionId"] for one in client.deletions] == ["null"]


def test_iam_is_asked_first_and_then_nothing_is_tried(s3: S3Client, bucket: str) -> None:
    """Of the role behind the session, for the keys of the archive."""
    client, aws = Refusing(s3, {}), Aws({"s3:PutBucketPolicy"})
    rights = look(client, bucket, aws).rights
    assert rights.identity == "arn:aws:iam::1:role/worker"
    assert {one for one, allowed in rights.allowed.items() if allowed} == {"s3:PutBucketPolicy"}
    assert set(rights.allowed) == set(ASKED)
    assert f"arn:aws:s3:::{bucket}/production/x" in aws.asked["ResourceArns"]
    assert client.deletions == []


def test_where_nothing_may_be_asked_or_tried_the_rights_are_unknown(
    s3: S3Client, bucket: str
) -> None:
    """And not called well."""
    facts = look(Refusing(s3, {}), bucket, Aws(None), may_try=False)
    assert facts.rights is None
    assert dict(facts.unseen) == {"rights": "SimulatePrincipalPolicy: AccessDenied"}
    assert dict(look(s3, bucket, may_try=False).unseen) == {"rights": "doctor.try_delete is false"}


def test_a_folder_tells_its_permissions_and_its_disk(tmp_path: Any) -> None:
    """And is left as it is."""
    tmp_path.chmod(0o750)
    (tmp_path / "commits").mkdir()
    facts = look_at_folder(tmp_path)
    assert (facts.mode, facts.writable, facts.same_device) == (0o750, True, True)
    assert 0 < facts.free <= facts.size
    assert [one.name for one in tmp_path.iterdir()] == ["commits"]
