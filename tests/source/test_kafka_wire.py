"""What kafka-python receives is whole, in whatever pieces it comes."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import KafkaConnectionError
from kafka.net import manager
from kafka.protocol import parser
from kafka.protocol.consumer import FetchRequest, FetchResponse
from support.record_batches import Record, batch

from cdc_archive.source import kafka_wire

kafka_wire.receive_in_pieces()
SENT = bytes(range(256)) * 20_000


def _encrypted(server_side: bool) -> ssl.SSLContext:
    """TLS between two that trust each other without certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _connected(tls: bool) -> Iterator[tuple[Any, socket.socket]]:
    """A transport of kafka-python as its manager makes it, and the broker's end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        if not tls:
            ours.setblocking(False)
            yield manager.KafkaTCPTransport(None, ours), theirs
            return
        transport = manager.KafkaSSLTransport(None, ours, ssl_context=_encrypted(False))
        shaking = threading.Thread(target=transport._sock.do_handshake)
        shaking.start()
        with transport._sock, _encrypted(True).wrap_socket(theirs, server_side=True) as theirs:
            shaking.join()
            transport._sock.setblocking(False)
            yield transport, theirs


def _received(transport: Any, size: int) -> bytes:
    """As its loop does it: wait until the socket can be read, take, and wait again."""
    found = b""
    while len(found) < size:
        assert select.select([transport._sock], [], [], 10)[0], f"nothing after {len(found)} bytes"
        data, error = transport._sock_recv()
        assert error is None
        found += data
    return found


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("piece", [997, 16_384, 1_000_000])
def test_all_that_is_sent_is_received(tls: bool, piece: int) -> None:
    """Whatever is sent at a time."""
    with _connected(tls) as (transport, broker):

        def send() -> None:
            for start in range(0, len(SENT), piece):
                broker.sendall(SENT[start : start + piece])

        sending = threading.Thread(target=send)
        sending.start()
        assert _received(transport, len(SENT)) == SENT
        sending.join()
        assert transport._sock_recv() == (b"", None)


def test_nothing_stays_behind_in_the_tls_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that was taken in part would wait there, and the socket have nothing to tell."""
    monkeypatch.setattr(kafka_wire, "_PIECE", 40_000)
    with _connected(True) as (transport, broker):
        broker.sendall(SENT[: 3 * 16_384])
        assert _received(transport, 3 * 16_384) == SENT[: 3 * 16_384]


def test_an_end_and_an_error_end_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Both are logged as kafka-python logs them: what is heard there tells why a broker refuses."""
    with _connected(False) as (transport, broker):
        broker.close()
        data, error = transport._sock_recv()
        assert (data, type(error)) == (b"", KafkaConnectionError)
        transport._sock.close()
        data, error = transport._sock_recv()
        assert (data, type(error)) == (b"", KafkaConnectionError)
    assert [one.name for one in caplog.records] == ["kafka.net.transport"] * 2
    assert isinstance(caplog.records[1].exc_info[1], OSError)


def _answer(records: bytes) -> bytes:
    topic = FetchResponse.FetchableTopicResponse
    partition = topic.PartitionData(partition_index=1, high_watermark=9, records=records)
    told = [topic(topic="t", partitions=[partition])]
    response = FetchResponse(version=12, session_id=5, responses=told)
    response.with_header(correlation_id=1)
    return bytes(response.encode(header=True, framed=True))


@given(st.lists(st.integers(1, 400), max_size=8), st.integers(0, 600))
def test_an_answer_in_pieces_is_one_answer(sizes: list[int], value: int) -> None:
    """Its records are bytes of their own, whatever is received into the same piece later."""
    records = batch([Record(0, value=bytes(value))])
    data = bytearray(_answer(records) * 2)
    protocol = parser.KafkaProtocol(client_id="c")
    for _ in range(2):
        protocol.send_request(FetchRequest(version=12), correlation_id=1)
    answers, start = [], 0
    for end in [*(sum(sizes[:n]) for n in range(1, len(sizes) + 1)), len(data)]:
        piece = bytearray(data[start:end])
        answers += protocol.receive_bytes(memoryview(piece))
        piece[:] = bytes(len(piece))
        start = max(start, end)
    assert [answer.responses[0].partitions[0].records for _, answer in answers] == [records] * 2
    assert [answer.session_id for _, answer in answers] == [5, 5]
