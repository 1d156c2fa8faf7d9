"""Those who examine an archive after the torture find what was done to one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from support.build import message
from support.independent import Content, committed_to, fingerprint, read_archive, restored
from support.simulated_source import SimulatedSource
from support.torture import load
from support.torture.folder import FolderBucket
from support.torture.witness import Witness
from support.workshop import Workshop

from cdc_archive.source.message import Message
from cdc_archive.storage.local import LocalStore
from cdc_archive.worker.limits import Limits

PLACE = ("pg.app.t", 0)


@pytest.fixture
def sent() -> list[Message]:
    """What the tortures produce: changes of two tables, tombstones, rubbish, headers."""
    rng = random.Random(5)
    made = [load.message(rng, number) for number in range(2000)]
    return [
        message(value, offset=offset, key=key, headers=headers)
        for offset, (key, headers, value) in enumerate(made)
    ]


@pytest.fixture
def root(tmp_path: Path, sent: list[Message]) -> Path:
    """A folder with an archive of them in `a`."""
    (tmp_path / "a").mkdir()
    store = LocalStore(tmp_path / "a")
    Workshop(SimulatedSource(sent, batch=200), store, Limits(commit_records=200)).run()
    return tmp_path


def found(root: Path) -> list[Content]:
    return [restored(one) for one in read_archive(FolderBucket(root), "", "a")[PLACE]]


def test_what_was_archived_is_what_was_sent(root: Path, sent: list[Message]) -> None:
    """Offset, key, headers and value of each message, quarantined ones too."""
    assert {one.value for one in sent} >= {None}
    assert list(root.glob("a/quarantine/*"))
    expected = [(one.offset, one.key, one.headers, one.value) for one in sent]
    assert found(root) == expected
    assert fingerprint(found(root)) == fingerprint(expected)
    assert committed_to(FolderBucket(root), "", "a") == {PLACE: 2000}


@pytest.mark.parametrize(
    "change",
    [
        lambda one: (one[0] + 1, *one[1:]),
        lambda one: (one[0], None, *one[2:]),
        lambda one: (*one[:2], (*one[2], ("n", None)), one[3]),
        lambda one: (*one[:3], one[3] + b" "),
    ],
    ids=["offset", "key", "headers", "value"],
)
def test_any_difference_gives_another_fingerprint(
    root: Path, change: Callable[[Content], Content]
) -> None:
    """So does one message less."""
    whole = found(root)
    assert fingerprint([change(whole[0]), *whole[1:]]) != fingerprint(whole)
    assert fingerprint(whole[1:]) != fingerprint(whole)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)


def _forget_a_file(path: Path) -> None:
    commit = json.loads(path.read_bytes())
    del commit["files"][0]
    path.write_text(json.dumps(commit))


@pytest.mark.parametrize(
    ("where", "harm"),
    [
        ("changes/**/*.avro", _flip),
        ("quarantine/**/*.avro", _flip),
        ("commits/**/*2.json", _forget_a_file),
        ("commits/**/*2.json", Path.unlink),
    ],
    ids=["a change altered", "a quarantined message altered", "a file left out", "a commit gone"],
)
def test_the_reader_refuses_a_damaged_archive(
    root: Path, where: str, harm: Callable[[Path], None]
) -> None:
    """Hashes, the chain and the account of offsets are all compared."""
    harm(next((root / "a").glob(where)))
    with pytest.raises(AssertionError):
        read_archive(FolderBucket(root), "", "a")


@pytest.mark.parametrize(
    "harm",
    [Path.unlink, lambda path: path.write_bytes(path.read_bytes()), _flip],
    ids=["removed", "overwritten with the same", "overwritten with other bytes"],
)
def test_the_witness_sees_that_an_object_is_not_what_it_was(
    root: Path, harm: Callable[[Path], None]
) -> None:
    """Create only: no object changes once it is there."""
    witness = Witness(FolderBucket(root), "", "a")
    witness._look()
    harm(next((root / "a").glob("commits/**/*.json")))
    with pytest.raises(AssertionError, match="commits/"):
        witness.stop()
