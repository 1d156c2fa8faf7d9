"""What is particular to a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cdc_archive.errors import BucketMissing, StoreBusy
from cdc_archive.storage.local import LocalStore


@pytest.mark.parametrize(
    "key", ["../x", "/etc/x", "a//b", "a/../../x", "", "a/", ".", "a\0b", ".tmp/x"]
)
def test_no_key_leaves_the_folder(tmp_path: Path, key: str) -> None:
    """It is refused before anything is touched."""
    with pytest.raises(ValueError, match="not an object key"):
        LocalStore(tmp_path).create(key, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    """A typing error must not start a second archive."""
    store = LocalStore(tmp_path / "typo")
    for call in (store.check, lambda: store.create("k", b""), lambda: store.stat("k")):
        with pytest.raises(BucketMissing, match="typo"):
            call()
    assert not (tmp_path / "typo").exists()


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    """The temporary file is gone, whether the create won or lost."""
    store = LocalStore(tmp_path)
    store.create("k", b"1")
    store.create("k", b"2")
    assert list((tmp_path / ".tmp").iterdir()) == []
    assert [stat.key for stat in store.list("")] == ["k"]


def test_a_full_disk_can_be_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason to lose anything; nothing is left behind."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    store = LocalStore(tmp_path)
    with pytest.raises(StoreBusy, match="No space left"):
        store.create("k", b"1")
    assert store.stat("k") is None
    assert list((tmp_path / ".tmp").iterdir()) == []
