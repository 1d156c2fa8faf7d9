"""An S3 server in this process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer
from mypy_boto3_s3.client import S3Client

from cdc_archive.storage.s3 import S3Options, client


@pytest.fixture(scope="session")
def s3_options() -> Iterator[S3Options]:
    """How to reach moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Options(
        endpoint_url=f"http://{host}:{port}",
        region="us-east-1",
        access_key_id="test",
        secret_access_key="test",
        path_style=True,
        read_timeout_s=10,
    )
    server.stop()


@pytest.fixture(scope="session")
def s3(s3_options: S3Options) -> Iterator[S3Client]:
    """A client of that server; making one takes a second."""
    made = client(s3_options)
    yield made
    made.close()


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """A new, empty bucket."""
    name = f"b-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=name)
    return name
