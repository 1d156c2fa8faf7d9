# cython: language_level=3
"""The express lane, compiled: `Express.run` of express.py without an object for each part.

Looks at JSON as strictly as RFC 8259 has it, in the compact form that Connect writes: whoever reads
more loosely reads the same in it. A message that it cannot place is left to the plain way, so it
never decides what is wrong. `bytes` end with a NUL, which is nowhere JSON: no look goes beyond it.
"""

from cpython.bytearray cimport (
    PyByteArray_AS_STRING,
    PyByteArray_GET_SIZE,
    PyByteArray_Resize,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from cdc_archive.archive.format import avro
from cdc_archive.archive.writer.keys_seen import other_keys
from cdc_archive.archive.writer.open_file import RECORD_BYTES
from cdc_archive.changelog.hour import EARLIEST_US, LATEST_US, US_PER_HOUR
from cdc_archive.changelog.record import ROW_OPS
from cdc_archive.decode.described import SourceBlock
from cdc_archive.decode.stream import NO_COMMIT, STREAMED, may_begin

ctypedef const unsigned char* Text

cdef enum:
    PLAIN, QUOTE, ESCAPE, CONTROL, WIDE  # what a byte of a string is
    DEPTH = 64  # deeper ones are left to the plain way
    DIGITS = 18  # of a number that surely fits
    MOST_DIGITS = 100  # of a key that is a number
    OPS = 128

cdef unsigned char _kind[256]
cdef int _at
for _at in range(256):
    _kind[_at] = CONTROL if _at < 0x20 else WIDE if _at >= 0x80 else PLAIN
_kind[c'"'], _kind[c"\\"] = QUOTE, ESCAPE

cdef dict _OPS = {ord(op): op for op in ROW_OPS}
cdef int64_t _EARLIEST = EARLIEST_US, _LATEST = LATEST_US, _HOUR = US_PER_HOUR
cdef int64_t _RECORD_BYTES = RECORD_BYTES
cdef bytes _STREAMED = STREAMED, _NO_COMMIT = NO_COMMIT


cdef struct Span:
    Text at  # NULL: null, or missing
    Py_ssize_t size
    bint seen


cdef struct Cut:
    Span before, after, source, transaction, rest, db, schema, table, collection
    int64_t ms, us
    bint has_ms, has_us, wide
    unsigned char op


# JSON: each gives where what was asked for ends, NULL if it is something else


cdef inline Text word(Text at, const char* expected) noexcept nogil:
    cdef size_t size = strlen(expected)
    cdef size_t i
    for i in range(size):
        if at[i] != <unsigned char>expected[i]:
            return NULL
    return at + size


cdef Text string(Text at, bint* wide) noexcept nogil:
    """`at`: after the opening quote."""
    cdef unsigned char kind
    cdef int i
    while True:
        kind = _kind[at[0]]
        if kind == PLAIN:
            at += 1
        elif kind == QUOTE:
            return at + 1
        elif kind == WIDE:
            wide[0] = True
            at += 1
        elif kind == CONTROL:
            return NULL
        elif at[1] == c"u":
            at += 2
            for i in range(4):
                if not (c"0" <= at[i] <= c"9" or c"a" <= (at[i] | 0x20) <= c"f"):
                    return NULL
            at += 4
        elif at[1] in (c'"', c"\\", c"/", c"b", c"f", c"n", c"r", c"t"):
            at += 2
        else:
            return NULL


cdef inline Text digits(Text at) noexcept nogil:
    cdef Text start = at
    while c"0" <= at[0] <= c"9":
        at += 1
    return NULL if at == start else at


cdef Text number(Text at) noexcept nogil:
    if at[0] == c"-":
        at += 1
    at = at + 1 if at[0] == c"0" else digits(at)
    if at != NULL and at[0] == c".":
        at = digits(at + 1)
    if at != NULL and at[0] | 0x20 == c"e":
        at += 2 if at[1] == c"+" or at[1] == c"-" else 1
        at = digits(at)
    return at


cdef Text value(Text at, int depth, bint* wide) noexcept nogil:
    cdef unsigned char end
    if at[0] == c'"':
        return string(at + 1, wide)
    if at[0] == c"n":
        return word(at, "null")
    if at[0] == c"t":
        return word(at, "true")
    if at[0] == c"f":
        return word(at, "false")
    if at[0] != c"{" and at[0] != c"[":
        return number(at)
    if depth == 0:
        return NULL
    end = at[0] + 2
    if at[1] == end:
        return at + 2
    while True:
        at += 1
        if end == c"}":
            if at[0] != c'"':
                return NULL
            at = string(at + 1, wide)
            if at == NULL or at[0] != c":":
                return NULL
            at += 1
        at = value(at, depth - 1, wide)
        if at == NULL:
            return NULL
        if at[0] == end:
            return at + 1
        if at[0] != c",":
            return NULL


# keys


cdef inline Text plain_text(Text at) noexcept nogil:
    """`at`: after the opening quote; ASCII without escapes."""
    while _kind[at[0]] == PLAIN and at[0] != 0x7F:
        at += 1
    return at + 1 if at[0] == c'"' else NULL


cdef Text plain_key(Text at, Span* token) noexcept nogil:
    """A key of one column, as Connect writes it: its value, a text or a whole number."""
    cdef Text start
    at = word(at, '{"')
    at = NULL if at == NULL else plain_text(at)
    at = NULL if at == NULL else word(at, ":")
    if at == NULL:
        return NULL
    if at[0] == c'"':
        token.at = at + 1
        at = plain_text(token.at)
        token.size = at - token.at - 1
    else:
        token.at = at
        at += at[0] == c"-"
        start = at
        at = at + 1 if at == token.at and at[0] == c"0" else NULL if at[0] == c"0" else digits(at)
        token.size = at - token.at
        if at - start > MOST_DIGITS:
            return NULL
    return NULL if at == NULL or at[0] != c"}" else at + 1


cdef bytes plain_token(bytes key):
    """The token of such a key, with its schema or without, see decode/key_token.py; else None."""
    cdef Text at = <Text>PyBytes_AS_STRING(key)
    cdef Text end = at + PyBytes_GET_SIZE(key)
    cdef Text schema
    cdef Span token
    cdef bint wide = False
    if key.startswith(b'{"schema":'):
        schema = at + 10
        at = value(schema, DEPTH, &wide)
        if at == NULL or wide or memchr(schema, c"\\", at - schema) != NULL:
            return None
        at = word(at, ',"payload":')
        at = NULL if at == NULL else plain_key(at, &token)
        at = NULL if at == NULL or at[0] != c"}" else at + 1
    else:
        at = plain_key(at, &token)
    return bytes_of(&token) if at == end else None


# the envelope


cdef inline bint named(Text name, Py_ssize_t size, const char* expected) noexcept nogil:
    return size == <Py_ssize_t>strlen(expected) and memcmp(name, expected, size) == 0


cdef Text integer(Text at, int64_t* number, bint* known) noexcept nogil:
    """An integer; a second one of its name, or one that may not fit, is something else."""
    cdef Text start
    cdef bint negative = at[0] == c"-"
    if known[0]:
        return NULL
    at += negative
    start = at
    number[0] = 0
    while c"0" <= at[0] <= c"9":
        if at - start == DIGITS:
            return NULL
        number[0] = number[0] * 10 + (at[0] - c"0")
        at += 1
    if at == start or (start[0] == c"0" and at - start > 1):
        return NULL
    if negative:
        number[0] = -number[0]
    known[0] = True
    return at


cdef Text name_or_null(Text at, Span* name, bint* wide) noexcept nogil:
    """A string without escapes, or null; a second one of its name is something else."""
    if name.seen:
        return NULL
    name.seen = True
    if at[0] == c"n":
        return word(at, "null")
    if at[0] != c'"':
        return NULL
    name.at = at + 1
    at = string(name.at, wide)
    if at == NULL:
        return NULL
    name.size = at - name.at - 1
    return NULL if memchr(name.at, c"\\", name.size) != NULL else at


cdef Text member_name(Text at, Span* name, bint* wide) noexcept nogil:
    """The name of a member, without escapes, up to its value."""
    name.seen = False
    at = NULL if at[0] != c'"' else name_or_null(at, name, wide)
    return NULL if at == NULL or at[0] != c":" else at + 1


cdef Text source(Text at, Cut* cut) noexcept nogil:
    """The source block, whose members place the change: see decode/described.py, SourceBlock."""
    cdef Span name
    cdef Text end
    if at[0] != c"{":
        return NULL
    while True:
        at = member_name(at + 1, &name, &cut.wide)
        if at == NULL:
            return NULL
        if named(name.at, name.size, "ts_ms"):
            at = integer(at, &cut.ms, &cut.has_ms)
        elif named(name.at, name.size, "ts_us"):
            at = integer(at, &cut.us, &cut.has_us)
        elif named(name.at, name.size, "db"):
            at = name_or_null(at, &cut.db, &cut.wide)
        elif named(name.at, name.size, "schema"):
            at = name_or_null(at, &cut.schema, &cut.wide)
        elif named(name.at, name.size, "table"):
            at = name_or_null(at, &cut.table, &cut.wide)
        elif named(name.at, name.size, "collection"):
            at = name_or_null(at, &cut.collection, &cut.wide)
        else:
            at = value(at, DEPTH, &cut.wide)
        if at == NULL or at[0] == c"}":
            return NULL if at == NULL else at + 1
        if at[0] != c",":
            return NULL


cdef inline Text part(Text at, const char* label, Span* span, bint* wide) noexcept nogil:
    at = word(at, label)
    if at == NULL:
        return NULL
    span.at = at
    at = value(at, DEPTH, wide)
    span.size = at - span.at
    return at


cdef Text envelope(Text at, Cut* cut) noexcept nogil:
    """An envelope as Debezium 3 writes it: see decode/envelope.py, quick_parts."""
    cdef Span name
    at = part(at, '{"before":', &cut.before, &cut.wide)
    at = NULL if at == NULL else part(at, ',"after":', &cut.after, &cut.wide)
    at = NULL if at == NULL else word(at, ',"source":')
    if at == NULL:
        return NULL
    cut.source.at = at
    at = source(at, cut)
    if at == NULL:
        return NULL
    cut.source.size = at - cut.source.at
    at = part(at, ',"transaction":', &cut.transaction, &cut.wide)
    if at == NULL or at[0] != c",":
        return NULL
    cut.rest.at = at + 1
    while True:
        at = member_name(at + 1, &name, &cut.wide)
        if at == NULL:
            return NULL
        if named(name.at, name.size, "op"):
            if cut.op or at[0] != c'"' or at[1] >= OPS or at[1] < 0x20 or at[2] != c'"':
                return NULL
            cut.op = at[1]
            at += 3
        elif (
            named(name.at, name.size, "before") or named(name.at, name.size, "after")
            or named(name.at, name.size, "source") or named(name.at, name.size, "transaction")
        ):
            return NULL
        else:
            at = value(at, DEPTH, &cut.wide)
        if at == NULL or at[0] == c"}":
            return NULL if at == NULL or not cut.op else at + 1
        if at[0] != c",":
            return NULL


cdef inline bint may_begin_at(Text source, Py_ssize_t size, Py_ssize_t* streamed) noexcept:
    """The quick look of decode/stream.py, `may_begin`. `streamed`: where its mark stood before."""
    cdef Py_ssize_t mark = PyBytes_GET_SIZE(_STREAMED)
    cdef Text at = source
    cdef Text end = source + size
    if streamed[0] + mark > size or memcmp(
        source + streamed[0], PyBytes_AS_STRING(_STREAMED), mark
    ):
        streamed[0] = 0
        while streamed[0] + mark <= size and memcmp(
            source + streamed[0], PyBytes_AS_STRING(_STREAMED), mark
        ):
            streamed[0] += 1
        if streamed[0] + mark > size:
            return True
    while True:
        at = <Text>memchr(at, c"[", end - at)
        if at == NULL:
            return False
        if word(at, "[null") != NULL:
            return True
        at += 1


# Avro


cdef inline Py_ssize_t long_size(int64_t number) noexcept nogil:
    cdef uint64_t left = (<uint64_t>number << 1) ^ <uint64_t>(number >> 63)
    cdef Py_ssize_t size = 1
    while left > 0x7F:
        left >>= 7
        size += 1
    return size


cdef inline Py_ssize_t some_size(Py_ssize_t size) noexcept nogil:
    return 1 + long_size(size) + size


cdef inline unsigned char* put_long(unsigned char* to, int64_t number) noexcept nogil:
    cdef uint64_t left = (<uint64_t>number << 1) ^ <uint64_t>(number >> 63)
    while left > 0x7F:
        to[0] = <unsigned char>(left & 0x7F | 0x80)
        left >>= 7
        to += 1
    to[0] = <unsigned char>left
    return to + 1


cdef inline unsigned char* put(unsigned char* to, const void* at, Py_ssize_t size) noexcept nogil:
    if size:
        memcpy(to, at, size)
    return to + size


cdef inline unsigned char* put_bytes(unsigned char* to, bytes data) noexcept:
    return put(to, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline unsigned char* put_some(unsigned char* to, const void* at, Py_ssize_t size) noexcept nogil:
    to[0] = 2
    return put(put_long(to + 1, size), at, size)


cdef class Target:
    """What goes to one file in this run, and what is the same in all its records."""

    cdef object file, keys
    cdef list tokens, waiting, ops
    cdef bytes words
    cdef bytearray records
    cdef Py_ssize_t size, room
    cdef int64_t low, high, last

    def __init__(self, found):
        self.file, self.words, self.keys = found
        self.tokens, self.waiting = (
            (None, None) if self.keys is None else (self.keys.tokens, self.keys.waiting)
        )
        begin(self)


cdef void begin(Target target):
    target.records, target.ops = bytearray(), []
    target.size = target.room = 0


cdef unsigned char* place_for(Target target, Py_ssize_t size) except NULL:
    """Where so many more bytes go; `size` is raised, `records` may be longer."""
    cdef Py_ssize_t needed = target.size + size
    if needed > PyByteArray_GET_SIZE(target.records):
        PyByteArray_Resize(target.records, max(needed, min(2 * needed, target.room + size)))
    target.size = needed
    return <unsigned char*>PyByteArray_AS_STRING(target.records) + needed - size


cdef bint handed_over(Target target) except -1:
    """Whether a block was filled."""
    PyByteArray_Resize(target.records, target.size)
    filled = target.file.extend(
        target.records, target.ops, target.last, target.low, target.high
    )
    begin(target)
    return filled


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


cdef bint is_utf8(Text at, Py_ssize_t size) except -1:
    try:
        PyUnicode_DecodeUTF8(<char*>at, size, NULL)
    except UnicodeDecodeError:
        return False
    return True


cdef Py_ssize_t encode(
    Target target, bytes prefix, int64_t offset, int64_t timestamp, bytes stamp, bytes key,
    Cut* cut, bytes head_text,
) except -1:
    """Put its Avro bytes behind those before, see format/avro.py, change; how many they are."""
    cdef Py_ssize_t rest = PyBytes_GET_SIZE(head_text) + cut.rest.size
    cdef Py_ssize_t size = (
        PyBytes_GET_SIZE(prefix) + long_size(offset) + long_size(timestamp)
        + PyBytes_GET_SIZE(stamp) + (1 if key is None else some_size(PyBytes_GET_SIZE(key)))
        + 3 + long_size(cut.us) + PyBytes_GET_SIZE(target.words)
        + some_size(cut.before.size) + some_size(cut.after.size)
        + some_size(cut.source.size) + some_size(cut.transaction.size) + some_size(rest)
    )
    cdef unsigned char* to = place_for(target, size)
    to = put_bytes(to, prefix)
    to = put_long(put_long(to, offset), timestamp)
    to = put_bytes(to, stamp)
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
    to = put_bytes(put_long(to + 1, rest), head_text)
    put(to, cut.rest.at, cut.rest.size)
    return size


def run(lane, messages, Py_ssize_t at, int64_t offset):
    """See `Express.run` and `Express._in_python`, which this does as it does."""
    cdef Cut cut
    cdef Text begin, stop, end
    cdef Target target
    cdef tuple message
    cdef bytes value, key, place, last_value = None
    cdef bytes mark, head_text, stamp, prefix = lane._files.prefix
    cdef Py_ssize_t skip, streamed = lane._streamed, index, last_at = 0, last_size = 0
    cdef int64_t timestamp, newest = lane._files.newest_event_us or 0, held = 0, hour
    cdef list ops = [], others = lane._others, touched = []
    cdef dict targets
    cdef list sent = messages if type(messages) is list else list(messages)
    cdef list wrappers = lane._wrappers
    topic, partition = lane._partition
    files, stream, wrapper = lane._files, lane._stream, lane._wrapper
    known = lane._headers
    known_type, stamp = lane._stamp
    mark, skip, _, head_text, _, targets = wrapper
    for index in range(at, len(sent)):
        message = <tuple>sent[index]
        its_topic, its_partition, its_offset, its_timestamp, its_type, its_key, its_value, headers = message
        if (
            its_offset != offset or type(its_value) is not bytes or its_partition != partition
            or (its_topic is not topic and its_topic != topic)
            or (its_key is not None and type(its_key) is not bytes)
        ):
            break
        value, key, timestamp = its_value, its_key, its_timestamp
        if not value.startswith(mark):
            for wrapper in wrappers:
                if value.startswith(<bytes>wrapper[0]):
                    break
            else:
                wrapper = lane._around(value)
                if wrapper is None:
                    wrapper = lane._bare
                    break
            mark, skip, _, head_text, _, targets = wrapper
        begin = <Text>PyBytes_AS_STRING(value)
        end = begin + PyBytes_GET_SIZE(value)
        stop = end - 1 if skip else end
        memset(&cut, 0, sizeof(cut))
        if envelope(begin + skip, &cut) != stop or (skip and stop[0] != c"}"):
            break
        if (
            not cut.has_us or not cut.has_ms or cut.ms != cut.us // 1000
            or not _EARLIEST <= cut.us < _LATEST or cut.op not in _OPS or not cut.table.size
            or (cut.wide and not is_utf8(begin + skip, stop - begin - skip))
        ):
            break
        cut.rest.size = end - cut.rest.at
        hour = cut.us // _HOUR
        place = place_key(&cut, hour)
        target = targets.get(place)
        if target is None:
            block = SourceBlock(
                db=text_of(&cut.db), schema=text_of(&cut.schema), table=text_of(&cut.table)
            )
            found = lane._target(wrapper, block, hour)
            if found is None:
                break
            target = targets[place] = Target(found)
        if headers is not known or its_type != known_type:
            try:
                stamp = avro.long(its_type + 1) + avro.headers(headers)
            except UnicodeEncodeError:
                known = None
                break
            known, known_type, others = headers, its_type, other_keys(headers)
        if may_begin_at(cut.source.at, cut.source.size, &streamed):
            if last_value is not None:
                stream.went_on(last_value[last_at : last_at + last_size])
            last_value, block = None, bytes_of(&cut.source)
            if stream.breaks_at(block) is not None:
                break
            stream.went_on(block)
        else:
            last_value, last_at, last_size = value, cut.source.at - begin, cut.source.size
        if target.waiting is not None:
            if key is None:
                target.keys.keyless += cut.op != c"t"
            else:
                token = plain_token(key)
                if token is None:
                    target.waiting.append(key)
                else:
                    target.tokens.append(token)
            if others:
                target.waiting.extend(others)
        if not target.size:
            touched.append(target)
            target.room = target.file.room
            target.low = target.high = cut.us
        elif cut.us < target.low:
            target.low = cut.us
        elif cut.us > target.high:
            target.high = cut.us
        op = _OPS[cut.op]
        held += _RECORD_BYTES + encode(
            target, prefix, offset, timestamp, stamp, key, &cut, head_text
        )
        target.ops.append(op)
        target.last = offset
        if target.size >= target.room and handed_over(target):
            files.unsettled.append(target.file)
        if cut.us > newest:
            newest = cut.us
        ops.append(op)
        offset += 1
    for target in touched:
        if target.size:
            handed_over(target)
    if ops:
        files.buffered_bytes += held
        files.newest_event_us = newest
        if last_value is not None:
            stream.went_on(last_value[last_at : last_at + last_size])
    lane._wrapper, lane._streamed = wrapper, streamed
    lane._headers, lane._stamp, lane._others = known, (known_type, stamp), others
    return ops
