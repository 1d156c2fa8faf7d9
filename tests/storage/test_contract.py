"""The stores keep the contract."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from mypy_boto3_s3.client import S3Client
from support.faulty_store import FaultyStore
from support.store_contract import StoreContract

from cdc_archive.storage.local import LocalStore
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.storage.retry import Patience, RetryingStore
from cdc_archive.storage.s3 import S3Store


class TestMemoryStore(StoreContract):
    """In memory."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()


class TestLocalStore(StoreContract):
    """In a folder."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return LocalStore(tmp_path)


class TestS3Store(StoreContract):
    """In a bucket of moto's server, below a prefix."""

    @pytest.fixture
    def store(self, s3: S3Client, bucket: str) -> ObjectStore:
        return S3Store(s3, bucket, "some/prefix")


class TestRetryingStore(StoreContract):
    """With patience, over a store that fails every third time."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        patience = Patience(sleep=lambda _: None, uniform=lambda low, high: high)
        return RetryingStore(FaultyStore(MemoryStore(), random.Random(7), rate=0.3), patience)
