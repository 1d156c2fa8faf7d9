"""The servers that published logs lie on, one of each for the room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer
from mypy_boto3_s3.client import S3Client
from support.audit_api import AuditApi, audit_api
from support.mock_broker import MockBroker, mock_broker

from cdc_archive.storage.s3 import S3Options, client


@pytest.fixture(scope="session")
def broker() -> Iterator[MockBroker]:
    with mock_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Client]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = client(S3Options(f"http://{host}:{port}", "us-east-1", "test", "test", path_style=True))
    yield made
    made.close()
    server.stop()


@pytest.fixture
def api() -> Iterator[AuditApi]:
    with audit_api() as api:
        yield api
