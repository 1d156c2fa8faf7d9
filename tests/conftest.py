"""What holds for all tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from cdc_archive.telemetry import masking

pytest.register_assert_rewrite("support")  # contracts in there tell what differs, as tests do

# A shared CI machine may pause for seconds: that is no failure of a property.
settings.register_profile("patient", deadline=None, print_blob=True)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process hides the secrets that it knows for as long as it lives."""
    monkeypatch.setattr(masking, "_known", set())


@pytest.fixture(autouse=True)
def _no_logging_of_another_test() -> Iterator[None]:
    """A command sets up its process's logs, and a test that runs one in-process would keep them."""
    level = logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.setLevel(level)
