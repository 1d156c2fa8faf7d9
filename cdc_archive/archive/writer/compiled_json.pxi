"""JSON in its compact form, as strictly as RFC 8259 has it, and a change's envelope in it.

Each function gives where what it was asked for ends, NULL if something else stands there. What is
looked at ends with a NUL, which is nowhere JSON: no look goes beyond it.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcmp, strlen

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


cdef struct Span:
    Text at  # NULL: null, or missing
    Py_ssize_t size
    bint seen


cdef struct Cut:
    Span before, after, source, transaction, rest, db, schema, table, collection
    int64_t ms, us
    bint has_ms, has_us
    unsigned char op


cdef inline Text word(Text at, const char* expected) noexcept nogil:
    cdef size_t size = strlen(expected)
    cdef size_t i
    for i in range(size):
        if at[i] != <unsigned char>expected[i]:
            return NULL
    return at + size


cdef Text wide(Text at) noexcept nogil:
    """A character beyond ASCII in UTF-8, as strictly as Python reads it: no surrogate, no detour."""
    cdef unsigned char first = at[0]
    cdef int more = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
    if not 0xC2 <= first <= 0xF4:
        return NULL
    if (
        (first == 0xE0 and at[1] < 0xA0) or (first == 0xED and at[1] >= 0xA0)
        or (first == 0xF0 and at[1] < 0x90) or (first == 0xF4 and at[1] >= 0x90)
    ):
        return NULL
    while more:
        at += 1
        more -= 1
        if at[0] & 0xC0 != 0x80:
            return NULL
    return at + 1


cdef Text escape(Text at) noexcept nogil:
    """What a backslash begins."""
    cdef int i
    if at[1] in (c'"', c"\\", c"/", c"b", c"f", c"n", c"r", c"t"):
        return at + 2
    if at[1] != c"u":
        return NULL
    for i in range(2, 6):
        if not (c"0" <= at[i] <= c"9" or c"a" <= (at[i] | 0x20) <= c"f"):
            return NULL
    return at + 6


cdef Text string(Text at, bint escapes) noexcept nogil:
    """`at`: after the opening quote; `escapes`: whether it may hold some."""
    cdef unsigned char kind
    while True:
        kind = _kind[at[0]]
        if kind == PLAIN:
            at += 1
            continue
        if kind == QUOTE:
            return at + 1
        at = wide(at) if kind == WIDE else escape(at) if kind == ESCAPE and escapes else NULL
        if at == NULL:
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


cdef Text value(Text at, int depth) noexcept nogil:
    cdef unsigned char end
    if at[0] == c'"':
        return string(at + 1, True)
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
            at = string(at + 1, True)
            if at == NULL or at[0] != c":":
                return NULL
            at += 1
        at = value(at, depth - 1)
        if at == NULL:
            return NULL
        if at[0] == end:
            return at + 1
        if at[0] != c",":
            return NULL


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


cdef Text name_or_null(Text at, Span* name) noexcept nogil:
    """A string without escapes, or null; a second one of its name is something else."""
    if name.seen:
        return NULL
    name.seen = True
    if at[0] == c"n":
        return word(at, "null")
    if at[0] != c'"':
        return NULL
    name.at = at + 1
    at = string(name.at, False)
    name.size = at - name.at - 1
    return at


cdef Text member_name(Text at, Span* name) noexcept nogil:
    """The name of a member, without escapes, up to its value."""
    name.seen = False
    at = NULL if at[0] != c'"' else name_or_null(at, name)
    return NULL if at == NULL or at[0] != c":" else at + 1


cdef Text source(Text at, Cut* cut) noexcept nogil:
    """The source block, whose members place the change: see decode/described.py, SourceBlock."""
    cdef Span name
    if at[0] != c"{":
        return NULL
    while True:
        at = member_name(at + 1, &name)
        if at == NULL:
            return NULL
        if named(name.at, name.size, "ts_ms"):
            at = integer(at, &cut.ms, &cut.has_ms)
        elif named(name.at, name.size, "ts_us"):
            at = integer(at, &cut.us, &cut.has_us)
        elif named(name.at, name.size, "db"):
            at = name_or_null(at, &cut.db)
        elif named(name.at, name.size, "schema"):
            at = name_or_null(at, &cut.schema)
        elif named(name.at, name.size, "table"):
            at = name_or_null(at, &cut.table)
        elif named(name.at, name.size, "collection"):
            at = name_or_null(at, &cut.collection)
        else:
            at = value(at, DEPTH)
        if at == NULL or at[0] == c"}":
            return NULL if at == NULL else at + 1
        if at[0] != c",":
            return NULL


cdef inline Text part(Text at, const char* label, Span* span) noexcept nogil:
    at = word(at, label)
    if at == NULL:
        return NULL
    span.at = at
    at = value(at, DEPTH)
    span.size = at - span.at
    return at


cdef Text envelope(Text at, Cut* cut) noexcept nogil:
    """An envelope as Debezium 3 writes it: see decode/envelope.py, quick_parts."""
    cdef Span name
    at = part(at, '{"before":', &cut.before)
    at = NULL if at == NULL else part(at, ',"after":', &cut.after)
    at = NULL if at == NULL else word(at, ',"source":')
    if at == NULL:
        return NULL
    cut.source.at = at
    at = source(at, cut)
    if at == NULL:
        return NULL
    cut.source.size = at - cut.source.at
    at = part(at, ',"transaction":', &cut.transaction)
    if at == NULL or at[0] != c",":
        return NULL
    cut.rest.at = at + 1
    while True:
        at = member_name(at + 1, &name)
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
            at = value(at, DEPTH)
        if at == NULL or at[0] == c"}":
            return NULL if at == NULL or not cut.op else at + 1
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
