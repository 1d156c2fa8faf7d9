"""Looks at a bucket by questions that change nothing, but for one attempt to delete what is not
there.

Whether credentials may delete is asked of IAM where that is allowed. Else a deletion is tried, of a
key that never was: without versioning that has no effect at all; with versioning it names the
version `null`, for a deletion without a version would leave a marker. So nothing is ever removed
or written.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cdc_archive.storage.aws_session import session
from cdc_archive.storage.bucket import BucketFacts, ExpiryRule, ObjectLockFacts, RightsFacts
from cdc_archive.storage.s3 import S3Options

_T = TypeVar("_T")
_NOT_SET: Final = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "ObjectLockConfigurationNotFound",
        "ReplicationConfigurationNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
"""Answers that say: there is none."""
_DENIED: Final = frozenset({"AccessDenied", "403", "AllAccessDisabled", "UnauthorizedAccess"})
ASKED: Final = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutBucketPolicy",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning",
)
"""Actions that nobody who writes an archive needs."""


def aws_client(options: S3Options, service: str) -> Any:
    """A client of another AWS service with the store's credentials; it answers once or not."""
    config = Config(connect_timeout=options.connect_timeout_s, retries={"total_max_attempts": 1})
    made = session(*options.credentials, options.region)
    return made.client(service, config=config)  # type: ignore[call-overload]


class BucketLook:
    """Looks at a bucket.

    Args:
        s3: a client for it.
        bucket: its name.
        prefix: the archive's, "" or ending in "/".
        is_aws: whether the store is AWS itself, so that IAM can be asked.
        other_client: makes a client of another service with the same credentials.
        may_try: whether a deletion of what is not there may be tried.
    """

    def __init__(
        self,
        s3: Any,
        bucket: str,
        prefix: str,
        *,
        is_aws: bool,
        other_client: Callable[[str], Any],
        may_try: bool,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._is_aws = is_aws
        self._other_client = other_client
        self._may_try = may_try
        self._unseen: dict[str, str] = {}

    def facts(self) -> BucketFacts:
        """All that the bucket says of itself."""
        versioning = self._ask("versioning", self._versioning, "never")
        return BucketFacts(
            self._bucket,
            self._prefix,
            self._s3.meta.endpoint_url,
            self._is_aws,
            versioning,
            self._ask("Object Lock", self._lock, ObjectLockFacts(enabled=False)),
            self._ask("lifecycle", self._lifecycle, ()),
            self._ask("encryption", self._encryption, ""),
            self._ask("public access", self._public_blocked, False),
            self._ask("policy", self._policy, None),
            self._ask("replication", self._replicated, False),
            self._ask("clock", self._skew, 0.0),
            self._rights(versioning),
            self._unseen,
        )

    def _ask(self, fact: str, ask: Callable[[], _T], otherwise: _T) -> _T:
        """The answer; what is not set is `otherwise`; what cannot be had is `otherwise`, told."""
        try:
            return ask()
        except ClientError as error:
            code = _code(error)
            if code not in _NOT_SET:
                self._unseen[fact] = f"{error.operation_name}: {code}"
        except (BotoCoreError, KeyError, TypeError, ValueError) as error:
            self._unseen[fact] = type(error).__name__
        return otherwise

    def _versioning(self) -> str:
        return str(self._s3.get_bucket_versioning(Bucket=self._bucket).get("Status") or "never")

    def _lock(self) -> ObjectLockFacts:
        told = self._s3.get_object_lock_configuration(Bucket=self._bucket)
        config = told.get("ObjectLockConfiguration", {})
        default = config.get("Rule", {}).get("DefaultRetention", {})
        days = default.get("Days") or 365 * default.get("Years", 0) or None
        return ObjectLockFacts(
            config.get("ObjectLockEnabled") == "Enabled", default.get("Mode"), days
        )

    def _lifecycle(self) -> tuple[ExpiryRule, ...]:
        told = self._s3.get_bucket_lifecycle_configuration(Bucket=self._bucket)
        return tuple(_rule(one) for one in told.get("Rules", ()) if one["Status"] == "Enabled")

    def _encryption(self) -> str:
        told = self._s3.get_bucket_encryption(Bucket=self._bucket)
        (rule,) = told["ServerSideEncryptionConfiguration"]["Rules"][:1]
        return str(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])

    def _public_blocked(self) -> bool:
        told = self._s3.get_public_access_block(Bucket=self._bucket)
        blocked = told["PublicAccessBlockConfiguration"]
        ways = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        return all(blocked.get(way) for way in ways)

    def _policy(self) -> Mapping[str, Any] | None:
        told = json.loads(self._s3.get_bucket_policy(Bucket=self._bucket)["Policy"])
        return told if isinstance(told, dict) else None

    def _replicated(self) -> bool:
        told = self._s3.get_bucket_replication(Bucket=self._bucket)
        rules = told["ReplicationConfiguration"]["Rules"]
        return any(one["Status"] == "Enabled" for one in rules)

    def _skew(self) -> float:
        told = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        date = told["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(date).timestamp() - time.time()

    def _rights(self, versioning: str) -> RightsFacts | None:
        if self._is_aws:
            simulated = self._ask("simulated rights", self._simulated, None)
            if simulated is not None:
                self._unseen.pop("simulated rights", None)
                return simulated
        why = self._unseen.pop("simulated rights", "")
        if not self._may_try:
            self._unseen["rights"] = why or "doctor.try_delete is false"
            return None
        return self._ask("rights", lambda: self._tried(versioning), None)

    def _simulated(self) -> RightsFacts | None:
        caller = self._other_client("sts").get_caller_identity()["Arn"]
        role = _role_of(caller)
        keys = [f"arn:aws:s3:::{self._bucket}", f"arn:aws:s3:::{self._bucket}/{self._prefix}x"]
        told = self._other_client("iam").simulate_principal_policy(
            PolicySourceArn=role, ActionNames=list(ASKED), ResourceArns=keys
        )
        allowed: dict[str, bool] = {}
        for one in told["EvaluationResults"]:
            name = one["EvalActionName"]
            is_allowed = one["EvalDecision"] == "allowed"
            allowed[name] = allowed.get(name, False) or is_allowed
        return RightsFacts(role, allowed, "IAM's simulation, without the bucket's policy")

    def _tried(self, versioning: str) -> RightsFacts:
        key = f"{self._prefix}doctor/{secrets.token_hex(16)}"
        known_off = versioning == "never" and "versioning" not in self._unseen
        action = "s3:DeleteObject" if known_off else "s3:DeleteObjectVersion"
        version = {} if known_off else {"VersionId": "null"}
        try:
            self._s3.delete_object(Bucket=self._bucket, Key=key, **version)
            allowed = True
        except ClientError as error:
            if _code(error) not in _DENIED | {"NoSuchKey", "NoSuchVersion", "404"}:
                raise
            allowed = _code(error) not in _DENIED
        what = "version null of a key" if version else "a key"
        return RightsFacts("", {action: allowed}, f"a deletion of {what} that never was")


def _rule(told: Mapping[str, Any]) -> ExpiryRule:
    narrowed = told.get("Filter", {})
    narrowed = narrowed.get("And", narrowed)
    expires, older = told.get("Expiration", {}), told.get("NoncurrentVersionExpiration", {})
    aborts = told.get("AbortIncompleteMultipartUpload", {})
    date = expires.get("Date")
    return ExpiryRule(
        str(told.get("ID", "(without a name)")),
        str(told.get("Prefix") or narrowed.get("Prefix") or ""),
        expires.get("Days"),
        str(date) if date is not None else None,
        older.get("NoncurrentDays"),
        aborts.get("DaysAfterInitiation"),
        tuple(str(one.get("StorageClass")) for one in told.get("Transitions", ())),
    )


def _role_of(arn: str) -> str:
    """The role behind a session: IAM simulates roles and users, not sessions."""
    head, _, rest = arn.partition(":assumed-role/")
    if not rest:
        return arn
    account = head.replace(":sts:", ":iam:")
    return f"{account}:role/{rest.split('/')[0]}"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
