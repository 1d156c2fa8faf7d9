"""A mapping is tried on rows from strangers: shown and counted, never fatal."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.cli import main, wiring
from cdc_archive.storage.memory import MemoryStore
from hostile.test_names import MAPPING
from hostile.test_values import ODD, everywhere

RULES = """
[[actor.source]]
message = ["*"]
[[actor.source]]
header = ["h"]
[[rule]]
type = "any.change"
tables = ["*"]
on = "update"
changed = ["v"]
group = "transaction"
item = "{row: row, before: before, difference: minus(row.v, before.v)}"
payload = "{all: items}"
"""


@pytest.mark.parametrize("name", ODD)
def test_odd_json_is_checked_and_explained(
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Nothing that drives a terminal, no bug's message."""
    sent = [one._replace(offset=at) for at, one in enumerate(everywhere(ODD[name]))]
    store = MemoryStore()
    Workshop(SimulatedSource(sent), store).run()
    monkeypatch.setattr(wiring, "open_reader", lambda _: ArchiveReader(store))
    monkeypatch.setenv("CDC_ARCHIVE_STORE__URL", "/nowhere")
    (tmp_path / "m.toml").write_text(MAPPING + RULES)
    file = str(tmp_path / "m.toml")
    assert main.run(["mapping", "check", file, "--json"]) in (0, 21)
    for offset, form in ((1, []), (4, ["--json"]), (20, [])):
        place = ["--mapping", file, "--offset", f"pg.app.t:0:{offset}"]
        assert main.run(["mapping", "explain", *place, *form]) in (0, 17)
    out, err = capsys.readouterr()
    assert "This is a bug" not in err
    assert not {"\x1b", "\x9b", "\u202e", "\0"} & set(out + err)
