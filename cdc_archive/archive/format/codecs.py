"""Compression of a container file's blocks: both ways, and never more than a block may hold."""

from __future__ import annotations

import sys
import threading
import zlib
from collections.abc import Callable, Mapping
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_RECORD_BYTES: Final = 256 << 20
"""The largest record that is written: 256 times what a broker takes by default."""
MAX_BLOCK_BYTES: Final = (16 << 20) + MAX_RECORD_BYTES
"""The largest block, decompressed: a block is closed by the record that fills it, and 16 MiB is the
largest `archive.block_bytes`."""

_ZSTD_LEVEL: Final = 1
_ZSTD_WINDOW_LOG: Final = 23
"""A frame that wants to look back further than 8 MiB is refused: level 1 looks back 512 KiB."""
_DEFLATE_LEVEL: Final = 6
_STEP: Final = 4 << 20

Transform = Callable[[bytes], bytes]


class _Compressors(threading.local):
    """One for each thread: to make one costs as much as to compress ten kilobytes."""

    def __init__(self) -> None:
        self.zstd = zstd.ZstdCompressor(_ZSTD_LEVEL)


_mine: Final = _Compressors()


def _zstd(data: bytes) -> bytes:
    return _mine.zstd.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def _deflate(data: bytes) -> bytes:
    return zlib.compress(data, _DEFLATE_LEVEL, -15)


def _same(data: bytes) -> bytes:
    return data


def _unzstd(data: bytes) -> bytes:
    told = zstd.get_frame_info(data).decompressed_size
    if told is not None:
        _require_bounded(told)  # before any of it is unpacked
    stream = zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    )
    parts, size = [stream.decompress(data, _STEP)], 0
    while not stream.eof:
        size += len(parts[-1])
        _require_bounded(size)
        if stream.needs_input:
            raise ValueError("its zstd frame ends early")
        parts.append(stream.decompress(b"", _STEP))
    _require_nothing_after(stream.unused_data)
    return b"".join(parts)


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj(-15)
    parts, size = [stream.decompress(data, _STEP)], 0
    while not stream.eof:
        size += len(parts[-1])
        _require_bounded(size)
        if not stream.unconsumed_tail and not parts[-1]:
            raise ValueError("its deflate stream ends early")
        parts.append(stream.decompress(stream.unconsumed_tail, _STEP))
    _require_nothing_after(stream.unused_data)
    return b"".join(parts)


def _plain(data: bytes) -> bytes:
    _require_bounded(len(data))
    return data


def _require_bounded(size: int) -> None:
    if size > MAX_BLOCK_BYTES:
        raise ValueError(f"it expands to more than {MAX_BLOCK_BYTES:,} bytes")


def _require_nothing_after(rest: bytes) -> None:
    if rest:
        raise ValueError(f"{len(rest)} bytes follow its compressed data")


COMPRESS: Final[Mapping[str, Transform]] = {
    "zstandard": _zstd,
    "deflate": _deflate,
    "null": _same,
}
DECOMPRESS: Final[Mapping[str, Transform]] = {
    "zstandard": _unzstd,
    "deflate": _inflate,
    "null": _plain,
}
"""Each raises ValueError or its library's error for data that is not one whole compressed piece,
and for what expands to more than `MAX_BLOCK_BYTES`: no more memory than that is taken."""
