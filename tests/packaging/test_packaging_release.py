"""
Image and bill of materials of a release: whole, and the same for the same content.
"""

import gzip
import importlib.util
import json
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def loaded(name: str) -> ModuleType:
    """A script of `packaging/` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


yaml = pytest.importorskip("yaml")
OCI, SBOM = loaded("oci"), loaded("sbom")


def root_archive(folder: Path, status: str = "") -> Path:
    (folder / "root/var/lib/dpkg").mkdir(parents=True)
    (folder / "root/var/lib/dpkg/status").write_text(status)
    with tarfile.open(folder / "root.tar", "w") as packed:
        packed.add(folder / "root", ".")
    return folder / "root.tar"


def test_the_same_root_gives_the_same_image_and_every_digest_in_it_is_right(tmp_path: Path) -> None:
    root = root_archive(tmp_path)
    for name in ("a", "b"):
        OCI.main(root, tmp_path / name, "1.2.3")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]
    with tarfile.open(tmp_path / "a") as packed:
        blobs = {
            one.name.rpartition("/")[2]: packed.extractfile(one).read()  # type: ignore[union-attr]
            for one in packed
            if one.isfile() and one.name.startswith("blobs/")
        }
        index = json.load(packed.extractfile("index.json"))  # type: ignore[arg-type]
    assert all(sha256(content).hexdigest() == name for name, content in blobs.items())

    def blob(descriptor: Any) -> bytes:
        content = blobs[descriptor["digest"].removeprefix("sha256:")]
        assert len(content) == descriptor["size"]
        return content

    manifest = json.loads(blob(index["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    layer = gzip.decompress(blob(manifest["layers"][0]))
    assert layer == root.read_bytes()
    assert config["rootfs"]["diff_ids"] == [f"sha256:{sha256(layer).hexdigest()}"]


def wheel(folder: Path, name: str, *said: str) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as packed:
        lines = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *said, "", ""]
        packed.writestr(f"{name}-1.0.dist-info/METADATA", "\n".join(lines))
        packed.writestr(f"{name}-1.0.dist-info/licenses/LICENSE", f"terms of {name}")


def test_a_bill_lists_what_is_shipped_with_its_licence_and_nothing_else(tmp_path: Path) -> None:
    wheels, out = tmp_path / "wheels", tmp_path / "out"
    wheel(wheels, "Some_Lib", "License-Expression: BSD-3-Clause")
    wheel(wheels, "other", "Classifier: License :: OSI Approved :: MIT License")
    wheel(wheels, "tool", "License: MIT")
    (wheels / "run.txt").write_text("some-lib==1.0 \\\n    --hash=sha256:00\n")
    (wheels / "web.txt").write_text("other==1.0 \\\n    --hash=sha256:00\n")
    out.mkdir()
    status = (
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.41-1+b1\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    OCI.main(root_archive(tmp_path, status), tmp_path / "image", "1.0")
    SBOM.main("1.0", wheels, out, tmp_path / "image")
    bill = json.loads((out / "tscm-1.0.cdx.json").read_text())
    assert [one["purl"] for one in bill["components"]] == [
        "pkg:pypi/other@1.0",
        "pkg:pypi/some-lib@1.0",
    ]
    image = json.loads((out / "tscm-1.0-image.cdx.json").read_text())
    assert image["components"][-1]["purl"] == "pkg:deb/debian/libc6@2.41-1%2Bb1?arch=amd64"
    assert len(image["components"]) == 3
    told = (out / "tscm-1.0.licenses.txt").read_text()
    assert "terms of Some_Lib" in told
    assert "tool" not in told


def test_a_library_without_a_licence_or_without_its_wheel_stops_a_release(tmp_path: Path) -> None:
    wheel(tmp_path, "silent")
    (tmp_path / "web.txt").write_text("")
    (tmp_path / "run.txt").write_text("silent==1.0 \\\n")
    with pytest.raises(SystemExit, match="says nothing of its licence"):
        SBOM.main("1.0", tmp_path, tmp_path, None)
    (tmp_path / "run.txt").write_text("absent==1.0 \\\n")
    with pytest.raises(SystemExit, match="no wheel of absent"):
        SBOM.main("1.0", tmp_path, tmp_path, None)


def test_the_compose_file_gives_no_service_more_than_the_image_is_checked_with() -> None:
    services = yaml.safe_load((ROOT / "etc/compose.yaml").read_text())["services"]
    version = (ROOT / "pyproject.toml").read_text().partition('\nversion = "')[2]
    for one in services.values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one.get("cap_add", ["NET_BIND_SERVICE"]) == ["NET_BIND_SERVICE"]
        assert not {"privileged", "user", "pid", "devices"} & one.keys()
        assert one["image"] == f"localhost/tscm:{version.partition(chr(34))[0]}"
    mounted = {place.split(":")[1] for place in services["manager"]["volumes"]}
    assert mounted == set(OCI.VOLUMES)
