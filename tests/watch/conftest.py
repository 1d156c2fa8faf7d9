from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.alarmed import OPEN
from support.listener import Listener, listener


@pytest.fixture
def heard() -> Iterator[Listener]:
    with listener() as one:
        yield one


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()
