"""What holds for all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

from cdc_archive.telemetry import masking

# A shared CI machine may pause for seconds: that is no failure of a property.
settings.register_profile("patient", deadline=None, print_blob=True)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process hides the secrets that it knows for as long as it lives."""
    monkeypatch.setattr(masking, "_known", set())
