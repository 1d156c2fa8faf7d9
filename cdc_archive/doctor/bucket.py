"""Whether a bucket keeps what is archived in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cdc_archive.doctor.finding import Blind, Finding, error, note, passed, unseen, warning
from cdc_archive.storage.bucket import BucketFacts, ExpiryRule

_S3: Final = "Amazon S3 User Guide"

_UNSEEN = warning(
    "bucket.unseen", "What the doctor cannot look at, it cannot call well.", "docs/doctor.md"
)
_NOT_OFFERED = note(
    "bucket.not-offered",
    "The store has no such request: what it would tell is looked after elsewhere, or not at all.",
)
_UNSAFE = error(
    "bucket.overwrites",
    "The store overwrites although it was told `If-None-Match: *`: two workers could overwrite "
    "each other's commits.",
    f"{_S3}, Conditional writes",
)
_NO_VERSIONS = warning(
    "bucket.versioning",
    "Without versions a deleted or overwritten object is gone, whoever did it.",
    f"{_S3}, Using versioning",
)
_NO_LOCK = warning(
    "bucket.object-lock",
    "Whoever has the bucket's administrator's rights can delete the evidence. Under Object Lock "
    "nobody can before its time.",
    f"{_S3}, Object Lock",
)
_NO_RETENTION = warning(
    "bucket.object-lock-default",
    "Object Lock protects objects that have a retention: the archive leaves it to the bucket's "
    "default.",
    f"{_S3}, Object Lock, default retention",
)
_GOVERNANCE = note(
    "bucket.object-lock-governance",
    "In GOVERNANCE mode whoever has s3:BypassGovernanceRetention can delete before the time is "
    "over.",
    f"{_S3}, Object Lock, retention modes",
)
_EXPIRES = error(
    "bucket.expires",
    "This lifecycle rule deletes objects of the archive: commits name files that will be missing.",
    f"{_S3}, Lifecycle",
)
_VERSIONS_EXPIRE = note(
    "bucket.versions-expire",
    "Older versions are deleted after this time: who overwrites or deletes need only wait.",
    f"{_S3}, Lifecycle, NoncurrentVersionExpiration",
)
_ARCHIVED = warning(
    "bucket.moves",
    "Objects in this storage class have to be restored before they can be read: verify and replay "
    "stop there.",
    f"{_S3}, Lifecycle, transitions",
)
_NO_ABORT = note(
    "bucket.uploads",
    "The archive writes each object in one request, and leaves nothing behind; copies that other "
    "tools make in parts may.",
    f"{_S3}, AbortIncompleteMultipartUpload",
)
_NOT_ENCRYPTED = warning(
    "bucket.encryption",
    "Rows of the database lie in the bucket as they are; whoever gets the disk can read them.",
    f"{_S3}, default encryption",
)
_PUBLIC = error(
    "bucket.public",
    "A policy or an ACL could make all rows of the database readable for everybody.",
    f"{_S3}, Block Public Access",
)
_MAY_OVERWRITE = warning(
    "bucket.create-only",
    "The archive never overwrites; with this policy nobody can, not even with stolen credentials.",
    f"{_S3}, Conditional writes, bucket policies; infra/iam/create-only-bucket.json",
)
_NO_TLS_POLICY = note(
    "bucket.tls-only",
    "Without it the bucket takes requests that anybody on the way can read and alter.",
    f"{_S3}, aws:SecureTransport",
)
_NO_TLS = warning(
    "bucket.plain-http",
    "Rows go over the wire as they are; whoever is on the way can read and alter them.",
)
_MAY_DELETE = error(
    "bucket.may-delete",
    "Whoever gets these credentials can delete the archive. A worker never deletes.",
    "infra/iam/worker.json",
)
_MAY_UNGUARD = error(
    "bucket.may-unguard",
    "Whoever gets these credentials can take away what guards the archive, and then delete it.",
    "infra/iam/worker.json",
)
_NOT_REPLICATED = note(
    "bucket.replication",
    "All evidence lies in one place, with one owner. A copy in another account outlives both.",
    f"{_S3}, Replicating objects",
)
_SKEW = warning(
    "bucket.clock",
    "S3 refuses requests whose time is more than 15 minutes off: then nothing can be stored.",
    f"{_S3}, RequestTimeTooSkewed",
)
_SKEW_S: Final = 60.0

_NO_SUCH_REQUEST: Final = ("NotImplemented", "MethodNotAllowed", "XNotImplemented")
_COLD: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_BLIND: Final = {
    "versioning": Blind(
        "whether deleted objects can be had again", "Grant s3:GetBucketVersioning."
    ),
    "Object Lock": Blind(
        "whether objects can be deleted before their time",
        "Grant s3:GetBucketObjectLockConfiguration.",
    ),
    "lifecycle": Blind("whether a rule deletes the archive", "Grant s3:GetLifecycleConfiguration."),
    "encryption": Blind("whether objects are encrypted", "Grant s3:GetEncryptionConfiguration."),
    "public access": Blind(
        "whether the bucket can be made public", "Grant s3:GetBucketPublicAccessBlock."
    ),
    "policy": Blind("whether overwriting and plain HTTP are denied", "Grant s3:GetBucketPolicy."),
    "replication": Blind("whether there is a copy", "Grant s3:GetReplicationConfiguration."),
    "clock": Blind("whether the clocks agree", "Grant s3:ListBucket."),
    "rights": Blind(
        "whether these credentials may delete",
        "Grant iam:SimulatePrincipalPolicy on their own role, or set doctor.try_delete = true.",
    ),
    "conditional writes": Blind(
        "whether two workers could overwrite each other", "Grant s3:PutObject on archive.probe."
    ),
}


def findings(facts: BucketFacts) -> Iterator[Finding]:
    """Look at a bucket. Facts that are in `unseen` are told as such and not judged."""
    yield from _of_unseen(facts)
    judges = {
        "versioning": _of_versioning,
        "Object Lock": _of_lock,
        "lifecycle": _of_lifecycle,
        "encryption": _of_encryption,
        "public access": _of_public_access,
        "policy": _of_policy,
        "replication": _of_replication,
        "clock": _of_clock,
        "rights": _of_rights,
    }
    for fact, judge in judges.items():
        if fact not in facts.unseen:
            yield from judge(facts)
    if facts.endpoint.startswith("http://"):
        yield _NO_TLS.found(
            f"the endpoint is {facts.endpoint}", "Set store.endpoint_url to its port with TLS."
        )


def _of_unseen(facts: BucketFacts) -> Iterator[Finding]:
    for fact, reason in facts.unseen.items():
        if any(reason.endswith(code) for code in _NO_SUCH_REQUEST):
            yield _NOT_OFFERED.found(
                f"does not exist here ({reason}), so unknown: {_BLIND[fact].unknown}",
                "See the store's own documentation.",
                fact,
            )
        else:
            yield from unseen(_UNSEEN, _BLIND, {fact: reason})


def of_probe(*, overwrites: bool, where: str) -> Finding:
    """What became of a second create of one key."""
    if overwrites:
        return _UNSAFE.found(
            "a second create of archive.probe succeeded",
            "Use a store with conditional writes (AWS S3, MinIO, versitygw, a local folder).",
            where,
        )
    return passed("bucket", "a second create of one key is refused: writes are create-only", where)


def unseen_probe(reason: str) -> Iterator[Finding]:
    """The probe could not be made."""
    return unseen(_UNSEEN, _BLIND, {"conditional writes": reason})


def _api(facts: BucketFacts, rest: str) -> str:
    endpoint = "" if facts.is_aws else f" --endpoint-url {facts.endpoint}"
    return f"aws{endpoint} s3api {rest} --bucket {facts.bucket}"


def _of_versioning(facts: BucketFacts) -> Iterator[Finding]:
    if facts.versioning == "Enabled":
        yield passed("bucket", "versioning is on", facts.bucket)
        return
    yield _NO_VERSIONS.found(
        f"versioning: {facts.versioning.lower()}",
        _api(facts, "put-bucket-versioning --versioning-configuration Status=Enabled"),
        facts.bucket,
    )


def _of_lock(facts: BucketFacts) -> Iterator[Finding]:
    lock = facts.lock
    mend = _api(
        facts,
        "put-object-lock-configuration --object-lock-configuration "
        "'ObjectLockEnabled=Enabled,Rule={DefaultRetention={Mode=COMPLIANCE,Days=365}}'",
    )
    if not lock.enabled:
        yield _NO_LOCK.found("Object Lock is off", mend, facts.bucket)
    elif lock.mode is None:
        yield _NO_RETENTION.found("Object Lock has no default retention", mend, facts.bucket)
    elif lock.mode == "GOVERNANCE":
        yield _GOVERNANCE.found(f"GOVERNANCE for {lock.days} days", mend, facts.bucket)
    else:
        yield passed("bucket", f"Object Lock: {lock.mode} for {lock.days} days", facts.bucket)


def _of_lifecycle(facts: BucketFacts) -> Iterator[Finding]:
    ours = [rule for rule in facts.lifecycle if _overlap(rule.prefix, facts.prefix)]
    for rule in ours:
        yield from _of_rule(rule, facts)
    if not any(rule.aborts_uploads_days for rule in ours):
        yield _NO_ABORT.found(
            "no rule aborts uploads that were left in parts",
            _api(facts, "put-bucket-lifecycle-configuration --lifecycle-configuration " + _ABORT),
            facts.bucket,
        )
    if not any(rule.deletes_days or rule.deletes_on for rule in ours):
        yield passed("bucket", "no lifecycle rule deletes objects of the archive", facts.bucket)


_ABORT: Final = (
    """'{"Rules":[{"ID":"uploads","Status":"Enabled","Filter":{"Prefix":""},"""
    """"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7}}]}'"""
)


def _of_rule(rule: ExpiryRule, facts: BucketFacts) -> Iterator[Finding]:
    remove = _api(facts, "get-bucket-lifecycle-configuration")
    mend = f"{remove} # and put it back without this rule, or with another prefix"
    keys = rule.prefix or "(all keys)"
    if rule.deletes_days is not None or rule.deletes_on is not None:
        when = rule.deletes_on or f"{rule.deletes_days} days"
        yield _EXPIRES.found(f"rule {rule.name} deletes {keys}: {when}", mend, facts.bucket)
    if rule.deletes_versions_days is not None:
        yield _VERSIONS_EXPIRE.found(
            f"rule {rule.name} deletes older versions after {rule.deletes_versions_days} days",
            mend,
            facts.bucket,
        )
    if cold := sorted(_COLD & set(rule.moves_to)):
        yield _ARCHIVED.found(f"rule {rule.name} moves {keys} to {cold[0]}", mend, facts.bucket)


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _of_encryption(facts: BucketFacts) -> Iterator[Finding]:
    if facts.encryption:
        yield passed("bucket", f"encrypted by default: {facts.encryption}", facts.bucket)
        return
    rule = '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
    yield _NOT_ENCRYPTED.found(
        "no default encryption",
        _api(facts, f"put-bucket-encryption --server-side-encryption-configuration '{rule}'"),
        facts.bucket,
    )


def _of_public_access(facts: BucketFacts) -> Iterator[Finding]:
    if facts.public_blocked:
        yield passed("bucket", "public access is blocked", facts.bucket)
        return
    ways = (
        "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,"
        "RestrictPublicBuckets=true"
    )
    yield _PUBLIC.found(
        "public access is not blocked",
        _api(facts, f"put-public-access-block --public-access-block-configuration {ways}"),
        facts.bucket,
    )


def _of_policy(facts: BucketFacts) -> Iterator[Finding]:
    denials = _denials(facts.policy)
    put = _api(facts, "put-bucket-policy --policy file://policy.json")
    if any(_is_create_only(one) for one in denials):
        yield passed("bucket", "the bucket's policy denies to overwrite", facts.bucket)
    else:
        yield _MAY_OVERWRITE.found(
            "the bucket's policy does not deny a PutObject without If-None-Match",
            f"{put} # with the statement of infra/iam/create-only-bucket.json",
            facts.bucket,
        )
    if not any(_is_tls_only(one) for one in denials):
        yield _NO_TLS_POLICY.found(
            "the bucket's policy does not deny requests without TLS",
            f'{put} # with Deny s3:* where "Bool": {{"aws:SecureTransport": "false"}}',
            facts.bucket,
        )


def _denials(policy: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    told = (policy or {}).get("Statement", [])
    listed = told if isinstance(told, list) else [told]
    return [one for one in listed if isinstance(one, dict) and one.get("Effect") == "Deny"]


def _is_create_only(statement: Mapping[str, Any]) -> bool:
    conditions = statement.get("Condition", {}).get("Null", {})
    return str(conditions.get("s3:if-none-match", "")).lower() == "true"


def _is_tls_only(statement: Mapping[str, Any]) -> bool:
    conditions = statement.get("Condition", {}).get("Bool", {})
    return str(conditions.get("aws:SecureTransport", "")).lower() == "false"


def _of_replication(facts: BucketFacts) -> Iterator[Finding]:
    if facts.replicated:
        yield passed("bucket", "replicated to another bucket", facts.bucket)
        return
    yield _NOT_REPLICATED.found(
        "the bucket is not replicated",
        _api(facts, "put-bucket-replication --replication-configuration file://replication.json"),
        facts.bucket,
    )


def _of_clock(facts: BucketFacts) -> Iterator[Finding]:
    if abs(facts.skew_s) > _SKEW_S:
        late = "behind" if facts.skew_s > 0 else "ahead of"
        yield _SKEW.found(
            f"this machine's clock is {abs(facts.skew_s):,.0f} s {late} the store's",
            "timedatectl set-ntp true",
        )
    else:
        yield passed("bucket", "the clocks agree", facts.bucket)


def _of_rights(facts: BucketFacts) -> Iterator[Finding]:
    rights = facts.rights
    if rights is None:
        return
    excess = [action for action, allowed in rights.allowed.items() if allowed]
    deleting = [action for action in excess if "Delete" in action or "Bypass" in action]
    guarding = [action for action in excess if action not in deleting]
    who = rights.identity or "these credentials"
    mend = "Give the worker infra/iam/worker.json and nothing else."
    if deleting:
        yield _MAY_DELETE.found(f"{who} may {', '.join(deleting)} ({rights.how})", mend, who)
    if guarding:
        yield _MAY_UNGUARD.found(f"{who} may {', '.join(guarding)} ({rights.how})", mend, who)
    if not excess:
        denied = ", ".join(rights.allowed)
        yield passed("bucket", f"refused: {denied} ({rights.how})", who)
