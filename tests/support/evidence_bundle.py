"""An evidence bundle of the archive of support/tamper_world.py."""

from __future__ import annotations

import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from cdc_archive.integrity import verdict as verdicts
from cdc_archive.integrity.evidence import Bundle, Export, Wanted
from cdc_archive.integrity.verdict import Tally
from cdc_archive.integrity.verify import Asked, Verification
from cdc_archive.signing.signer import Signer
from cdc_archive.storage.memory import MemoryStore
from support.tamper_world import world

EVERYTHING = Wanted(data=True)


def bundle(
    path: Path,
    wanted: Wanted = EVERYTHING,
    signer: Signer | None = None,
    store: MemoryStore | None = None,
) -> dict[str, bytes]:
    """The files in it, by name; signed by the key that is in use, if no other is given."""
    made = world()
    store = store or made.store()
    now = datetime.fromtimestamp(made.now, UTC)
    verification = Verification(store, Asked(wanted.window, now=now))
    found, tally = [*verification.run()], Tally()
    for finding in found:
        tally.take(finding)
    told = verdicts.as_json(verification, tally.verdict(verification))
    with closing(Bundle(path, signer or made.new)) as out:
        Export(store, verification, wanted).write(out, found, told, [], now)
    with zipfile.ZipFile(path) as written:
        return {name: written.read(name) for name in written.namelist()}
