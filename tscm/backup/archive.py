"""
An archive as a file: a tar (POSIX ustar) of regular files, compressed with zstd.

Any tar can list and unpack it.  It is read one header at a time, and each size is looked at before anything of
that size is read: what is in the file may be an attacker's.
"""

import hashlib
import tarfile
from collections.abc import Generator, Iterable, Iterator
from typing import BinaryIO

import zstandard
from attrs import define, field, frozen

from tscm.backup.manifest import (
    HEAD,
    MANIFEST,
    Head,
    Manifest,
    Member,
    encode_head,
    encode_manifest,
    members_text,
)
from tscm.backup.passphrase import ArchiveKey

FILES = "files/"
"""What the names of the node's files begin with."""
CHUNK_BYTES = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_USTAR_SIZE = 8**11 - 1
_LEVEL = 3
_MOST_WINDOW = 8 << 20
MOST_MEMBERS = 1_000_000


class NotAnArchive(ValueError):
    """
    What is read is no archive, or is damaged; its text is the cause.
    """


@define(eq=False)
class ArchiveWriter:
    """
    Writes one archive, front to back.
    """

    _file: BinaryIO
    _head: Head
    _key: ArchiveKey | None
    members: list[Member] = field(factory=list, init=False)
    _zstd: zstandard.ZstdCompressionWriter = field(init=False)

    def __attrs_post_init__(self) -> None:
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._zstd = compressor.stream_writer(self._file, closefd=False)
        self._put(HEAD, encode_head(self._head))

    def add(self, path: str, mode: int, size: int, chunks: Iterable[bytes]) -> None:
        """
        One file of the node, of exactly *size* bytes.  Raises `ValueError` for a path that is too long for a tar.
        """
        header = self._header(FILES + path, size, mode)  # here, before anything of it is written
        digest = hashlib.sha256()
        self._zstd.write(header)
        for chunk in chunks:
            digest.update(chunk)
            self._zstd.write(chunk)
        self._zstd.write(bytes(-size % _BLOCK))
        self.members.append(Member(path=path, size=size, digest=digest.hexdigest(), mode=mode))

    def add_secret(self, path: str, mode: int, content: bytes) -> None:
        """One file that only the passphrase opens; there must be one."""
        assert self._key is not None
        data = self._key.encrypt(content, path)
        self._put(FILES + path, data, mode)
        digest = hashlib.sha256(data).hexdigest()
        self.members.append(
            Member(path=path, size=len(data), digest=digest, mode=mode, encrypted=True)
        )

    def close(self) -> None:
        """Write the manifest and the end."""
        members = tuple(self.members)
        seal = None
        if self._key is not None:
            seal = self._key.seal(encode_head(self._head), members_text(members))
        self._put(MANIFEST, encode_manifest(Manifest(members=members, seal=seal)))
        self._zstd.write(bytes(2 * _BLOCK))
        self._zstd.close()

    def _put(self, name: str, data: bytes, mode: int = 0o600) -> None:
        self._zstd.write(self._header(name, len(data), mode))
        self._zstd.write(data + bytes(-len(data) % _BLOCK))

    def _header(self, name: str, size: int, mode: int) -> bytes:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, mode, int(self._head.made_at)
        # Sizes from 8 GB on do not fit into ustar's digits; GNU's form of a number is read everywhere too.
        return info.tobuf(tarfile.GNU_FORMAT if size > _USTAR_SIZE else tarfile.USTAR_FORMAT)


@frozen
class Entry:
    """
    One file in an archive as its header tells it; *chunks* is its content, to be read before the next entry.
    """

    name: str
    size: int
    chunks: Iterator[bytes]

    def content(self, most: int) -> bytes:
        """All of it.  Raises `NotAnArchive` where it is larger than *most* bytes."""
        if self.size > most:
            raise NotAnArchive(f"its file {self.name} is larger than {most:,} bytes")
        return b"".join(self.chunks)


def read_entries(file: BinaryIO) -> Generator[Entry, None, None]:
    """
    The files of an archive, one after the other.  Raises `NotAnArchive`, `OSError`.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
    with decompressor.stream_reader(file, closefd=False) as text:
        for _ in range(MOST_MEMBERS):
            header = _exactly(text, _BLOCK)
            if not header.strip(b"\0"):
                return
            try:
                info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            except tarfile.HeaderError:
                raise NotAnArchive("it is damaged, or not a backup of tscm") from None
            if info.type != tarfile.REGTYPE or info.size < 0:
                raise NotAnArchive("it contains something other than regular files")
            chunks = _chunks(text, info.size)
            yield Entry(info.name, info.size, chunks)
            for _chunk in chunks:
                pass
        raise NotAnArchive(f"it has more than {MOST_MEMBERS:,} files")


def _chunks(text: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        chunk = _exactly(text, min(left, CHUNK_BYTES))
        left -= len(chunk)
        yield chunk
    _exactly(text, -size % _BLOCK)


def _exactly(text: BinaryIO, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        try:
            more = text.read(size - len(found))
        except zstandard.ZstdError:
            raise NotAnArchive("it is damaged, or not a backup of tscm") from None
        if not more:
            raise NotAnArchive("it is incomplete; use another backup")
        found += more
    return bytes(found)
