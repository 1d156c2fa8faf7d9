"""Avro's binary encoding, see format/avro.py: how long it will be, and where the next goes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy


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
