"""
`recvmmsg` without a compiler: cffi's ABI mode into one arena, sorted by sender in numpy.

The structures are those of 64-bit Linux; anything else raises `OSError` at the start and takes
the plain way.
"""

import errno
import mmap
import os
import socket
import sys
from typing import Any

from cffi import FFI

from tscm.intake.batch import (
    MAX_BYTES,
    MAX_DATAGRAM,
    MAX_MESSAGES,
    MAX_SENDERS,
    Batch,
    SenderLines,
)
from tscm.syslog.escape import INTRODUCER
from tscm.syslog.framing import Lines, close_messages

_DECLARATIONS = """
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr { void *msg_name; unsigned msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
                void *msg_control; size_t msg_controllen; int msg_flags; };
struct mmsghdr { struct msghdr msg_hdr; unsigned msg_len; };
int recvmmsg(int fd, struct mmsghdr *heads, unsigned count, int flags, void *timeout);
"""
_SLOTS = 1024
_CALL_BYTES = 1 << 18  # a system call is to bring no more, by the sizes of the last
_FEW = 8
_NEAR = 512  # a datagram's first bytes, close together; few are longer
_NAME = 28  # sizeof (struct sockaddr_in6)
_KEEP_FAR = 1 << 20  # of the rests of long datagrams, from one drain to the next


class NumpyDrain:
    """Python touches a batch and, per line, only the join that puts a sender's lines together."""

    name = "numpy"
    max_messages = MAX_MESSAGES
    max_bytes = MAX_BYTES

    def __init__(self, max_message: int) -> None:
        import numpy  # noqa: ICN001 - its types do not reach cffi's buffers, so np is Any

        np: Any = numpy
        if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32 or sys.byteorder == "big":
            raise OSError(errno.ENOSYS, "recvmmsg is supported on 64-bit Linux only")
        ffi = FFI()
        ffi.cdef(_DECLARATIONS)
        self._ffi: Any = ffi
        self._c: Any = ffi.dlopen(None)
        if not hasattr(self._c, "recvmmsg"):
            raise OSError(errno.ENOSYS, "the C library has no recvmmsg")
        self._np = np
        self._max_message = max_message
        far = MAX_DATAGRAM - _NEAR
        self._near = np.zeros((_SLOTS, _NEAR), np.uint8)
        self._far_pages = mmap.mmap(-1, _SLOTS * far)  # untouched pages cost nothing
        self._far = np.frombuffer(self._far_pages, np.uint8).reshape(_SLOTS, far)
        self._far_used = 0
        self._names = np.zeros((_SLOTS, _NAME // 4), np.uint32)
        self._near_bytes = memoryview(self._near.reshape(-1))
        self._rows = np.arange(_SLOTS)
        self._heads: Any = ffi.new("struct mmsghdr[]", _SLOTS)
        self._parts: Any = ffi.new("struct iovec[]", 2 * _SLOTS)
        address = {
            name: ffi.cast("char *", array.ctypes.data)
            for name, array in (("near", self._near), ("far", self._far), ("names", self._names))
        }
        for slot in range(_SLOTS):
            near, rest = self._parts + 2 * slot, self._parts + 2 * slot + 1
            near.iov_base, near.iov_len = address["near"] + slot * _NEAR, _NEAR
            rest.iov_base, rest.iov_len = address["far"] + slot * far, far
            head = self._heads[slot].msg_hdr
            head.msg_iov, head.msg_iovlen = near, 2
            head.msg_name, head.msg_namelen = address["names"] + slot * _NAME, _NAME
        table = np.frombuffer(ffi.buffer(self._heads), np.uint32).reshape(_SLOTS, -1)
        self._lengths = table[:, ffi.offsetof("struct mmsghdr", "msg_len") // 4]
        self._name_lengths = table[:, ffi.offsetof("struct msghdr", "msg_namelen") // 4]

    def __call__(self, taken: socket.socket, max_messages: int, max_bytes: int) -> Batch:
        """See `Drain`."""
        pieces: dict[bytes, list[Lines]] = {}
        datagrams = size = empty = cut = 0
        more, slots = True, _FEW
        while datagrams < max_messages and size < max_bytes and len(pieces) < MAX_SENDERS:
            wanted = min(slots, max_messages - datagrams)
            self._name_lengths[:wanted] = _NAME
            got = self._c.recvmmsg(
                taken.fileno(), self._heads, wanted, socket.MSG_DONTWAIT, self._ffi.NULL
            )
            if got < 0:
                if self._ffi.errno == errno.EINTR:
                    continue
                if self._ffi.errno not in (errno.EAGAIN, errno.EWOULDBLOCK) and not datagrams:
                    raise OSError(self._ffi.errno, os.strerror(self._ffi.errno))
                more = False
                break
            datagrams += got
            lengths = self._lengths[:got]
            brought = int(lengths.sum())
            size += brought
            slots = max(_FEW, min(_SLOTS, _CALL_BYTES // (brought // max(1, got) + 1)))
            if int(lengths.max(initial=0)) > _NEAR:
                self._far_used += int(lengths[lengths > _NEAR].sum())
            lost_empty, lost_cut = self._sort(got, taken.family == socket.AF_INET6, pieces)
            empty += lost_empty
            cut += lost_cut
            if got < wanted:
                more = False
                break
        senders = [SenderLines(key, _joined(found)) for key, found in pieces.items()]
        if self._far_used > _KEEP_FAR:
            self._far_pages.madvise(mmap.MADV_DONTNEED)
            self._far_used = 0
        return Batch(senders, datagrams, empty, cut, more)

    def _sort(self, got: int, wide: bool, pieces: dict[bytes, list[Lines]]) -> tuple[int, int]:
        """Put the datagrams of one call under their senders; how many were empty, and cut."""
        np = self._np
        addresses = np.ascontiguousarray(self._names[:got, 2:6] if wide else self._names[:got, 1:2])
        rows = addresses.view(f"V{addresses.shape[1] * 4}").reshape(-1)
        _, firsts, which = np.unique(rows, return_index=True, return_inverse=True)
        which = which.reshape(-1)
        order = np.argsort(which, kind="stable")
        ends = np.cumsum(np.bincount(which))
        lengths = self._lengths[:got].astype(np.int64)
        bare = self._bare(lengths)
        empty = cut = 0
        for sender in np.argsort(firsts).tolist():  # in the order of their first datagram
            slots = order[ends[sender - 1] if sender else 0 : ends[sender]]
            key = rows[firsts[sender]].tobytes()
            chunk = None if bare is None else self._chunk(slots, bare[slots])
            if chunk is not None:
                pieces.setdefault(key, []).append(Lines(chunk, len(slots)))
                continue
            pairs = zip(slots.tolist(), lengths[slots].tolist(), strict=True)
            closed = close_messages([self._message(*pair) for pair in pairs], self._max_message)
            empty += closed.empty
            cut += closed.cut
            if closed.lines is not None:
                pieces.setdefault(key, []).append(closed.lines)
        return empty, cut

    def _bare(self, lengths: Any) -> Any:
        """
        Lengths without trailers, an LF put behind each message; None where a datagram is
        empty, long or over the limit, so that each must be looked at.
        """
        most = lengths.max()
        if most >= _NEAR or most > self._max_message or not lengths.min():
            return None
        rows = self._rows[: len(lengths)]
        bare = lengths
        for _ in range(3):
            last = self._near[rows, bare - 1]
            trailing = (last == 10) | (last == 13) | (last == 0)
            if not trailing.any():
                break
            bare = bare - trailing
            if not bare.min():
                return None
        self._near[rows, bare] = 10
        return bare

    def _chunk(self, slots: Any, bare: Any) -> bytes | None:
        """One sender's lines in one piece; None where a message holds what must be escaped."""
        starts = slots * _NEAR
        near = self._near_bytes
        pairs = zip(starts.tolist(), (starts + bare + 1).tolist(), strict=True)
        chunk = b"".join([near[start:end] for start, end in pairs])
        clean = (
            b"\0" not in chunk
            and b"\r" not in chunk
            and INTRODUCER not in chunk
            and chunk.count(b"\n") == len(slots)
        )
        return chunk if clean else None

    def _message(self, slot: int, length: int) -> bytes:
        near: bytes = self._near[slot, :length].tobytes()
        return near + self._far[slot, : length - _NEAR].tobytes() if length > _NEAR else near


def _joined(pieces: list[Lines]) -> Lines:
    if len(pieces) == 1:
        return pieces[0]
    return Lines(
        b"".join([one.data for one in pieces]),
        sum(one.count for one in pieces),
        any(one.escaped for one in pieces),
    )
