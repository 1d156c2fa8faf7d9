"""A store with TLS, the policies of infra/iam, versions and Object Lock: enough for a worker."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.build import change
from support.captures import FOLDER
from support.independent import read_archive
from support.real_stack import RealStack, stop_gracefully, wait_until

from infra.local import guarded_s3
from infra.local.certificates import certificates

pytestmark = pytest.mark.e2e

POLICIES = Path(guarded_s3.__file__).parents[1] / "iam"
BUCKET, PREFIX = "my-archive", "production"
OF_TESTS = f"{PREFIX}/changes/of-tests/"
"""What tests put beside the archive, and delete."""
MESSAGES = 50


@dataclass
class Guarded:
    """The store, seen by its owner, by the worker and by a reader, each a boto3 client."""

    url: str
    ca: str
    owner: Any
    worker: Any
    reader: Any
    keys: dict[str, tuple[str, str]]

    def settings(self, who: str) -> dict[str, str]:
        access, secret = self.keys[who]
        return {
            "CDC_ARCHIVE_STORE__URL": f"s3://{BUCKET}/{PREFIX}",
            "CDC_ARCHIVE_STORE__ENDPOINT_URL": self.url,
            "CDC_ARCHIVE_STORE__CA_FILE": self.ca,
            "CDC_ARCHIVE_STORE__ACCESS_KEY_ID": access,
            "CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY": secret,
        }


@pytest.fixture(scope="module")
def guarded(stack: RealStack) -> Iterator[Guarded]:
    """A bucket with Object Lock (compliance, one day); two users with the policies as they are."""
    guarded_s3.start(stack.state)
    url = f"https://127.0.0.1:{stack.state.port('s3-tls')}"
    ca = str(certificates(stack.state) / "ca.pem")

    def s3(access: str, secret: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=url,
            verify=ca,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    iam = boto3.client(
        "iam",
        endpoint_url=f"http://127.0.0.1:{stack.state.port('iam')}",
        aws_access_key_id=guarded_s3.ROOT_KEY,
        aws_secret_access_key=guarded_s3.ROOT_SECRET,
        region_name="us-east-1",
    )
    owner = s3(guarded_s3.ROOT_KEY, guarded_s3.ROOT_SECRET)
    owner.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    owner.put_object_lock_configuration(
        Bucket=BUCKET,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
        },
    )
    keys, clients = {}, {}
    for name in ("worker", "reader"):
        policy = (POLICIES / f"{name}.json").read_text()
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = made["AccessKeyId"], made["SecretAccessKey"]
        clients[name] = s3(*keys[name])
    yield Guarded(url, ca, owner, clients["worker"], clients["reader"], keys)
    guarded_s3.stop(stack.state)


@pytest.fixture(scope="module")
def archive(stack: RealStack, guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What workers with the worker's policy made: killed once, then stopped."""
    topic, log = f"guarded-{secrets.token_hex(3)}", tmp_path_factory.mktemp("guarded") / "log"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
    producer = Producer({"bootstrap.servers": stack.kafka})
    settings = guarded.settings("worker") | {
        "CDC_ARCHIVE_KAFKA__TOPICS": topic,
        "CDC_ARCHIVE_KAFKA__GROUP_ID": topic,
        "CDC_ARCHIVE_KAFKA__SESSION_TIMEOUT_MS": "6000",
        "CDC_ARCHIVE_ARCHIVE__COMMIT_AGE_SECONDS": "0.3",
        "CDC_ARCHIVE_WORKER__POLL_SECONDS": "0.1",
    }

    def written() -> dict:
        return read_archive(guarded.owner, BUCKET, PREFIX)

    for turn in (1, 2):
        for number in range(MESSAGES):
            producer.produce(topic, change(after={"n": number}), partition=number % 2)
        assert producer.flush(20) == 0
        worker = stack.worker(log, **settings)
        try:
            wait_until(
                lambda n=turn: sum(map(len, written().values())) == n * MESSAGES, "the messages"
            )
        finally:
            if turn == 1:
                worker.kill()
                worker.wait()
            else:
                assert stop_gracefully(worker) == 0, log.read_text()
    return written()


def refused(call: Any, *codes: str, **arguments: Any) -> None:
    def answered() -> bool:
        # The server hangs up after it refused a PUT: that tells nothing of this request.
        with contextlib.suppress(SSLError):
            call(Bucket=BUCKET, **arguments)
            return True
        return False

    with pytest.raises(ClientError) as caught:
        wait_until(answered, "an answer")
    assert caught.value.response["Error"]["Code"] in (codes or ("AccessDenied",))


def test_the_worker_works_with_its_policy(archive: dict) -> None:
    """Every offset once, over TLS, on a bucket with Object Lock, through a kill -9."""
    for records in archive.values():
        assert [record["offset"] for record in records] == list(range(MESSAGES))
    assert len(archive) == 2


@pytest.mark.usefixtures("archive")
def test_no_key_has_a_second_version(guarded: Guarded) -> None:
    """Nothing was overwritten, nor deleted: on a bucket with versions it would show."""
    listed = guarded.owner.list_object_versions(Bucket=BUCKET, Prefix=f"{PREFIX}/")
    keys, marked = (
        [one["Key"] for one in listed.get(kind, ()) if not one["Key"].startswith(OF_TESTS)]
        for kind in ("Versions", "DeleteMarkers")
    )
    assert len(keys) == len(set(keys)) > 4
    assert marked == []


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("who", ["worker", "reader"])
def test_with_its_credentials_nothing_can_be_deleted_or_unguarded(
    guarded: Guarded, who: str
) -> None:
    """Neither an object, nor the bucket, nor its rules."""
    client, key = getattr(guarded, who), f"{PREFIX}/archive.json"
    refused(client.delete_object, Key=key)
    (denied,) = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key}]})["Errors"]
    assert denied["Code"] == "AccessDenied"
    refused(client.delete_bucket)
    refused(client.put_bucket_policy, Policy="{}")
    refused(client.put_bucket_versioning, VersioningConfiguration={"Status": "Suspended"})
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@pytest.mark.usefixtures("archive")
def test_the_worker_writes_what_is_its_own_only_and_the_reader_nothing(guarded: Guarded) -> None:
    """Not even with If-None-Match."""
    for key in ("elsewhere/k", f"{PREFIX}/checkpoints/k", f"{PREFIX}/k"):
        refused(guarded.worker.put_object, Key=key, Body=b"", IfNoneMatch="*")
    refused(guarded.reader.put_object, Key=f"{PREFIX}/k", Body=b"", IfNoneMatch="*")
    refused(guarded.worker.get_object, Key="elsewhere/k")


@pytest.mark.usefixtures("archive")
def test_the_reader_reads_with_our_commands_and_cannot_archive(
    stack: RealStack, guarded: Guarded
) -> None:
    """`ls` works; `import` is told that it is denied."""
    listed = stack.cli("ls", "--by", "partition", "--json", **guarded.settings("reader"))
    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) == 2
    denied = stack.cli("import", str(FOLDER / "pg_jp.jsonl.gz"), **guarded.settings("reader"))
    assert denied.returncode == 12, denied.stderr
    assert "s3:PutObject" in denied.stderr
    for _, secret in guarded.keys.values():
        assert secret not in denied.stderr + listed.stderr


@pytest.mark.usefixtures("archive")
def test_object_lock_keeps_what_the_owner_himself_deletes_or_overwrites(guarded: Guarded) -> None:
    """The first version can be had back; it cannot be removed before its time."""
    owner, key = guarded.owner, f"{OF_TESTS}spare"
    first = guarded.worker.put_object(Bucket=BUCKET, Key=key, Body=b"first", IfNoneMatch="*")
    refused(owner.delete_object, Key=key, VersionId=first["VersionId"])
    owner.put_object(Bucket=BUCKET, Key=key, Body=b"second")
    owner.delete_object(Bucket=BUCKET, Key=key)
    kept = owner.get_object(Bucket=BUCKET, Key=key, VersionId=first["VersionId"])
    assert kept["Body"].read() == b"first"


@pytest.mark.usefixtures("archive")
def test_under_a_delete_marker_this_server_lets_nothing_be_created(guarded: Guarded) -> None:
    """AWS says that it does; here the place stays taken, and the object is gone to readers."""
    key = f"{OF_TESTS}marked"
    guarded.worker.put_object(Bucket=BUCKET, Key=key, Body=b"1", IfNoneMatch="*")
    guarded.owner.delete_object(Bucket=BUCKET, Key=key)
    refused(guarded.worker.get_object, "NoSuchKey", Key=key)
    refused(guarded.worker.put_object, "PreconditionFailed", Key=key, Body=b"2", IfNoneMatch="*")


@pytest.mark.usefixtures("archive")
def test_this_server_does_not_know_the_condition_key_of_aws(guarded: Guarded) -> None:
    """So create-only-bucket.json is for AWS; here versions and Object Lock have to do."""
    policy = (POLICIES / "create-only-bucket.json").read_text()
    refused(guarded.owner.put_bucket_policy, "MalformedPolicy", Policy=policy)


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"CDC_ARCHIVE_STORE__CA_FILE": "other-ca.pem"}, 10, "store.ca_file"),
        ({"CDC_ARCHIVE_STORE__CA_FILE": None}, 10, "store.ca_file"),
        ({"CDC_ARCHIVE_STORE__CA_FILE": "ca.key"}, 3, "store.ca_file"),
        (
            {"CDC_ARCHIVE_STORE__ENDPOINT_URL": "http", "CDC_ARCHIVE_STORE__CA_FILE": None},
            10,
            "TLS",
        ),
        ({"CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY": "wr0ng-s3cret"}, 12, "store.secret_access_key"),
    ],
    ids=["wrong CA", "no CA", "no PEM", "no TLS", "wrong secret"],
)
def test_a_wrong_way_to_the_store_gives_one_message(
    stack: RealStack, guarded: Guarded, changed: dict[str, str | None], code: int, says: str
) -> None:
    """What is wrong and which setting, soon, without a traceback or a secret."""
    settings = guarded.settings("reader")
    for name, value in changed.items():
        if value is None:
            del settings[name]
        elif name.endswith("CA_FILE"):
            settings[name] = str(Path(guarded.ca).parent / value)
        elif value == "http":
            settings[name] = guarded.url.replace("https", "http")
        else:
            settings[name] = value
    begun = time.monotonic()
    done = stack.cli("--verbose", "ls", **settings)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr
    for secret in ("wr0ng-s3cret", guarded.keys["reader"][1]):
        assert secret not in done.stderr
    assert time.monotonic() - begun < 60
