"""A real S3 server keeps the store's contract."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from support.real_stack import RealStack
from support.store_contract import StoreContract

from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.storage.s3 import S3Options, S3Store, client
from infra.local import parts

pytestmark = pytest.mark.e2e


class TestRealS3Store(StoreContract):
    """versitygw."""

    @pytest.fixture
    def store(self, stack: RealStack) -> Iterator[ObjectStore]:
        options = S3Options(
            endpoint_url=stack.environment["CDC_ARCHIVE_STORE__ENDPOINT_URL"],
            region="us-east-1",
            access_key_id=parts.ACCESS_KEY,
            secret_access_key=parts.SECRET_KEY,
            path_style=True,
        )
        made = client(options)
        yield S3Store(made, parts.BUCKET, f"contract/{secrets.token_hex(6)}")
        made.close()
