# cython: language_level=3
"""The express lane, compiled: `Express.run` of express.py without an object for each part.

A message that it cannot place is left to the plain way, so it never decides what is wrong. It reads
JSON strictly, in the compact form that Connect writes: whoever reads more loosely reads the same.
"""

from cpython.bytearray cimport (
    PyByteArray_AS_STRING,
    PyByteArray_GET_SIZE,
    PyByteArray_Resize,
)
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memchr, memset

from cdc_archive.archive.format import avro
from cdc_archive.archive.writer.keys_seen import other_keys
from cdc_archive.archive.writer.open_file import RECORD_BYTES
from cdc_archive.changelog.hour import EARLIEST_US, LATEST_US, US_PER_HOUR
from cdc_archive.changelog.record import ROW_OPS
from cdc_archive.decode.described import SourceBlock
from cdc_archive.decode.stream import NO_COMMIT, STREAMED

include "compiled_json.pxi"
include "compiled_avro.pxi"

cdef list _OPS = [chr(byte) if chr(byte) in ROW_OPS else None for byte in range(OPS)]
cdef int64_t _EARLIEST = EARLIEST_US, _LATEST = LATEST_US, _HOUR = US_PER_HOUR
cdef int64_t _RECORD_BYTES = RECORD_BYTES
cdef bytes _STREAMED = STREAMED, _NO_COMMIT = NO_COMMIT


def run(lane, messages, Py_ssize_t at, int64_t offset):
    """See `Express.run` and `Express._in_python`, which this does as it does."""
    cdef Run this = Run(lane, offset)
    cdef list sent = messages if type(messages) is list else list(messages)
    cdef Py_ssize_t index
    for index in range(at, len(sent)):
        if not this.take(<tuple>sent[index]):
            break
    this.end()
    return this.ops


cdef class Target:
    """What goes to one file in a run, and what all its records have in common."""

    cdef object file, keys
    cdef list tokens, waiting, ops
    cdef bytes words
    cdef bytearray records  # may be longer than `size`, the bytes in use
    cdef Py_ssize_t size, room, usual  # the latter: a little more than the last run's
    cdef int64_t low, high, last

    def __init__(self, found):
        self.file, self.words, self.keys = found
        if self.keys is not None:
            self.tokens, self.waiting = self.keys.tokens, self.keys.waiting
        self.begin()

    cdef void begin(self):
        self.records, self.ops = bytearray(), []
        self.size = self.room = 0

    cdef unsigned char* place_for(self, Py_ssize_t more) except NULL:
        """Where so many more bytes go."""
        cdef Py_ssize_t size = self.size + more
        if size > PyByteArray_GET_SIZE(self.records):
            PyByteArray_Resize(
                self.records, max(size, min(max(2 * size, self.usual), self.room + more))
            )
        self.size = size
        return <unsigned char*>PyByteArray_AS_STRING(self.records) + size - more

    cdef note_key(self, bytes key, unsigned char op, list others):
        if self.keys is None:
            return
        if key is None:
            self.keys.keyless += op != c"t"
        else:
            token = plain_token(key)
            if token is None:
                self.waiting.append(key)
            else:
                self.tokens.append(token)
        if others:
            self.waiting.extend(others)

    cdef bint hand_over(self) except -1:
        """Whether a block was filled."""
        records = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(self.records), self.size)
        self.usual = self.size + self.size // 8
        filled = self.file.extend(records, self.ops, self.last, self.low, self.high)
        self.begin()
        return filled


cdef class Run:
    """One run of the lane, from message to message."""

    cdef object lane, files, stream, topic, wrapper, headers
    cdef long partition, kind
    cdef list ops, others, touched, wrappers
    cdef dict targets
    cdef bytes prefix, mark, head_text, stamp
    cdef bytes last  # the value whose source the stream watch is yet to see, and where it stands
    cdef Py_ssize_t last_at, last_size, skip, streamed
    cdef int64_t offset, newest, held

    def __init__(self, lane, offset):
        self.lane, self.files, self.stream = lane, lane._files, lane._stream
        self.topic, self.partition = lane._partition
        self.wrappers, self.others, self.headers = lane._wrappers, lane._others, lane._headers
        self.kind, self.stamp = lane._stamp
        self.prefix, self.newest = self.files.prefix, self.files.newest_event_us or 0
        self.ops, self.touched, self.last = [], [], None
        self.offset, self.streamed, self.held = offset, lane._streamed, 0
        self.inside(lane._wrapper)

    cdef inside(self, wrapper):
        self.wrapper = wrapper
        self.mark, self.skip, _, self.head_text, _, self.targets = wrapper

    cdef end(self):
        cdef Target target
        for target in self.touched:
            if target.size:
                target.hand_over()
        if self.ops:
            self.files.buffered_bytes += self.held
            self.files.newest_event_us = self.newest
            self.pass_last()
        lane = self.lane
        lane._wrapper, lane._streamed, lane._others = self.wrapper, self.streamed, self.others
        lane._headers, lane._stamp = self.headers, (self.kind, self.stamp)

    cdef bint take(self, tuple message) except -1:
        """Whether it took the message."""
        cdef Cut cut
        cdef bytes value, key
        cdef Target target
        cdef int64_t offset, timestamp
        cdef long partition, kind
        topic, partition, offset, timestamp, kind, its_key, its_value, headers = message
        if (
            offset != self.offset or partition != self.partition
            or (topic is not self.topic and topic != self.topic)
            or type(its_value) is not bytes
            or (its_key is not None and type(its_key) is not bytes)
        ):
            return False
        value, key = its_value, its_key
        if not (self.is_known(value) and self.is_usual(value, &cut)):
            return False
        target = self.target(&cut)
        if target is None or not (self.stamped(headers, kind) and self.goes_on(value, &cut)):
            return False
        target.note_key(key, cut.op, self.others)
        self.keep(target, key, timestamp, &cut)
        return True

    cdef bint is_known(self, bytes value) except -1:
        """Whether what is around the envelope was met before."""
        if begins(value, self.mark):
            return True
        for wrapper in self.wrappers:
            if begins(value, <bytes>wrapper[0]):
                self.inside(wrapper)
                return True
        wrapper = self.lane._around(value)
        if wrapper is not None:
            self.inside(wrapper)
        return wrapper is not None

    cdef bint is_usual(self, bytes value, Cut* cut) except -1:
        """Whether it is an envelope as Debezium writes it, with a plausible time: cut up then."""
        cdef Text begin = <Text>PyBytes_AS_STRING(value) + self.skip
        cdef Text end = <Text>PyBytes_AS_STRING(value) + PyBytes_GET_SIZE(value)
        cdef Text stop = end - (self.skip > 0)  # the wrapper ends after the envelope
        memset(cut, 0, sizeof(Cut))
        if envelope(begin, cut) != stop or (self.skip and stop[0] != c"}"):
            return False
        cut.rest.size = end - cut.rest.at
        return (
            cut.has_us and cut.has_ms and cut.ms == cut.us // 1000
            and _EARLIEST <= cut.us < _LATEST and _OPS[cut.op] is not None and cut.table.size > 0
        )

    cdef Target target(self, Cut* cut):
        """Where it goes, if the plain way opened that file before."""
        cdef int64_t hour = cut.us // _HOUR
        cdef bytes place = place_key(cut, hour)
        target = self.targets.get(place)
        if target is None:
            block = SourceBlock(
                db=text_of(&cut.db), schema=text_of(&cut.schema), table=text_of(&cut.table)
            )
            found = self.lane._target(self.wrapper, block, hour)
            if found is not None:
                target = self.targets[place] = Target(found)
        return target

    cdef bint stamped(self, headers, long kind) except -1:
        """Whether its headers can be written."""
        if headers is not self.headers or kind != self.kind:
            try:
                self.stamp = avro.long(kind + 1) + avro.headers(headers)
            except UnicodeEncodeError:
                self.headers = None
                return False
            self.headers, self.kind, self.others = headers, kind, other_keys(headers)
        return True

    cdef bint goes_on(self, bytes value, Cut* cut) except -1:
        """Whether the change stream goes on with it."""
        if not may_begin(cut.source.at, cut.source.size, &self.streamed):
            self.last, self.last_size = value, cut.source.size
            self.last_at = cut.source.at - <Text>PyBytes_AS_STRING(value)
            return True
        self.pass_last()
        source = bytes_of(&cut.source)
        if self.stream.breaks_at(source) is not None:
            return False
        self.stream.went_on(source)
        return True

    cdef pass_last(self):
        if self.last is not None:
            self.stream.went_on(self.last[self.last_at : self.last_at + self.last_size])
            self.last = None

    cdef keep(self, Target target, bytes key, int64_t timestamp, Cut* cut):
        if not target.size:
            self.touched.append(target)
            target.room = target.file.room
            target.low = target.high = cut.us
        target.low, target.high = min(target.low, cut.us), max(target.high, cut.us)
        target.last = self.offset
        self.held += _RECORD_BYTES + self.encode(target, key, timestamp, cut)
        op = _OPS[cut.op]
        target.ops.append(op)
        self.ops.append(op)
        self.newest = max(self.newest, cut.us)
        self.offset += 1
        if target.size >= target.room and target.hand_over():
            self.files.unsettled.append(target.file)

    cdef Py_ssize_t encode(
        self, Target target, bytes key, int64_t timestamp, Cut* cut
    ) except -1:
        """Put its Avro bytes behind those before, see format/avro.py, change; how many they are."""
        cdef Py_ssize_t rest = PyBytes_GET_SIZE(self.head_text) + cut.rest.size
        cdef Py_ssize_t size = (
            PyBytes_GET_SIZE(self.prefix) + long_size(self.offset) + long_size(timestamp)
            + PyBytes_GET_SIZE(self.stamp)
            + (1 if key is None else some_size(PyBytes_GET_SIZE(key)))
            + 3 + long_size(cut.us) + PyBytes_GET_SIZE(target.words)
            + some_size(cut.before.size) + some_size(cut.after.size)
            + some_size(cut.source.size) + some_size(cut.transaction.size) + some_size(rest)
        )
        cdef unsigned char* to = target.place_for(size)
        to = put_bytes(to, self.prefix)
        to = put_long(put_long(to, self.offset), timestamp)
        to = put_bytes(to, self.stamp)
        if key is None:
            to = put_long(to, 0)
        else:
            to = put_some(to, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        to[0], to[1], to[2] = 2, cut.op, 2
        to = put_long(to + 3, cut.us)
        to = put_bytes(to, target.words)
        to = put_some(to, cut.before.at, cut.before.size)
        to = put_some(to, cut.after.at, cut.after.size)
        to = put_some(to, cut.source.at, cut.source.size)
        to = put_some(to, cut.transaction.at, cut.transaction.size)
        to[0] = 2
        to = put_bytes(put_long(to + 1, rest), self.head_text)
        put(to, cut.rest.at, cut.rest.size)
        return size


cdef inline bint begins(bytes value, bytes mark) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(mark)
    return PyBytes_GET_SIZE(value) >= size and not memcmp(
        PyBytes_AS_STRING(value), PyBytes_AS_STRING(mark), size
    )


cdef bytes place_key(Cut* cut, int64_t hour):
    """Database, schema, table and hour; a NUL stands in no JSON, so each ends where it ends."""
    cdef Py_ssize_t size = cut.db.size + cut.schema.size + cut.table.size + 5 + sizeof(int64_t)
    cdef bytes key = PyBytes_FromStringAndSize(NULL, size)
    cdef unsigned char* to = <unsigned char*>PyBytes_AS_STRING(key)
    to[0] = cut.db.at != NULL
    to[1] = cut.schema.at != NULL
    to = put(to + 2, cut.db.at, cut.db.size)
    to[0] = 0
    to = put(to + 1, cut.schema.at, cut.schema.size)
    to[0] = 0
    to = put(to + 1, cut.table.at, cut.table.size)
    to[0] = 0
    put(to + 1, &hour, sizeof(int64_t))
    return key


cdef object text_of(Span* name):
    return None if name.at == NULL else PyUnicode_DecodeUTF8(<char*>name.at, name.size, NULL)


cdef bytes bytes_of(Span* span):
    return PyBytes_FromStringAndSize(<char*>span.at, span.size)


cdef bint may_begin(Text source, Py_ssize_t size, Py_ssize_t* streamed) noexcept:
    """The quick look of decode/stream.py, `may_begin`. `streamed`: where its mark stood before."""
    cdef char* mark = PyBytes_AS_STRING(_STREAMED)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(_STREAMED)
    cdef Text at = source
    if length > size:
        return True
    if streamed[0] + length > size or memcmp(source + streamed[0], mark, length):
        streamed[0] = 0
        while memcmp(source + streamed[0], mark, length):
            streamed[0] += 1
            if streamed[0] + length > size:
                streamed[0] = 0
                return True
    while True:
        at = <Text>memchr(at, c"[", source + size - at)
        if at == NULL:
            return False
        if word(at, PyBytes_AS_STRING(_NO_COMMIT)) != NULL:
            return True
        at += 1


cdef bytes plain_token(bytes key):
    """The token of a key of one column, see decode/key_token.py; None: it has no such form."""
    cdef Text at = <Text>PyBytes_AS_STRING(key)
    cdef Text end = at + PyBytes_GET_SIZE(key)
    cdef Text schema
    cdef Span token
    schema = word(at, '{"schema":')
    if schema != NULL:
        at = value(schema, DEPTH)
        if at == NULL or memchr(schema, c"\\", at - schema) != NULL:
            return None
        at = word(at, ',"payload":')
        at = NULL if at == NULL else plain_key(at, &token)
        at = NULL if at == NULL or at[0] != c"}" else at + 1
    else:
        at = plain_key(at, &token)
    return bytes_of(&token) if at == end else None
