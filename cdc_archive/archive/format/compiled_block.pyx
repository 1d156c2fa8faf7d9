# cython: language_level=3
"""The records of a block, compiled: `PatternBlock` of pattern_block.py without a step in Python.

What it does not know, damage too, it leaves to the general decoder, so it never decides what is
wrong. Each function gives where what it was asked for ends, NULL if something else stands there.
No look goes beyond the block's end, whatever the bytes promise.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from cdc_archive.archive.format import avro
from cdc_archive.archive.format.pattern_block import HOUR_SOURCES, OPS
from cdc_archive.changelog.record import ChangeRecord

ctypedef const unsigned char* Text

cdef enum:
    PARTS = 5  # before, after, source, transaction, envelope
    BITS = 63  # of a number: nine bytes, seven in each; longer ones are left alone

cdef tuple _OPS = OPS, _HOUR_SOURCES = HOUR_SOURCES
cdef tuple _OP_BYTES = tuple(avro.sized(word.encode()) for word in OPS)
cdef tuple _HOUR_SOURCE_BYTES = tuple(avro.sized(word.encode()) for word in HOUR_SOURCES)


cdef struct Span:
    Text at  # NULL: null
    Py_ssize_t size


cdef struct Cut:
    int64_t offset, timestamp, timestamp_type, time_us
    bint has_time
    Span key
    int op, hour_source
    Span[PARTS] parts


cdef class CompiledBlock:
    """See `PatternBlock`."""

    cdef readonly Py_ssize_t at, left
    cdef object topic, partition, table, wanted, headers
    cdef bytes data, position, name
    cdef Text known  # the bytes of `headers`
    cdef Py_ssize_t known_size

    def __cinit__(self, where, str table, Py_ssize_t count, bytes payload not None, wanted):
        self.topic, self.partition = where
        self.table, self.wanted = table, wanted
        self.position, self.name = avro.position(where), avro.sized(table.encode())
        self.data, self.at, self.left = payload, 0, count
        self.known, self.known_size = NULL, 0

    def passed(self, Py_ssize_t at):
        if not self.at <= at <= PyBytes_GET_SIZE(self.data):
            raise ValueError("it does not lie in what is left of the block")
        self.at, self.left = at, self.left - 1

    def usual(self, Py_ssize_t most):
        cdef Text begin = <Text>PyBytes_AS_STRING(self.data)
        cdef Text end = begin + PyBytes_GET_SIZE(self.data)
        cdef Text at
        cdef Cut cut
        cdef list found = []
        while self.left > 0 and len(found) < most:
            at = self.head(begin + self.at, end, &cut)
            if at == NULL:
                break
            at = self.rest(at, end, &cut)
            if at == NULL:
                break
            key = bytes_of(&cut.key)
            if self.wanted is None or self.wanted(_OPS[cut.op], key, self.headers):
                found.append(self.record(key, &cut))
            self.at, self.left = at - begin, self.left - 1
        return found

    cdef Text head(self, Text at, Text end, Cut* cut) except? NULL:
        """What stands before the key."""
        at = long_at(bytes_at(at, end, self.position), end, &cut.offset)
        at = long_at(long_at(at, end, &cut.timestamp), end, &cut.timestamp_type)
        if at == NULL:
            return NULL
        if (
            self.known != NULL
            and end - at >= self.known_size
            and not memcmp(at, self.known, self.known_size)
        ):
            return at + self.known_size
        return self.new_headers(at, end)

    cdef Text new_headers(self, Text at, Text end) except? NULL:
        """Most records have those of the one before."""
        cdef Text begin = at
        cdef int64_t count
        cdef Span name, value
        cdef list headers = []
        while True:
            at = long_at(at, end, &count)
            if at == NULL or count < 0:
                return NULL
            if not count:
                break
            while count:
                at = optional_at(sized_at(at, end, &name), end, &value)
                if at == NULL:
                    return NULL
                try:
                    text = PyUnicode_DecodeUTF8(<char*>name.at, name.size, NULL)
                except UnicodeDecodeError:
                    return NULL
                headers.append((text, bytes_of(&value)))
                count -= 1
        self.headers, self.known, self.known_size = tuple(headers), begin, at - begin
        return at

    cdef Text rest(self, Text at, Text end, Cut* cut) noexcept:
        cdef int part
        at = word_at(optional_at(at, end, &cut.key), end, _OP_BYTES, &cut.op)
        if at == NULL or at == end or at[0] not in (0, 2):
            return NULL
        cut.has_time = at[0] == 2
        at += 1
        if cut.has_time:
            at = long_at(at, end, &cut.time_us)
        at = word_at(at, end, _HOUR_SOURCE_BYTES, &cut.hour_source)
        at = bytes_at(at, end, self.name)
        for part in range(PARTS):
            at = optional_at(at, end, &cut.parts[part])
        return at

    cdef object record(self, key, Cut* cut):
        fields = (
            self.topic,
            self.partition,
            cut.offset,
            cut.timestamp,
            cut.timestamp_type - 1,
            self.headers,
            key,
            _OPS[cut.op],
            cut.time_us if cut.has_time else None,
            _HOUR_SOURCES[cut.hour_source],
            self.table,
            bytes_of(&cut.parts[0]),
            bytes_of(&cut.parts[1]),
            bytes_of(&cut.parts[2]),
            bytes_of(&cut.parts[3]),
            bytes_of(&cut.parts[4]),
        )
        arguments = (fields,)
        return (<PyTypeObject*>tuple).tp_new(ChangeRecord, <PyObject*>arguments, NULL)


cdef inline Text long_at(Text at, Text end, int64_t* found) noexcept nogil:
    cdef uint64_t bits = 0
    cdef int shift
    if at == NULL:
        return NULL
    for shift in range(0, BITS, 7):
        if at == end:
            return NULL
        bits |= <uint64_t>(at[0] & 0x7F) << shift
        at += 1
        if not at[-1] & 0x80:
            found[0] = <int64_t>(bits >> 1) ^ -<int64_t>(bits & 1)
            return at
    return NULL


cdef inline Text sized_at(Text at, Text end, Span* found) noexcept nogil:
    cdef int64_t size
    at = long_at(at, end, &size)
    if at == NULL or not 0 <= size <= end - at:
        return NULL
    found.at, found.size = at, size
    return at + size


cdef inline Text optional_at(Text at, Text end, Span* found) noexcept nogil:
    """A union of null and bytes."""
    if at == NULL or at == end:
        return NULL
    if at[0] == 0:
        found.at, found.size = NULL, 0
        return at + 1
    return sized_at(at + 1, end, found) if at[0] == 2 else NULL


cdef inline Text bytes_at(Text at, Text end, bytes expected) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(expected)
    if at == NULL or end - at < size or memcmp(at, PyBytes_AS_STRING(expected), size):
        return NULL
    return at + size


cdef inline Text word_at(Text at, Text end, tuple words, int* found) noexcept:
    """Which of these it is, as an index."""
    cdef Text after
    cdef int index
    for index in range(PyTuple_GET_SIZE(words)):
        after = bytes_at(at, end, <bytes>PyTuple_GET_ITEM(words, index))
        if after != NULL:
            found[0] = index
            return after
    return NULL


cdef inline object bytes_of(Span* span):
    return None if span.at == NULL else PyBytes_FromStringAndSize(<char*>span.at, span.size)
