"""
Pack a disk into an OVA: `ova.py DISK.vmdk OVA VERSION SIZE_GIB`.

The disk is a stream-optimized VMDK; two processors, 2 GiB, one VmxNet3 interface (OVF 1.1, DSP0243).
"""

import io
import os
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

OVF = """\
<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" \
xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" \
xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References><File ovf:href="{disk}" ovf:id="file1" ovf:size="{bytes}"/></References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:capacity="{gib}" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="disk1" ovf:fileRef="file1" \
ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection><Info>Networks</Info><Network ovf:name="VM Network"><Description>Firewalls</Description></Network>\
</NetworkSection>
  <VirtualSystem ovf:id="tscm">
    <Info>tscm {version}</Info><Name>tscm</Name>
    <OperatingSystemSection ovf:id="96"><Info>Debian 64-bit</Info></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Hardware</Info>
      <System><vssd:ElementName>Hardware</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>\
<vssd:VirtualSystemType>vmx-14</vssd:VirtualSystemType></System>
{items}
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""
ITEMS: tuple[dict[str, object], ...] = (
    {"AllocationUnits": "hertz * 10^6", "ElementName": "2 CPUs", "InstanceID": 1, "ResourceType": 3,
     "VirtualQuantity": 2},
    {"AllocationUnits": "byte * 2^20", "ElementName": "2048 MB", "InstanceID": 2, "ResourceType": 4,
     "VirtualQuantity": 2048},
    {"Address": 0, "ElementName": "SCSI", "InstanceID": 3, "ResourceSubType": "lsilogic", "ResourceType": 6},
    {"AddressOnParent": 0, "ElementName": "Disk", "HostResource": "ovf:/disk/disk1", "InstanceID": 4,
     "Parent": 3, "ResourceType": 17},
    {"AddressOnParent": 7, "AutomaticAllocation": "true", "Connection": "VM Network", "ElementName": "Ethernet",
     "InstanceID": 5, "ResourceSubType": "VmxNet3", "ResourceType": 10},
)  # fmt: skip


def item(fields: dict[str, object]) -> str:
    """A piece of hardware; the elements of one stand in the order of their names."""
    inside = "".join(f"<rasd:{name}>{fields[name]}</rasd:{name}>" for name in sorted(fields))
    return f"      <Item>{inside}</Item>"


def hashed(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    found = sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            found.update(data)
    return found.hexdigest()


def main(disk: Path, ova: Path, version: str, gib: int) -> None:
    """OVF first, then its sums, then the disk, as importers expect."""
    name = f"tscm-{version}"
    ovf = OVF.format(
        disk=f"{name}.vmdk",
        bytes=disk.stat().st_size,
        gib=gib,
        version=version,
        items="\n".join(map(item, ITEMS)),
    ).encode()
    sums = (
        f"SHA256({name}.ovf)= {sha256(ovf).hexdigest()}\nSHA256({name}.vmdk)= {hashed(disk)}\n"
    ).encode()
    at = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    with tarfile.open(ova, "w", format=tarfile.USTAR_FORMAT) as packed:
        for member, content in ((f"{name}.ovf", ovf), (f"{name}.mf", sums)):
            info = tarfile.TarInfo(member)
            info.size, info.mtime, info.mode = len(content), at, 0o644
            packed.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo(f"{name}.vmdk")
        info.size, info.mtime, info.mode = disk.stat().st_size, at, 0o644
        with disk.open("rb") as file:
            packed.addfile(info, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
