"""
Archives as bytes: what was written is read, and nothing else is.
"""

import io
import json
import tarfile
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tscm.backup.archive import FILES, ArchiveWriter, NotAnArchive, read_entries
from tscm.backup.errors import ArchiveRefused, PassphraseWrong
from tscm.backup.manifest import (
    HEAD,
    MANIFEST,
    Head,
    decode_head,
    decode_manifest,
    encode_head,
)
from tscm.backup.passphrase import archive_key
from tscm.backup.restore import check_archive
from tscm.base.secrets import Secret

PASSPHRASE = Secret("correct horse battery")
SALT = bytes(16)
KEY = archive_key(PASSPHRASE.reveal(), SALT)
TOML = "etc/tscm/tscm.toml"


def head(**changes: Any) -> Head:
    table: dict[str, Any] = {
        "version": "0.1.0",
        "schema": 1,
        "host": "old",
        "made_at": 1_800_000_000.0,
        "logs": False,
        "uploads": False,
        "salt": SALT.hex(),
    }
    return Head(**{**table, **changes})


def archive(files: dict[str, bytes], secret: bytes = b"key", **changes: Any) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out, head(**changes), KEY)
    for path, content in files.items():
        writer.add(path, 0o640, len(content), iter([content[:3], content[3:]]))
    writer.add_secret("var/lib/tscm/key", 0o600, secret)
    writer.close()
    return out.getvalue()


def packed(*files: tuple[str, bytes]) -> bytes:
    """An archive as an attacker makes it: any names, in any order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return zstandard.ZstdCompressor().compress(out.getvalue())


def test_what_was_written_is_read() -> None:
    data = archive({TOML: b"[listen]\n", "var/lib/tscm/ledger": b""})
    entries = [(one.name, b"".join(one.chunks)) for one in read_entries(io.BytesIO(data))]
    names = [name for name, _ in entries]
    assert names[0] == HEAD
    assert names[-1] == MANIFEST
    assert dict(entries)[FILES + TOML] == b"[listen]\n"
    assert b"key" not in dict(entries)[FILES + "var/lib/tscm/key"]
    checked = check_archive("a", io.BytesIO(data), PASSPHRASE)
    assert [one.path for one in checked.manifest.members] == [
        TOML,
        "var/lib/tscm/ledger",
        "var/lib/tscm/key",
    ]
    assert checked.authentic


def test_another_tar_reads_it() -> None:
    data = archive({TOML: b"[listen]\n"})
    text = zstandard.ZstdDecompressor().stream_reader(data).read()
    with tarfile.open(fileobj=io.BytesIO(text)) as tar:
        member = tar.extractfile(FILES + TOML)
        assert member is not None
        assert member.read() == b"[listen]\n"


def test_a_wrong_passphrase_is_told() -> None:
    data = archive({TOML: b""})
    with pytest.raises(PassphraseWrong, match="passphrase is wrong"):
        check_archive("a", io.BytesIO(data), Secret("another passphrase"))


def test_without_the_passphrase_it_is_whole_and_not_authentic() -> None:
    assert not check_archive("a", io.BytesIO(archive({TOML: b""})), None).authentic


def test_a_changed_file_with_a_manifest_made_again_is_refused() -> None:
    entries = {
        one.name: b"".join(one.chunks) for one in read_entries(io.BytesIO(archive({TOML: b"good"})))
    }
    other = {
        one.name: b"".join(one.chunks) for one in read_entries(io.BytesIO(archive({TOML: b"evil"})))
    }
    manifest = json.loads(other[MANIFEST])
    manifest["seal"] = json.loads(entries[MANIFEST])["seal"]
    forged = {**other, HEAD: entries[HEAD], MANIFEST: json.dumps(manifest).encode()}
    names = [HEAD, FILES + TOML, FILES + "var/lib/tscm/key", MANIFEST]
    data = packed(*((name, forged[name]) for name in names))
    assert not check_archive("a", io.BytesIO(data), None).authentic
    with pytest.raises(PassphraseWrong):
        check_archive("a", io.BytesIO(data), PASSPHRASE)
    del manifest["seal"]
    forged[MANIFEST] = json.dumps(manifest).encode()
    data = packed(*((name, forged[name]) for name in names))
    with pytest.raises(ArchiveRefused, match="seal was removed"):
        check_archive("a", io.BytesIO(data), None)


@pytest.mark.parametrize(
    "path",
    [
        "../etc/passwd",
        "etc/tscm/../../etc/passwd",
        "/etc/tscm/tscm.toml",
        "etc/tscm//x",
        "etc/passwd",
        "var/lib/tscm/lock",
        "run/tscm/control.sock",
        "var/lib/tscm/unheard-of",
    ],
)
def test_a_path_that_is_not_a_node_s_is_refused(path: str) -> None:
    with pytest.raises(ArchiveRefused, match="does not belong to a node"):
        check_archive("a", io.BytesIO(archive({path: b"x"})), None)


def test_no_link_and_no_device_is_taken() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(FILES + TOML)
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    data = zstandard.ZstdCompressor().compress(out.getvalue())
    with pytest.raises(NotAnArchive, match="regular files"):
        list(read_entries(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ([], "not a backup"),
        ([("x", b"")], "not a backup"),
        ([(HEAD, b"[]")], "not a backup"),
        ([(HEAD, b'{"format": 1}')], "not a backup"),
        ([(HEAD, b'{"format": 9, "version": "7.0"}')], "install the version that made it"),
        ([(HEAD, b'{"format": 1, "version": "1"}')], "schema is damaged"),
        ([(HEAD, b" " * 70_000)], "larger than"),
        ([(HEAD, encode_head(head(schema=999)))], "supports at most"),
        ([(HEAD, encode_head(head()))], "incomplete"),
        ([(HEAD, encode_head(head())), ("y", b"")], "unknown"),
        ([(HEAD, encode_head(head())), (MANIFEST, b'{"members": 1}')], "members is damaged"),
        ([(HEAD, encode_head(head())), (MANIFEST, b'{"members": [1]}')], "manifest is damaged"),
        (
            [(HEAD, encode_head(head(salt=None))), (MANIFEST, b'{"members": []}'), (HEAD, b"")],
            "has data after",
        ),
        (
            [
                (HEAD, encode_head(head(salt=None))),
                (FILES + TOML, b""),
                (MANIFEST, b'{"members": []}'),
            ],
            "is not in its manifest",
        ),
    ],
)
def test_what_is_no_backup_is_refused_with_a_cause(
    files: list[tuple[str, bytes]], cause: str
) -> None:
    with pytest.raises(ArchiveRefused, match=cause):
        check_archive("a", io.BytesIO(packed(*files)), None)


GOOD = archive({TOML: b"[listen]\n" * 50, "var/lib/tscm/ledger": bytes(range(256)) * 20})


MEMBERS = check_archive("a", io.BytesIO(GOOD), None).manifest.members


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_changes_what_is_restored(at: int, mask: int) -> None:
    data = bytearray(GOOD)
    data[at] ^= mask
    try:
        checked = check_archive("a", io.BytesIO(bytes(data)), None)
    except ArchiveRefused:
        return
    assert checked.manifest.members == MEMBERS  # what is changed is the seal, or means nothing


@given(st.integers(0, len(GOOD) - 9))
def test_a_truncated_archive_is_refused(end: int) -> None:
    with pytest.raises(ArchiveRefused):
        check_archive("a", io.BytesIO(GOOD[:end]), None)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(ArchiveRefused):
        check_archive("a", io.BytesIO(data), None)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_head_and_manifest_of_any_json_raise_values_alone(value: Any) -> None:
    for name in ("format", "members", "schema"):
        data = json.dumps({"format": 1, "version": "1", name: value}).encode()
        for decode in (decode_head, decode_manifest):
            with pytest.raises(ValueError):
                decode(data)
        break


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    info = tarfile.TarInfo(HEAD)
    info.size = 8 << 30
    text = zstandard.ZstdCompressor().compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    with pytest.raises(ArchiveRefused, match="larger than"):
        check_archive("a", io.BytesIO(text), None)
