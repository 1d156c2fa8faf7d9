"""A real S3 server keeps the store's contract."""

from __future__ import annotations

import secrets

import pytest
from support.real_stack import RealStack
from support.store_contract import StoreContract

from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.storage.s3 import S3Options, S3Store, client
from infra.local import parts

pytestmark = pytest.mark.e2e


class TestRealS3Store(StoreContract):
    """versitygw."""

    @pytest.fixture(scope="class")
    def s3(self, stack: RealStack):  # noqa: ANN201
        options = S3Options(
            endpoint_url=stack.environment["CDC_ARCHIVE_STORE__ENDPOINT_URL"],
            region="us-east-1",
            access_key_id=parts.ACCESS_KEY,
            secret_access_key=parts.SECRET_KEY,
            path_style=True,
        )
        made = client(options)
        yield made
        made.close()

    @pytest.fixture
    def store(self, s3) -> ObjectStore:  # noqa: ANN001
        return S3Store(s3, parts.BUCKET, f"contract/{secrets.token_hex(6)}")
