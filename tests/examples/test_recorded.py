"""What a real Debezium said of all acts on the example schema, replayed from an archive of it."""

from __future__ import annotations

import pytest
from support.captures import FOLDER
from support.platform_contract import PlatformContract, Recovered

from cdc_archive.cli import main


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Recovered:
    folder = tmp_path_factory.mktemp("platform")
    (folder / "archive").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CDC_ARCHIVE_STORE__URL", str(folder / "archive"))
        patched.delenv("CDC_ARCHIVE_CONFIG", raising=False)
        assert main.run(["import", str(FOLDER / "platform.jsonl.gz")]) == 0
        assert main.run(["replay", *Recovered.arguments(folder)]) == 0
    return Recovered.read(folder)


class TestRecorded(PlatformContract):
    """Without a server; tests/e2e/test_examples.py acts anew."""
