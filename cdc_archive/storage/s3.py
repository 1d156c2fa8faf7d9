"""An object store in an S3 bucket (AWS, MinIO, versitygw and others) by boto3.

botocore's own retries are off: a retried create whose first try succeeded would come back as "there
already", and lie. Retrying is a wrapper's work (storage/retry.py), which can look at what is there.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from cdc_archive.errors import (
    BucketMissing,
    CdcArchiveError,
    ConfigInvalid,
    ObjectMissing,
    ObjectTooLarge,
    StateUnknown,
    StoreBusy,
    StoreDenied,
    StoreUnreachable,
    StoreUnsafe,
)
from cdc_archive.storage.aws_session import session
from cdc_archive.storage.compare import begins_with
from cdc_archive.storage.object_store import Content, ObjectStat
from cdc_archive.storage.s3_tls import tls_trouble

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_TAKEN: Final = frozenset({"PreconditionFailed", "412"})
_NO_BUCKET: Final = frozenset({"NoSuchBucket"})
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_DENIED: Final = frozenset(
    {
        "403",
        "401",
        "AccessDenied",
        "AllAccessDisabled",
        "AccountProblem",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "XAdminUserNotFound",
    }
)
_DENIED_STATUS: Final = (401, 403)
_GARBLED: Final = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
"""The store compared hashes: what arrived is not what was sent, and was not stored."""
_CLOCK: Final = "RequestTimeTooSkewed"
_THROTTLED: Final = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout"})
_CONFLICT: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
"""Another request for this key is under way, and may still fail: nothing was done, ask again."""
_HTTP_SERVER_ERROR: Final = 500
_FEW: Final = 10
_MANY: Final = 1000
"""Objects in the first and in each further answer to a listing."""


class S3Options(NamedTuple):
    """How to reach S3; what is None is left to boto3's own chain (profile, role, environment)."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    path_style: bool = False
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0
    max_connections: int = 16
    ca_file: str | None = None

    @property
    def credentials(self) -> tuple[str | None, str | None, str | None]:
        """Key, secret and token."""
        return self.access_key_id, self.secret_access_key, self.session_token

    def __repr__(self) -> str:
        return f"S3Options(endpoint_url={self.endpoint_url!r}, region={self.region!r}, ...)"


def client(options: S3Options) -> S3Client:
    """A boto3 client that makes each request once.

    Raises:
        ConfigInvalid: `ca_file` holds no certificate.
    """
    if options.ca_file is not None:
        _require_certificates(options.ca_file)
    config = Config(
        connect_timeout=options.connect_timeout_s,
        read_timeout=options.read_timeout_s,
        max_pool_connections=options.max_connections,
        retries={"total_max_attempts": 1, "mode": "standard"},
        parameter_validation=False,  # of what is ours: it is a twentieth of a small request
        s3={"addressing_style": "path" if options.path_style else "auto"},
        user_agent_extra="cdc-archive",
    )
    verify = options.ca_file  # None: AWS_CA_BUNDLE, or what botocore brings along
    made = session(*options.credentials, options.region)
    return made.client("s3", endpoint_url=options.endpoint_url, config=config, verify=verify)


class S3Store:
    """Objects under a prefix of a bucket.

    Args:
        s3: a client made by `client`.
        bucket: its name; never created here.
        prefix: root of the archive in the bucket, "" or a path; a slash is added if it lacks one.
        sse: server-side encryption: `none` (the bucket's default), `AES256` or `aws:kms`.
        kms_key_id: key for `aws:kms`; None: the bucket's or account's default key.
    """

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        prefix: str = "",
        *,
        sse: str = "none",
        kms_key_id: str | None = None,
    ) -> None:
        self._s3: Any = s3
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._encryption: dict[str, str] = {}
        if sse != "none":
            self._encryption["ServerSideEncryption"] = sse
        if kms_key_id is not None:
            self._encryption["SSEKMSKeyId"] = kms_key_id

    def create(self, key: str, data: Content) -> bool:
        """See the port. The SHA-256 is sent along, so the store refuses what was garbled.

        Nothing is sent as a file: with one, boto3 asks the store first whether it may (`Expect:
        100-continue`), a round trip more, and then sends it 16 KiB at a time. It makes one of
        bytes, but not of a bytearray.
        """
        body = data if isinstance(data, bytearray) else bytearray(data)
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,
                IfNoneMatch="*",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(data).digest()).decode(),
                **self._encryption,
            )
        except ClientError as error:
            if _code(error) in _TAKEN:
                return False
            raise self._told(error, key, writing=True) from None
        except BotoCoreError as error:
            raise self._broken(error, key, writing=True) from None
        return True

    def get(self, key: str, limit: int | None = None) -> bytes:
        """See the port."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
            size = answer["ContentLength"]
            if limit is not None and size > limit:
                answer["Body"].close()
                raise ObjectTooLarge(self._where(key), size, limit)
            data: bytes = answer["Body"].read()
        except ClientError as error:
            raise self._told(error, key) from None
        except BotoCoreError as error:
            raise self._broken(error, key) from None
        if len(data) != size:
            raise StoreBusy(f"{self._where(key)}: the answer broke off after {len(data)} bytes")
        return data

    def holds(self, key: str, data: Content) -> bool:
        """See the port."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
            with closing(answer["Body"]) as body:
                as_long: bool = answer["ContentLength"] == len(data)
                return as_long and begins_with(body.read, data)
        except ClientError as error:
            raise self._told(error, key) from None
        except BotoCoreError as error:
            raise self._broken(error, key) from None

    def stat(self, key: str) -> ObjectStat | None:
        """See the port."""
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except ClientError as error:
            told = self._told(error, key)
            if isinstance(told, ObjectMissing):
                return None
            raise told from None
        except BotoCoreError as error:
            raise self._broken(error, key) from None
        return ObjectStat(key, found["ContentLength"], found["LastModified"].timestamp())

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        """See the port. One request for the first few objects, for many want no more, then one for
        each 1,000.
        """
        arguments = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        if start_after:
            arguments["StartAfter"] = self._prefix + start_after
        size = _FEW
        try:
            while True:
                page = self._s3.list_objects_v2(**arguments, MaxKeys=size)
                for found in page.get("Contents", ()):
                    yield ObjectStat(
                        found["Key"].removeprefix(self._prefix),
                        found["Size"],
                        found["LastModified"].timestamp(),
                    )
                if not page.get("IsTruncated"):
                    return
                arguments["ContinuationToken"], size = page["NextContinuationToken"], _MANY
        except ClientError as error:
            raise self._told(error, prefix) from None
        except BotoCoreError as error:
            raise self._broken(error, prefix) from None

    def check(self) -> None:
        """See the port. A listing, for the answer to a HEAD cannot say what is wrong."""
        try:
            self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        except ClientError as error:
            raise _at_once(self._told(error, "")) from None
        except BotoCoreError as error:
            raise _at_once(self._broken(error, ""), self._hint(error)) from None

    def close(self) -> None:
        """See the port."""
        self._s3.close()

    def _told(self, error: ClientError, key: str, *, writing: bool = False) -> CdcArchiveError:
        code, status = _code(error), _status(error)
        where = f"{self._where(key)}: {code}"
        if code in _NO_BUCKET:
            return self._no_bucket()
        if code in _MISSING:
            return ObjectMissing(f"{self._where(key)}: no such object")
        if passing := self._passing(error, where):
            return passing
        if code in _DENIED or status in _DENIED_STATUS:
            return StoreDenied(
                where,
                f"{StoreDenied.default_action} It needs s3:GetObject, s3:PutObject and "
                "s3:ListBucket (without the last, a missing object looks like a denied one).",
            )
        if code == "NotImplemented" and writing:
            return StoreUnsafe(f"{where}: the store does not know conditional writes")
        if status >= _HTTP_SERVER_ERROR:
            return StateUnknown(where) if writing else StoreBusy(where)
        message = error.response.get("Error", {}).get("Message", "")
        return StoreUnreachable(f"{where}: {message}", "The store does not take such a request.")

    def _broken(self, error: BotoCoreError, key: str, *, writing: bool = False) -> CdcArchiveError:
        what = f"{self._where(key)}: {type(error).__name__}"
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return StoreDenied(f"{what}: no credentials were found")
        if isinstance(error, SSLError):
            trouble = tls_trouble(self._s3.meta.endpoint_url, error)
            if trouble is not None:
                return StoreUnreachable(*trouble)
        never_sent = EndpointConnectionError | ConnectTimeoutError | ProxyConnectionError
        if isinstance(error, never_sent) or not writing:
            return StoreBusy(what)
        return StateUnknown(what)

    def _hint(self, error: BotoCoreError) -> str:
        """A port with TLS hangs up on whoever speaks plain HTTP."""
        hung_up = isinstance(error, ConnectionClosedError)
        if hung_up and self._s3.meta.endpoint_url.startswith("http://"):
            return "If the store speaks TLS, store.endpoint_url begins with https://."
        return (
            "Check that store.endpoint_url is a port with TLS."
            if isinstance(error, SSLError)
            else ""
        )

    def _passing(self, error: ClientError, where: str) -> StoreBusy | None:
        """A refusal after which nothing was stored and which time can mend."""
        code = _code(error)
        if code in _GARBLED:
            return StoreBusy(
                f"{where}: the bytes did not arrive as they were sent",
                "Look for what garbles data between here and the store: a proxy, a network card.",
            )
        if code == _CLOCK:  # requests are signed with the time
            theirs = error.response["ResponseMetadata"]["HTTPHeaders"].get("date", "not")
            return StoreBusy(
                f"{where}: this machine's clock says {formatdate(usegmt=True)}, "
                f"the store's {theirs}",
                "Set the clock right (NTP). Nothing is lost; writing goes on once the two agree.",
            )
        unavailable = 503
        if code in _CONFLICT or code in _THROTTLED or _status(error) == unavailable:
            return StoreBusy(where)
        return None

    def _no_bucket(self) -> BucketMissing:
        return BucketMissing(f"the bucket {self._bucket} does not exist")

    def _where(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"


def _require_certificates(file: str) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except OSError:
        raise ConfigInvalid(
            f"store.ca_file {file} holds no certificate",
            "Set it to the certificate of the CA that signed the store's, in PEM form.",
        ) from None


def _at_once(error: CdcArchiveError, hint: str = "") -> CdcArchiveError:
    """What could be waited for, told to somebody who does not want to wait."""
    if not isinstance(error, StoreBusy):
        return error
    return StoreUnreachable(error.what, hint or error.action)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
