"""
What a release holds, for machines and for people: `sbom.py VERSION WHEELS OUT [ARCHIVE]`.

Writes `tscm-VERSION.cdx.json` (CycloneDX 1.5) and `tscm-VERSION.licenses.txt` into OUT: the wheels in the packages with
versions, hashes and licences, and, with the OCI ARCHIVE, the Debian packages of the image in
`tscm-VERSION-image.cdx.json`.  What a wheel says of its licence is taken as it says it; a wheel without a word is an error.
"""

import json
import os
import re
import sys
import tarfile
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesHeaderParser
from hashlib import sha256
from pathlib import Path
from typing import Any

_CLASSIFIER = "License :: OSI Approved :: "
_LICENSE_FILE = re.compile(
    r"[^/]+\.dist-info/(licenses/.*|.*(LICEN[CS]E|COPYING|NOTICE)[^/]*)", re.IGNORECASE
)
_SPDX = re.compile(r"[A-Za-z0-9.+() -]+")
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


class Wheel:
    """What a wheel says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
            metadata = next(one for one in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", one))
            self.said: Message = BytesHeaderParser().parsebytes(packed.read(metadata))
            self.texts = {
                one: packed.read(one).decode("utf-8", "replace")
                for one in sorted(names)
                if _LICENSE_FILE.fullmatch(one) and not one.endswith("/")
            }

    @property
    def name(self) -> str:
        """As the index has it."""
        return re.sub(r"[-_.]+", "-", str(self.said["Name"])).lower()

    @property
    def version(self) -> str:
        """Of the wheel."""
        return str(self.said["Version"])

    def licence(self) -> str:
        """In its own words; raises `SystemExit` where there are none."""
        told = self.said.get("License-Expression")
        if told:
            return str(told)
        classified = [
            one.removeprefix(_CLASSIFIER)
            for one in self.said.get_all("Classifier", [])
            if one.startswith(_CLASSIFIER)
        ]
        first = str(self.said.get("License") or "").strip().partition("\n")[0]
        found = " AND ".join(classified) or first
        if not found:
            raise SystemExit(f"sbom: {self.path.name} says nothing of its licence")
        return found

    def component(self) -> dict[str, Any]:
        """For the bill of materials."""
        licence = self.licence()
        spdx = self.said.get("License-Expression") and _SPDX.fullmatch(licence)
        licences = [{"expression": licence}] if spdx else [{"license": {"name": licence}}]
        purl = f"pkg:pypi/{self.name}@{self.version}"
        digest = sha256(self.path.read_bytes()).hexdigest()
        return {
            "type": "library",
            "bom-ref": purl,
            "name": self.name,
            "version": self.version,
            "purl": purl,
            "licenses": licences,
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }


def shipped(wheels: Path) -> list[Wheel]:
    """The wheels that are put into the packages: those of the tools that build them are not."""
    wanted = {
        re.sub(r"[-_.]+", "-", name).lower()
        for file in ("run.txt", "web.txt")
        for name in _PINNED.findall((wheels / file).read_text("utf-8"))
    }
    found = {
        one.name: one for one in map(Wheel, sorted(wheels.glob("*.whl"))) if one.name in wanted
    }
    if missing := wanted - found.keys():
        raise SystemExit(f"sbom: no wheel of {', '.join(sorted(missing))} in {wheels}")
    return [found[name] for name in sorted(found)]


def bill(version: str, kind: str, components: list[dict[str, Any]]) -> dict[str, Any]:
    """A bill of materials; the same content gives the same one."""
    at = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    content = json.dumps(components, sort_keys=True)
    purl = f"pkg:generic/tscm@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, purl + content)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": kind,
                "bom-ref": purl,
                "name": "tscm",
                "version": version,
                "purl": purl,
                "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": components,
        "dependencies": [{"ref": purl, "dependsOn": [one["bom-ref"] for one in components]}],
    }


def debian_packages(archive: Path) -> Iterator[dict[str, Any]]:
    """The packages in the image, as dpkg knows them."""
    with tarfile.open(archive) as image:

        def read(digest: str) -> Any:
            found = image.extractfile(f"blobs/sha256/{digest.partition(':')[2]}")
            assert found is not None
            return found

        index = image.extractfile("index.json")
        assert index is not None
        manifest = json.load(read(json.load(index)["manifests"][0]["digest"]))
        with tarfile.open(fileobj=read(manifest["layers"][0]["digest"]), mode="r|gz") as layer:
            for member in layer:
                if member.name.removeprefix("./") == "var/lib/dpkg/status":
                    file = layer.extractfile(member)
                    assert file is not None
                    status = file.read().decode("utf-8")
                    break
            else:
                raise SystemExit("sbom: the image has no list of packages")
    for block in status.strip().split("\n\n"):
        said = dict(
            re.findall(r"^(Package|Version|Architecture|Status): (.*)$", block, re.MULTILINE)
        )
        if said.get("Status") == "install ok installed":
            purl = (
                f"pkg:deb/debian/{said['Package']}@{said['Version'].replace('+', '%2B')}"
                f"?arch={said['Architecture']}"
            )
            yield {
                "type": "library",
                "bom-ref": purl,
                "name": said["Package"],
                "version": said["Version"],
                "purl": purl,
            }


def licences(wheels: list[Wheel]) -> str:
    """All licences: a table, and the texts that the wheels carry."""
    rows = [f"{one.name:28} {one.version:16} {one.licence()}" for one in wheels]
    texts = [
        f"\n{'=' * 80}\n{one.name} {one.version}: {name.partition('/')[2]}\n{'=' * 80}\n\n{text.rstrip()}\n"
        for one in wheels
        for name, text in one.texts.items()
    ]
    head = "Libraries in the packages of tscm, each with its version and its licence.\n"
    return "\n".join([head, *rows, *texts])


def main(version: str, wheels: Path, out: Path, archive: Path | None) -> None:
    """Write the files."""
    found = shipped(wheels)
    components = [one.component() for one in found]

    def put(name: str, content: str) -> None:
        (out / name).write_text(content, "utf-8")

    whole = bill(version, "application", components)
    put(f"tscm-{version}.cdx.json", json.dumps(whole, indent=1, sort_keys=True) + "\n")
    put(f"tscm-{version}.licenses.txt", licences(found))
    if archive is not None:
        inside = [*components, *sorted(debian_packages(archive), key=lambda one: one["purl"])]
        image = bill(version, "container", inside)
        put(f"tscm-{version}-image.cdx.json", json.dumps(image, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(
        sys.argv[1],
        Path(sys.argv[2]),
        Path(sys.argv[3]),
        Path(sys.argv[4]) if len(sys.argv) > 4 else None,
    )
