"""The example schema on the real stack: three applications act, and each act comes back."""

from __future__ import annotations

import pytest
from support.platform_contract import PlatformContract, Recovered
from support.platform_stack import SETTINGS
from support.real_stack import RealStack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def recovered(platform: RealStack, tmp_path_factory: pytest.TempPathFactory) -> Recovered:
    folder = tmp_path_factory.mktemp("platform")
    done = platform.cli("replay", *Recovered.arguments(folder), **SETTINGS)
    assert done.returncode == 0, done.stderr
    return Recovered.read(folder)


class TestExamples(PlatformContract):
    """What the applications did, after Debezium, the worker and replay."""
