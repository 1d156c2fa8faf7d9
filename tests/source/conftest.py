"""One mock broker for the room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.mock_broker import MockBroker, mock_broker


@pytest.fixture(scope="session")
def broker() -> Iterator[MockBroker]:
    with mock_broker() as broker:
        yield broker
