"""The ten holes of `aws cloudtrail validate-logs` that docs/verify.md goes through: a test each."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from support.sealed import BEGUN, HOUR, Keeper
from support.tamper_world import T, edited, put, rehashed, rewritten_by_the_key_holder, world

from cdc_archive.archive.writer.signing_keys import signed_digest
from cdc_archive.cli import main
from cdc_archive.integrity.verify import Asked, Verification
from cdc_archive.signing import public_key
from cdc_archive.signing.signer import ECDSA_P256
from cdc_archive.storage.memory import MemoryStore


class Said(NamedTuple):
    """Exit code, kind and key of each finding (but for the gap), and all on stderr."""

    code: int
    found: list[tuple[str, str]]
    told: str


@pytest.fixture
def verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """`cdc-archive verify` of a folder that holds an archive's objects."""
    monkeypatch.chdir(tmp_path)
    for name, signer in (("old.pem", world().old), ("new.pem", world().new)):
        (tmp_path / name).write_text(public_key.pem(signer.public_key))

    def run(store: MemoryStore, *options: str) -> Said:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for stat in store.list(""):
            path = folder / stat.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.get(stat.key))
        capsys.readouterr()
        code = main.run(["verify", "--offline", str(folder), "--allow-gaps", "--json", *options])
        out = capsys.readouterr()
        rows = [json.loads(line) for line in out.out.splitlines()]
        found = [(row["kind"], row["key"]) for row in rows if "key" in row]
        return Said(code, [one for one in found if one[0] != "gap"], out.err)

    return run


Verify = Callable[..., Said]
NEWEST = "digests/2026/02/19/20.json"


def cut(store: MemoryStore) -> MemoryStore:
    """The newest digest is gone, and all commits and files since the one before it."""
    later = ("/hour=20/", "/hour=21/", NEWEST, "t/0/000000000005", "t/0/000000000006")
    later = (*later, "t/0/000000000007", "user/0/000000000004")
    for key in [key for key in store._objects if any(part in key for part in later)]:
        del store._objects[key]
    return store


def test_1_a_tail_that_was_cut_off_fails_against_an_anchor(verify: Verify) -> None:
    """Digests and what they told of, cut together: only what is kept elsewhere can tell."""
    assert verify(world().store(), "--write-anchor", "anchor.json").code == 0
    alone = verify(cut(world().store()))
    assert (alone.code, alone.found) == (0, [])
    assert "not proven: that nothing was cut off at the end" in alone.told
    against = verify(cut(world().store()), "--anchor", "anchor.json")
    assert against.code == 15
    assert {kind for kind, _ in against.found} == {"cut"}
    assert ("cut", NEWEST) in against.found
    line = json.loads(Path("anchor.json").read_text())["digest"]
    short = verify(cut(world().store()), "--anchor", f"{line['sequence']}:{line['sha256']}")
    assert (short.code, short.found) == (15, [("cut", "digests/")])


def test_2_a_gap_is_a_failure_and_a_restart_needs_a_record(verify: Verify) -> None:
    """A line of digests that begins anew in the middle is no honest restart."""
    store = world().store()
    del store._objects["digests/2026/02/19/18.json"]
    assert verify(store).found == [("missing", "digests/2026/02/19/18.json")]
    store = world().store()
    data = store.get(NEWEST)
    unsigned = data[: data.rfind(b',"signature":')] + b"}"
    anew = edited(unsigned, sequence=0, previous=None)
    put(store, NEWEST, signed_digest(world().new, anew))
    said = verify(store)
    assert said.code == 15
    assert NEWEST in {key for _, key in said.found}


def test_3_objects_that_nothing_names_are_told(verify: Verify) -> None:
    store = world().store()
    store.create("changes/table=lab.app.t/date=2026-02-19/hour=16/mine.avro", b"x")
    said = verify(store)
    assert (said.code, [kind for kind, _ in said.found]) == (15, ["extra"])


def test_4_windows_follow_each_other_without_a_hole(verify: Verify) -> None:
    store = world().store()
    data = store.get(NEWEST)
    unsigned = data[: data.rfind(b',"signature":')] + b"}"
    later = edited(unsigned, start="2026-02-19T20:10:00+00:00")
    put(store, NEWEST, signed_digest(world().new, later))
    assert verify(store).found == [("broken", NEWEST)]


def test_5_the_link_itself_is_compared(verify: Verify) -> None:
    """A digest that the holder of its key signed anew is not the one that the next one names."""
    store, key = world().store(), "digests/2026/02/19/17.json"
    data = store.get(key)
    unsigned = data[: data.rfind(b',"signature":')] + b"}"
    put(store, key, signed_digest(world().old, edited(unsigned, sealed_at="2026-02-19T19:00:00Z")))
    assert verify(store).found == [("altered", key)]


def test_6_contents_are_checked_against_what_is_said_of_them(verify: Verify) -> None:
    """Hashes that all agree do not help a commit that tells of other counts than its files have."""
    store, key = world().store(), f"commits/{T.topic}/0/000000000006.json"
    commit = json.loads(store.get(key))
    commit["files"][0]["counts"] = {"u": 1}
    put(store, key, edited(b"{}", **commit))
    rehashed(store, T, 6)
    (found,) = verify(store).found
    assert found == ("broken", commit["files"][0]["key"])


def test_7_a_copy_is_checked_without_a_network_or_settings(
    verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.delenv("CDC_ARCHIVE_STORE__URL", raising=False)
    said = verify(world().store(), "--public-key", "old.pem")
    assert (said.code, said.found) == (0, [])


def test_8_who_stores_and_signs_is_held_by_what_is_kept_elsewhere(verify: Verify) -> None:
    """The keys are the customer's; and one who has them, too, is found by the anchor."""
    verify(world().store(), "--write-anchor", "anchor.json")
    store = world().store()
    rewritten_by_the_key_holder(store)
    assert verify(store, "--public-key", "old.pem").code == 0
    said = verify(store, "--public-key", "old.pem", "--anchor", "anchor.json")
    assert said.code == 15
    assert {kind for kind, _ in said.found} == {"altered"}


class P256:
    """A key as AWS KMS has them, in this process."""

    algorithm = ECDSA_P256

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_key = public_key.der(self._key.public_key())

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(text, ec.ECDSA(hashes.SHA256()))


def test_9_keys_are_of_two_kinds_and_hand_over_with_a_record(verify: Verify) -> None:
    """Ed25519 and P-256; who trusts the first key trusts the one that it named."""
    for name in ("old.pem", "new.pem"):
        assert verify(world().store(), "--public-key", name).code == 0
    signer = P256()
    keeper = Keeper(MemoryStore(), signer)
    keeper.commit()
    keeper.now = BEGUN + 3 * HOUR
    assert len([*keeper.sealer().due()]) == 2
    asked = Asked(trusted=[signer.public_key])
    assert [*Verification(keeper.store, asked).run()] == []
    Path("other.pem").write_text(public_key.pem(P256().public_key))
    assert verify(keeper.store, "--public-key", "other.pem").code == 15


def test_10_nothing_found_is_a_failure(verify: Verify) -> None:
    """No archive, no commit, none of the window, no digest where a key is given."""
    assert verify(MemoryStore()).code == 14
    assert verify(Keeper(MemoryStore()).store).code == 17
    assert verify(world().store(), "--from", "2020-01-01", "--to", "2020-01-02").code == 17
    keeper = Keeper(MemoryStore())
    keeper.commit()
    said = verify(keeper.store)
    assert said.code == 0
    assert "nothing is sealed by a digest" in said.told
    assert verify(keeper.store, "--public-key", "old.pem").found == [("unsigned", "digests/")]
