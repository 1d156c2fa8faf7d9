"""One real stack for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.real_stack import RealStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStack]:
    running = RealStack.start(tmp_path_factory.mktemp("stack"))
    yield running
    running.stop()
