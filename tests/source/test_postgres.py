"""A database that does not answer is told without the connection string."""

from __future__ import annotations

import pytest

from cdc_archive.errors import SourceDenied, SourceUnreachable
from cdc_archive.source import postgres

SECRET = "p4ssw0rd-of-nobody"


def test_a_server_that_is_away_is_told_by_its_address() -> None:
    """And not by its password."""
    with pytest.raises(SourceUnreachable) as caught:
        postgres.look(f"postgresql://u:{SECRET}@127.0.0.1:1/x", 2)
    assert "127.0.0.1" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_string_that_is_none_is_told_without_repeating_it() -> None:
    """libpq would repeat it."""
    with pytest.raises(SourceDenied, match=r"doctor\.postgres_dsn") as caught:
        postgres.look(f"nonsense {SECRET}", 2)
    assert SECRET not in str(caught.value)
