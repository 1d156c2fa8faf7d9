"""An evidence bundle: what proves a window of an archive, in one file that stands by itself.

It can be checked without us, without a network and without the archive: by the page in it, or by
hand with sha256sum and openssl as VERIFY.txt tells.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple

from cdc_archive.archive.format import archive_info, layout
from cdc_archive.archive.format import commit as commits
from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format.commit import Commit, FileEntry
from cdc_archive.archive.format.commit import digest as sha256
from cdc_archive.archive.format.digest import files_of, moment
from cdc_archive.archive.format.key_record import MAX_BYTES as MAX_RECORD_BYTES
from cdc_archive.archive.format.key_record import key_id
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.errors import ConfigInvalid, NothingFound, ObjectMissing, ObjectTooLarge
from cdc_archive.integrity.findings import Finding
from cdc_archive.integrity.looks import Looks
from cdc_archive.integrity.sealed_hours import Hour
from cdc_archive.integrity.verify import Verification
from cdc_archive.signing import public_key
from cdc_archive.signing.signer import Signer
from cdc_archive.storage.object_store import ObjectStore

FORMAT: Final = 1
KIND: Final = "cdc-archive evidence"
SIGNED: Final = b"cdc-archive evidence 1\n"
"""First line of what the manifest's signature is over; the hex sha256 of its bytes follows."""
PAGE: Final = Path(__file__).with_name("verifier.html")
BY_HAND: Final = Path(__file__).with_name("VERIFY.txt")
_ROOT: Final = "archive/"
_MADE: Final = (1980, 1, 1, 0, 0, 0)


class Wanted(NamedTuple):
    """What goes into a bundle: commits and their digests always, data files if asked for.

    `table` (wildcards) leaves out commits that hold no change of it.
    """

    window: Window = Window()
    table: str | None = None
    data: bool = False

    def holds(self, commit: Commit) -> bool:
        """Whether a commit belongs into the bundle."""
        return any(True for _ in self.files(commit)) or (self.table is None and self._made(commit))

    def files(self, commit: Commit) -> Iterator[FileEntry]:
        """The files of a commit that belong to it."""
        made = self._made(commit)
        for _, file in files_of(commit):
            is_named = self.table is None or fnmatchcase(file.table or "", self.table)
            if is_named and (made or self.window.may_hold(file)):
                yield file

    def _made(self, commit: Commit) -> bool:
        try:
            return self.window.holds(microseconds(moment(commit.committed_at)))
        except ValueError:
            return True


class Extra(NamedTuple):
    """Another file for the bundle: its name there, and its bytes."""

    name: str
    data: bytes


class Bundle:
    """Writes one bundle.

    Args:
        path: the ZIP file, which must not exist.
        signer: signs the manifest; None: it is not signed.

    Raises:
        ConfigInvalid: the file exists, or cannot be made.
    """

    def __init__(self, path: Path, signer: Signer | None) -> None:
        self._signer = signer
        self._objects: list[dict[str, Any]] = []
        try:
            self._zip = zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED)
        except OSError as error:
            raise ConfigInvalid(
                f"the bundle {path} cannot be made: {error.strerror}", "Name a new file."
            ) from None

    def close(self) -> None:
        """Finish the file."""
        self._zip.close()

    def add(self, name: str, data: bytes) -> None:
        """One file, named by the manifest."""
        self._objects.append({"name": name, "size": len(data), "sha256": sha256(data)})
        self._put(name, data)

    def seal(self, told: dict[str, Any]) -> None:
        """The manifest over all that was added, and its signature."""
        signer = self._signer
        by = None
        if signer is not None:
            by = {"key": key_id(signer.public_key), "algorithm": signer.algorithm}
        head = {"kind": KIND, "format": FORMAT}
        manifest = json.dumps(
            head | told | {"signed_by": by, "objects": self._objects}, separators=(",", ":")
        ).encode()
        self._put("manifest.json", manifest)
        sums = [f"{one['sha256']}  {one['name']}\n" for one in self._objects]
        self._put("SHA256SUMS", "".join(sums).encode())
        if signer is not None:
            self._put("manifest.sig", signer.sign(signed_text(manifest)))

    def _put(self, name: str, data: bytes) -> None:
        entry = zipfile.ZipInfo(name, _MADE)
        packed = name.endswith(".avro")  # its blocks are compressed
        entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        self._zip.writestr(entry, data)


def signed_text(manifest: bytes) -> bytes:
    """What the signature of a manifest is over."""
    return SIGNED + sha256(manifest).encode() + b"\n"


class Export:
    """Chooses what proves a window, and adds it to a bundle.

    Args:
        store: where the archive lies.
        verification: a look at it that was taken.
        wanted: what is asked for.
    """

    def __init__(self, store: ObjectStore, verification: Verification, wanted: Wanted) -> None:
        self._store = store
        self._verification = verification
        self._looks = Looks(store, verification.archive)
        self._wanted = wanted

    def write(
        self,
        bundle: Bundle,
        findings: Iterable[Finding],
        result: dict[str, Any],
        extras: Iterable[Extra],
        made_at: datetime,
    ) -> int:
        """All of it; how many commits are in it.

        Raises:
            NothingFound: no commit is asked for.
        """
        chosen = {key: sha256(data) for key, data in self._commits(bundle)}
        if not chosen:
            raise NothingFound("no commit of this is archived: there is nothing to show")
        self._others(bundle, {*chosen.values()})
        for extra in extras:
            bundle.add(extra.name, extra.data)
        bundle.add("verifier.html", PAGE.read_bytes())
        bundle.add("VERIFY.txt", BY_HAND.read_bytes())
        bundle.seal(
            {
                "archive": self._verification.archive,
                "made_at": made_at.isoformat(timespec="seconds"),
                "window_us": list(self._wanted.window),
                "table": self._wanted.table,
                "result": result,
                "findings": [finding._asdict() for finding in findings],
            }
        )
        return len(chosen)

    def _commits(self, bundle: Bundle) -> Iterator[tuple[str, bytes]]:
        """The commits, each with its data files if these are asked for."""
        added: set[str] = set()
        for stat in self._store.list(layout.COMMITS):
            if layout.sequence_of(stat.key) is None:
                continue
            look = self._looks.commit(stat.key)
            if look.value is None or not self._wanted.holds(look.value):
                continue
            bundle.add(_ROOT + stat.key, look.data)
            for file in self._wanted.files(look.value) if self._wanted.data else ():
                if file.key not in added and (data := self._bytes(file.key, file.size)) is not None:
                    added.add(file.key)
                    bundle.add(_ROOT + file.key, data)
            yield stat.key, look.data

    def _others(self, bundle: Bundle, chosen: set[str]) -> None:
        """Digests that hold the commits, from the first to the last; keys; the description."""
        for hour in self._hours(chosen):
            data = self._bytes(hour.key, digests.MAX_BYTES)
            if data is not None:
                bundle.add(_ROOT + hour.key, data)
        for stat in self._store.list(layout.KEYS):
            data = self._bytes(stat.key, MAX_RECORD_BYTES)
            record = self._looks.key_record(stat.key).value
            if layout.key_id_of(stat.key) is not None and data is not None:
                bundle.add(_ROOT + stat.key, data)
                if record is not None:
                    pem = public_key.pem(bytes.fromhex(record.public_key))
                    bundle.add(f"public-keys/{record.key}.pem", pem.encode())
        data = self._bytes(layout.ARCHIVE_KEY, archive_info.MAX_BYTES)
        if data is not None:
            bundle.add(_ROOT + layout.ARCHIVE_KEY, data)

    def _hours(self, chosen: set[str]) -> list[Hour]:
        """The digests that hold these commits and those between; unsigned ones up to the newest,
        for only the newest hash, known from elsewhere, vouches for them.
        """
        standing = self._verification.standing
        hours = [] if standing is None else standing.sound
        holding = [n for n, hour in enumerate(hours) if chosen & {*self._held(hour)}]
        if not holding:
            return []
        signed = all(hour.signature is not None for hour in hours[holding[0] : holding[-1] + 1])
        return hours[holding[0] : holding[-1] + 1 if signed else len(hours)]

    def _held(self, hour: Hour) -> Iterator[str]:
        start = self._wanted.window.start_us
        if start is not None and (microseconds(hour.sealed_at) or 0) < start:
            return  # sealed before the window: only by a clock that is wrong
        digest = self._looks.digest(hour.key).value if hour.commits else None
        for chain in () if digest is None else digest.chains:
            yield from (one.sha256 for one in chain.commits)

    def _bytes(self, key: str, limit: int) -> bytes | None:
        """An object as it stands; None: it is not there, or too large to be it."""
        try:
            return self._store.get(key, max(limit, commits.MAX_BYTES))
        except (ObjectMissing, ObjectTooLarge):
            return None
