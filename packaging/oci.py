"""
Pack a root file system into an OCI archive of one layer: `oci.py ROOT.tar ARCHIVE VERSION`.

The archive is an image layout (OCI image specification 1.0) that `podman load`, `skopeo copy oci-archive:` and
`docker load` take.  The same root gives the same archive.
"""

import gzip
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

MEDIA = "application/vnd.oci.image"
CHUNK = 1 << 20
VOLUMES = ("/etc/tscm", "/run/tscm", "/var/lib/tscm", "/var/log/threatstop")
PORTS = ("514/udp", "514/tcp", "1470/tcp")
RUN: dict[str, Any] = {
    "User": "tscm:tscm",
    "ExposedPorts": {port: {} for port in PORTS},
    "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"],
    "Entrypoint": ["/usr/lib/tscm/bin/twistd", "--nodaemon", "--pidfile="],
    "Cmd": ["tscm"],
    "Volumes": {place: {} for place in VOLUMES},
    "WorkingDir": "/",
    "StopSignal": "SIGTERM",
    # Not of the specification: podman and docker read it all the same.  Times are in nanoseconds.
    "Healthcheck": {
        "Test": ["CMD", "/usr/bin/tsadmin", "ledger"],
        "Interval": 60 * 10**9,
        "Timeout": 20 * 10**9,
        "StartPeriod": 30 * 10**9,
    },
}


class Layout:
    """Blobs by digest, and what refers to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs/sha256"
        self.blobs.mkdir(parents=True)

    def put(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Store JSON; gives its descriptor."""
        data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        digest = sha256(data).hexdigest()
        (self.blobs / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    def put_layer(self, tar: Path) -> tuple[dict[str, Any], str]:
        """Store a layer compressed; gives its descriptor, and the digest of what is compressed."""
        new, plain = self.blobs / "new", sha256()
        with (
            tar.open("rb") as source,
            new.open("wb") as target,
            gzip.GzipFile("", "wb", 6, target, mtime=0) as packed,
        ):
            while data := source.read(CHUNK):
                plain.update(data)
                packed.write(data)
        with new.open("rb") as written:
            digest = hashed(written)
        size = new.stat().st_size
        new.rename(self.blobs / digest)
        layer = {
            "mediaType": f"{MEDIA}.layer.v1.tar+gzip",
            "digest": f"sha256:{digest}",
            "size": size,
        }
        return layer, f"sha256:{plain.hexdigest()}"


def hashed(file: io.BufferedReader) -> str:
    """SHA-256 of all that comes, in hex."""
    found = sha256()
    while data := file.read(CHUNK):
        found.update(data)
    return found.hexdigest()


def write_layout(layout: Layout, tar: Path, version: str, at: int) -> None:
    """Everything of the image, into *layout*."""
    created = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    layer, plain = layout.put_layer(tar)
    labels = {
        "org.opencontainers.image.title": "tscm",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "MIT",
    }
    config = {
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": {**RUN, "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [plain]},
        "history": [{"created": created, "created_by": "packaging/image"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": layout.put(f"{MEDIA}.config.v1+json", config),
        "layers": [layer],
        "annotations": labels,
    }
    described = layout.put(f"{MEDIA}.manifest.v1+json", manifest)
    described["annotations"] = {
        "org.opencontainers.image.ref.name": version,
        "io.containerd.image.name": f"localhost/tscm:{version}",
    }
    index = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.index.v1+json",
        "manifests": [described],
    }
    (layout.folder / "index.json").write_text(json.dumps(index, sort_keys=True))
    (layout.folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def pack(folder: Path, archive: Path, at: int) -> None:
    """The files of *folder*, in order and without what differs from run to run."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = at
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as packed:
        for path in sorted(folder.rglob("*")):
            packed.add(path, path.relative_to(folder), recursive=False, filter=plain)


def main(tar: Path, archive: Path, version: str) -> None:
    """Layout and archive; the archive is whole or not there."""
    at = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    archive.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=archive.parent, prefix=".oci-"))
    try:
        write_layout(Layout(folder), tar, version, at)
        new = archive.with_name(f".{archive.name}.new")
        pack(folder, new, at)
        new.rename(archive)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
