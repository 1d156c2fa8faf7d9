"""What is particular to S3: encryption, prefixes, and every way to fail told apart."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mypy_boto3_s3.client import S3Client

from cdc_archive.errors import (
    BucketMissing,
    CdcArchiveError,
    StateUnknown,
    StoreBusy,
    StoreDenied,
    StoreUnreachable,
    StoreUnsafe,
)
from cdc_archive.storage.object_store import Content
from cdc_archive.storage.s3 import S3Options, S3Store, client

SECRET = "s3cr3t-marker"


def test_archives_in_one_bucket_do_not_see_each_other(s3: S3Client, bucket: str) -> None:
    """The prefix is a wall."""
    one, other = S3Store(s3, bucket, "a"), S3Store(s3, bucket, "ab")
    one.create("k", b"1")
    other.create("k", b"2")
    assert [stat.key for stat in one.list("")] == ["k"]
    assert one.get("k") == b"1"


def test_objects_are_encrypted_as_asked(s3: S3Client, bucket: str) -> None:
    """SSE-S3 and SSE-KMS go with every object."""
    S3Store(s3, bucket, sse="AES256").create("a", b"")
    S3Store(s3, bucket, sse="aws:kms", kms_key_id="key-1").create("b", b"")
    assert s3.head_object(Bucket=bucket, Key="a")["ServerSideEncryption"] == "AES256"
    found = s3.head_object(Bucket=bucket, Key="b")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "key-1")


def test_a_missing_bucket_is_named(s3: S3Client) -> None:
    """By check, create and get."""
    store = S3Store(s3, "no-such-bucket")
    for call in (store.check, lambda: store.create("k", b""), lambda: store.get("k")):
        with pytest.raises(BucketMissing, match="no-such-bucket"):
            call()


Handle = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(scope="module")
def answering() -> Iterator[Callable[[Handle], S3Store]]:
    """A store whose server does what the test says."""

    class Handler(BaseHTTPRequestHandler):
        handle_it: Handle

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            type(self).handle_it(self)

        def do_GET(self) -> None:
            type(self).handle_it(self)

        do_HEAD = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    store = at(server.server_address[1])

    def say(handle: Handle) -> S3Store:
        Handler.handle_it = staticmethod(handle)
        return store

    yield say
    store.close()
    server.shutdown()
    server.server_close()
    thread.join()


def at(port: int) -> S3Store:
    options = S3Options(
        endpoint_url=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key_id="AKIA",
        secret_access_key=SECRET,
        path_style=True,
        read_timeout_s=0.3,
        connect_timeout_s=0.3,
    )
    return S3Store(client(options), "b")


def saying(status: int, code: str) -> Handle:
    def handle(request: BaseHTTPRequestHandler) -> None:
        body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    return handle


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


def stay_silent(request: BaseHTTPRequestHandler) -> None:
    threading.Event().wait(0.6)


def break_off(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"only this")


@pytest.mark.parametrize(
    ("handle", "on_create", "on_get"),
    [
        (saying(503, "SlowDown"), StoreBusy, StoreBusy),
        (saying(409, "ConditionalRequestConflict"), StoreBusy, StoreBusy),
        (saying(500, "InternalError"), StateUnknown, StoreBusy),
        (saying(502, "BadGateway"), StateUnknown, StoreBusy),
        (saying(403, "AccessDenied"), StoreDenied, StoreDenied),
        (saying(403, "InvalidAccessKeyId"), StoreDenied, StoreDenied),
        (saying(403, "SignatureDoesNotMatch"), StoreDenied, StoreDenied),
        (saying(400, "ExpiredToken"), StoreDenied, StoreDenied),
        (saying(404, "NoSuchBucket"), BucketMissing, BucketMissing),
        (saying(501, "NotImplemented"), StoreUnsafe, StoreBusy),
        (saying(400, "InvalidRequest"), StoreUnreachable, StoreUnreachable),
        (saying(400, "BadDigest"), StoreBusy, StoreBusy),
        (saying(400, "XAmzContentSHA256Mismatch"), StoreBusy, StoreBusy),
        (saying(403, "RequestTimeTooSkewed"), StoreBusy, StoreBusy),
        (hang_up, StateUnknown, StoreBusy),
        (stay_silent, StateUnknown, StoreBusy),
        (break_off, None, StoreBusy),
    ],
)
def test_every_failure_says_what_to_do(
    answering: Callable[[Handle], S3Store],
    handle: Handle,
    on_create: type[CdcArchiveError] | None,
    on_get: type[CdcArchiveError],
) -> None:
    """A lost answer to a create is unknown; a lost answer to a read can be asked for again."""
    store = answering(handle)
    if on_create is not None:
        with pytest.raises(on_create) as caught:
            store.create("k", b"data")
        assert "s3://b/k" in caught.value.what or "bucket b" in caught.value.what
        assert SECRET not in str(caught.value)
    with pytest.raises(on_get):
        store.get("k")


def test_a_clock_that_is_off_is_named_with_both_times(
    answering: Callable[[Handle], S3Store],
) -> None:
    """Not as wrong credentials; a start is told at once."""

    def yesterday(request: BaseHTTPRequestHandler) -> None:
        request.date_time_string = lambda timestamp=None: "Mon, 01 Jan 2001 00:00:00 GMT"
        saying(403, "RequestTimeTooSkewed")(request)

    store = answering(yesterday)
    with pytest.raises(StoreBusy, match=r"clock says .*, the store's Mon, 01 Jan 2001") as caught:
        store.create("k", b"")
    assert "NTP" in caught.value.action
    with pytest.raises(StoreUnreachable, match="clock says") as refused:
        store.check()
    assert "NTP" in refused.value.action


def test_an_object_that_is_garbled_on_the_way_is_not_another_one(
    answering: Callable[[Handle], S3Store],
) -> None:
    """The checksum that comes along is compared before anybody cries forgery."""
    sent = b"x" * 3_000_000

    def garbled(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(sent)))
        checksum = base64.b64encode(hashlib.sha256(sent).digest()).decode()
        request.send_header("x-amz-checksum-sha256", checksum)
        request.end_headers()
        request.wfile.write(b"y" + sent[1:])

    with pytest.raises(StoreBusy, match="Checksum"):
        answering(garbled).holds("k", sent)


@pytest.mark.parametrize("data", [b"some bytes", bytearray(b"more of them")])
def test_an_object_is_sent_in_one_request_that_waits_for_no_leave(
    answering: Callable[[Handle], S3Store], data: Content
) -> None:
    """With its checksum, on the condition that nothing stands there, and no `Expect`."""
    seen: list[Message] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers)
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    assert answering(note).create("k", data) is True
    (headers,) = seen
    checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert headers["If-None-Match"] == "*"
    assert headers["x-amz-checksum-sha256"] == checksum
    assert headers["x-amz-content-sha256"] == hashlib.sha256(data).hexdigest()
    assert headers["Content-Length"] == str(len(data))
    assert headers["Expect"] is None


def test_taken_is_an_answer_not_a_failure(answering: Callable[[Handle], S3Store]) -> None:
    """412: an object stands there. 409 says less: another create is under way, and may fail."""
    assert answering(saying(412, "PreconditionFailed")).create("k", b"") is False


def test_a_store_that_does_not_answer_is_unreachable_at_the_start() -> None:
    """While running it can be waited for."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        store = at(unused.getsockname()[1])
        with pytest.raises(StoreUnreachable):
            store.check()
        with pytest.raises(StoreBusy):
            store.create("k", b"")
        store.close()


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a stack trace out of boto3's chain."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    store = S3Store(client(S3Options(endpoint_url="http://127.0.0.1:9", region="x")), "b")
    with pytest.raises(StoreDenied, match="no credentials"):
        store.check()
    store.close()


def test_the_options_do_not_show_secrets() -> None:
    """Not even by accident, in a log line."""
    options = S3Options(access_key_id="AKIA", secret_access_key=SECRET, session_token=SECRET)
    assert SECRET not in repr(options)
    assert SECRET not in str(options)
