"""One real stack for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import platform_stack
from support.real_stack import RealStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStack]:
    running = RealStack.start(tmp_path_factory.mktemp("stack"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def platform(stack: RealStack, tmp_path_factory: pytest.TempPathFactory) -> RealStack:
    """The stack, after the three applications of the example schema acted and all is archived."""
    platform_stack.archive(stack, tmp_path_factory.mktemp("platform") / "worker.log")
    return stack
