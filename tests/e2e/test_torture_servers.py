"""Servers that fall and come back; networks that delay, cut, lose and garble."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.real_stack import RealStack
from support.torture.corrupting_proxy import CorruptingProxy
from support.torture.lane import CLIENTS, STATIC, Lane, go_on, lanes
from support.torture.toxics import Proxy

from infra.local import parts
from infra.local.processes import StateFolder

pytestmark = pytest.mark.e2e

ENDPOINT = "CDC_ARCHIVE_STORE__ENDPOINT_URL"
BROKER = "CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS"
READ_TIMEOUT = "CDC_ARCHIVE_STORE__READ_TIMEOUT_SECONDS"

TOXICS = [
    # kind, stream, probability that a connection is hit, how
    ("latency", "downstream", 1.0, {"latency": 300, "jitter": 250}),
    ("limit_data", "upstream", 0.5, {"bytes": 5_000}),
    ("limit_data", "downstream", 0.5, {"bytes": 500}),
    ("reset_peer", "upstream", 0.5, {"timeout": 20}),
    ("reset_peer", "downstream", 0.5, {"timeout": 20}),
    ("timeout", "upstream", 0.5, {"timeout": 300}),
    ("timeout", "downstream", 0.5, {"timeout": 0}),  # requests arrive, answers do not
    ("bandwidth", "upstream", 1.0, {"rate": 30}),
]


def _kill(state: StateFolder, name: str) -> None:
    state.kill(name)


def _stop(state: StateFolder, name: str) -> None:
    state.stop(name)


def _restarts(stack: RealStack, name: str, down_s: float, both: tuple[Lane, ...]) -> None:
    lives = [lane.start() for lane in both]
    for fell in (_kill, _stop):
        go_on(*both)
        fell(stack.state, name)
        time.sleep(down_s)
        parts.PARTS[name](stack.state)
    go_on(*both)
    for life in lives:
        assert life.process.poll() is None, life.log()[-3000:]


def test_the_broker_falls_and_comes_back(stack: RealStack, tmp_path: Path) -> None:
    """KILL and TERM under load: the worker that ran before goes on by itself."""
    with lanes(*(Lane(stack, tmp_path, client) for client in CLIENTS)) as both:
        _restarts(stack, "kafka", 1.0, both)


def test_the_store_falls_and_comes_back(stack: RealStack, tmp_path: Path) -> None:
    """KILL and TERM under load: the worker that ran before goes on by itself."""
    with lanes(*(Lane(stack, tmp_path, client) for client in CLIENTS)) as both:
        _restarts(stack, "s3", 3.0, both)


@pytest.fixture
def proxy(stack: RealStack) -> Iterator[Callable[[str, int, int], Proxy]]:
    with ExitStack() as made:

        def between(name: str, listen: int, upstream: int) -> Proxy:
            proxy = Proxy(stack.state, name, listen, upstream)
            made.callback(proxy.close)
            return proxy

        yield between
    stack.state.stop("toxiproxy")


def test_a_network_that_delays_and_cuts(
    stack: RealStack, tmp_path: Path, proxy: Callable[[str, int, int], Proxy]
) -> None:
    """Towards the store and towards the broker, one toxic after the other, under load."""
    port = stack.state.port
    to_s3 = proxy("s3", port("s3-proxy"), port("s3"))
    to_kafka = proxy("kafka", port("kafka-proxy"), port("kafka-proxied"))
    by_s3 = {ENDPOINT: f"http://127.0.0.1:{to_s3.port}", READ_TIMEOUT: "1"}
    by_kafka = {BROKER: f"127.0.0.1:{to_kafka.port}"}
    wanted = [
        Lane(stack, tmp_path, client, **via) for client in CLIENTS for via in (by_s3, by_kafka)
    ]
    with lanes(*wanted) as four:
        lives = [lane.start() for lane in four]
        go_on(*four)
        for kind, stream, toxicity, how in TOXICS:
            with (
                to_s3.toxic(kind, stream, toxicity, **how),
                to_kafka.toxic(kind, stream, toxicity, **how),
            ):
                time.sleep(2)
        go_on(*four)
        for life in lives:
            assert life.process.poll() is None, life.log()[-3000:]
        assert "trying again" in lives[0].log()


def test_lost_answers_and_flipped_bits(stack: RealStack, tmp_path: Path) -> None:
    """A PUT that happened is not done twice; garbled bytes are neither stored nor believed."""
    bad = CorruptingProxy(stack.state.port("s3"), seed=9, flip=0.15, lose=0.15)
    via = STATIC | {ENDPOINT: f"http://127.0.0.1:{bad.port}", READ_TIMEOUT: "2"}
    with lanes(*(Lane(stack, tmp_path, client, **via) for client in CLIENTS)) as both:
        for _ in range(3):
            lives = [lane.start_again_and_again() for lane in both]
            go_on(*both, more=1500)
            for life in lives:
                life.kill()
        for lane in both:
            lane.start_again_and_again()
    bad.close()
    print(f"{bad.hit_puts} PUTs and {bad.hit_gets} GETs garbled, {bad.lost_puts} answers lost")
    assert min(bad.hit_puts, bad.hit_gets, bad.lost_puts) >= 10
