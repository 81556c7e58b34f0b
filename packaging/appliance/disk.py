"""
Write a bootable disk out of a root's files, without loop devices and mounts: `disk.py ROOT UUID DISK SIZE_GIB`.

GPT with three partitions: GRUB for BIOS, the EFI system partition with GRUB, and the root (ext4).  Needs mke2fs, mtools
and GRUB's modules for both.
"""

import struct
import subprocess
import sys
import tempfile
import uuid
import zlib
from pathlib import Path

SECTOR = 512
MIB = 1 << 20
BIOS, EFI, ROOT = 1 * MIB, 2 * MIB, 66 * MIB
TYPES = {
    BIOS: "21686148-6449-6E6F-744E-656564454649",
    EFI: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    ROOT: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
}
NAMES = {BIOS: "bios", EFI: "efi", ROOT: "root"}
MODULES = (
    "part_gpt ext2 search search_fs_uuid configfile normal linux echo test ls serial terminal gzio"
)
GRUB = Path("/usr/lib/grub")
ENTRIES, ENTRY = 128, 128


def run(*words: str) -> None:
    """A program that must succeed."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def grub_image(folder: Path, platform: str, modules: str, identity: str) -> bytes:
    """GRUB with all that it needs to read the root's menu."""
    early, image = folder / "early.cfg", folder / platform
    early.write_text(
        f"search.fs_uuid {identity} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    )
    run(
        *("grub-mkimage", "-O", platform, "-o", str(image), "-c", str(early)),
        *("-p", "/boot/grub", *MODULES.split(), *modules.split()),
    )
    return image.read_bytes()


def boot_sector(core: int) -> bytes:
    """GRUB's first sector, which reads the sector *core* (grub's boot.S: kernel_sector, boot_drive_check)."""
    sector = bytearray((GRUB / "i386-pc/boot.img").read_bytes())
    struct.pack_into("<Q", sector, 0x5C, core)
    sector[0x66:0x68] = b"\x90\x90"  # trust the BIOS's number of the drive
    return bytes(sector[:440])


def with_place(image: bytes, core: int) -> bytes:
    """core.img whose first sector knows where the others are (grub's diskboot.S: the last block list)."""
    sectors = (len(image) + SECTOR - 1) // SECTOR
    patched = bytearray(image.ljust(sectors * SECTOR, b"\0"))
    struct.pack_into("<QHH", patched, SECTOR - 12, core + 1, sectors - 1, 0x820)
    return bytes(patched)


def table(size: int, identity: str) -> tuple[bytes, bytes, bytes]:
    """Protective MBR's partition entry and signature, and both headers with the entries between (UEFI, chapter 5)."""
    last = size // SECTOR - 1
    starts = [BIOS, EFI, ROOT]
    ends = [EFI, ROOT, size - MIB]
    entries = b""
    for start, end in zip(starts, ends, strict=True):
        own = uuid.uuid5(uuid.UUID(identity), NAMES[start])
        entries += uuid.UUID(TYPES[start]).bytes_le + own.bytes_le
        entries += struct.pack("<QQQ", start // SECTOR, end // SECTOR - 1, 0)
        entries += NAMES[start].encode("utf-16-le").ljust(72, b"\0")
    entries = entries.ljust(ENTRIES * ENTRY, b"\0")
    blocks = len(entries) // SECTOR
    disk = uuid.uuid5(uuid.UUID(identity), "disk").bytes_le

    def header(own: int, other: int, at: int) -> bytes:
        def packed(crc: int) -> bytes:
            return struct.pack(
                "<8sIIIIQQQQ16sQIII",
                *(b"EFI PART", 0x10000, 92, crc, 0, own, other, 2 + blocks, last - blocks - 1),
                *(disk, at, ENTRIES, ENTRY, zlib.crc32(entries)),
            )

        return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")

    mbr = bytearray(72)  # from offset 440
    struct.pack_into(
        "<B3sB3sII", mbr, 6, 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF)
    )
    mbr[70:72] = b"\x55\xaa"
    first = header(1, last, 2) + entries
    return bytes(mbr), first, entries + header(last, 1, last - blocks)


def efi_partition(folder: Path, image: bytes) -> bytes:
    """A FAT file system with GRUB where every firmware looks."""
    file, grub = folder / "esp", folder / "BOOTX64.EFI"
    grub.write_bytes(image)
    with file.open("wb") as made:
        made.truncate(ROOT - EFI)
    run("mformat", "-i", str(file), "-F", "-v", "EFI", "::")
    run("mmd", "-i", str(file), "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", str(file), str(grub), "::/EFI/BOOT/BOOTX64.EFI")
    return file.read_bytes()


def main(root: Path, identity: str, disk: Path, gib: int) -> None:
    """Write it; what is not used stays a hole of the file."""
    size, core = gib << 30, BIOS // SECTOR
    with tempfile.TemporaryDirectory(dir=disk.parent) as name:
        folder = Path(name)
        bios = with_place(grub_image(folder, "i386-pc", "biosdisk", identity), core)
        if len(bios) > EFI - BIOS:
            raise SystemExit("disk: GRUB for BIOS does not fit into its partition")
        efi = efi_partition(folder, grub_image(folder, "x86_64-efi", "fat efi_gop", identity))
    mbr, first, second = table(size, identity)
    with disk.open("wb") as made:
        made.truncate(size)
        for at, content in (
            (0, boot_sector(core) + mbr),
            (SECTOR, first),
            (BIOS, bios),
            (EFI, efi),
            (size - len(second), second),
        ):
            made.seek(at)
            made.write(content)
    blocks = (size - MIB - ROOT) // 4096
    run(
        *("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-U", identity, "-L", "tscm"),
        *("-E", f"offset={ROOT},lazy_itable_init=1,lazy_journal_init=1,hash_seed={identity}"),
        *("-d", str(root), str(disk), str(blocks)),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
