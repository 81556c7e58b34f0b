"""
Uploads that the log service keeps: how long, how much, and that a deleted one is still known.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.services_process import start, stop
from tests.services.test_services_uploads import LogPeer
from tscm.services import receipts, uploads
from tscm.services.entries import add_entry
from tscm.services.receipts import NAME, Receipts, Stored, read_receipts, rewrite_receipts
from tscm.services.upload_retention import (
    AGE,
    COUNT,
    DELETE_MB,
    MIN_FREE_FILES,
    REFUSE_MB,
    SIZE,
    SPACE,
    DeviceUploads,
    Space,
    UploadBounds,
    doomed,
    refusal,
)
from tscm.services.uploads import delete, read_stored, uploads_folder
from tscm.settings.layout import Layout

MB = 1 << 20
DAY = 86400.0
NOW = 100 * DAY
ROOM = Space(1 << 50)
BOUNDS = UploadBounds(max_age_days=30, max_mb_per_device=100, max_batches_per_device=10)
DEVICE = "tdid_abcd1234"


def stored(batch: str, *, at: float = NOW, size: int = MB, lines: int = 3) -> Stored:
    digest = bytes(32)
    name = f"{batch}~{lines}~{digest.hex()}.log"
    return Stored(batch=batch, lines=lines, digest=digest, size=size, at=at, name=name)


def device(*batches: Stored) -> DeviceUploads:
    made = DeviceUploads()
    for one in batches:
        made.add(one)
    return made


def names(
    found: Mapping[str, DeviceUploads],
    bounds: UploadBounds = BOUNDS,
    space: Space = ROOM,
    most: int = 100,
) -> list[tuple[str, str, str]]:
    return [(of, one.batch, why) for of, one, why in doomed(found, bounds, NOW, space, most)]


def test_what_is_too_old_goes() -> None:
    found = {"a": device(stored("1", at=NOW - 31 * DAY), stored("2", at=NOW - 29 * DAY))}
    assert names(found) == [("a", "1", AGE)]


def test_of_each_device_what_is_over_its_quota_goes_oldest_first() -> None:
    large = {
        "a": device(*(stored(str(at), at=NOW - 9 + at, size=40 * MB) for at in range(4))),
        "b": device(stored("only", size=90 * MB)),
    }
    assert names(large) == [("a", "0", SIZE), ("a", "1", SIZE)]


def test_a_device_has_no_more_files_than_its_bound() -> None:
    many = {"a": device(*(stored(str(at), size=1) for at in range(12)))}
    assert names(many) == [("a", "0", COUNT), ("a", "1", COUNT)]


def test_copies_go_before_retention_has_to_take_an_original() -> None:
    found = {
        "a": device(stored("young", at=NOW - 1), stored("youngest", at=NOW)),
        "b": device(stored("old", at=NOW - 5), stored("older", at=NOW - 2)),
    }
    bounds = UploadBounds(min_free_mb=512)
    enough = (512 + DELETE_MB) * MB
    assert names(found, bounds, Space(enough)) == []
    assert names(found, bounds, Space(enough - 1)) == [("b", "old", SPACE)]
    assert names(found, bounds, Space(enough - 2 * MB - 1)) == [
        ("b", "old", SPACE),
        ("b", "older", SPACE),
        ("a", "young", SPACE),
    ]
    assert len(names(found, bounds, Space(0))) == 4
    assert names(found, bounds, Space(enough, MIN_FREE_FILES - 1)) == [("b", "old", SPACE)]


def test_uploads_are_refused_above_where_anything_is_deleted() -> None:
    bounds = UploadBounds(min_free_mb=512)
    mark = (512 + REFUSE_MB) * MB
    assert bounds.refuse_below > bounds.delete_below > 512 * MB
    assert refusal(bounds, Space(mark + MB), MB) is None
    assert "below 768 MB it accepts none" in str(refusal(bounds, Space(mark + MB), MB + 1))
    assert "free inodes" in str(refusal(bounds, Space(1 << 50, MIN_FREE_FILES - 1), 0))


@given(
    sizes=st.lists(st.integers(0, 300 * MB), max_size=30),
    ages=st.lists(st.integers(0, 60), max_size=30),
    free=st.integers(0, 2000),
)
def test_what_stays_is_within_the_bounds(sizes: list[int], ages: list[int], free: int) -> None:
    rows = sorted(zip(ages, sizes, strict=False), reverse=True)
    found = {
        "a": device(
            *(stored(str(at), at=NOW - age * DAY, size=size) for at, (age, size) in enumerate(rows))
        )
    }
    space, bounds = free * MB, UploadBounds(max_age_days=30, max_mb_per_device=500, min_free_mb=100)
    before = found["a"].kept.bytes
    while going := doomed(found, bounds, NOW, Space(space), 3):
        for _, one, _ in going:
            found["a"].delete(one)
            space += one.size
    kept = found["a"]
    assert kept.kept.bytes == sum(one.size for one in kept.batches.values()) <= 500 * MB
    assert all(NOW - one.at <= 30 * DAY for one in kept.batches.values())
    assert space >= bounds.delete_below or not kept.batches
    assert kept.receipts.total.bytes + kept.kept.bytes == before
    assert all(kept.known(str(at)) is not None for at in range(len(rows)))


def put(portal: Path, *batches: Stored) -> Path:
    folder = uploads_folder(portal, DEVICE)
    folder.mkdir(parents=True, exist_ok=True)
    for one in batches:
        (folder / one.name).write_bytes(b"x" * one.size)
        os.utime(folder / one.name, (one.at, one.at))
    return folder


def test_a_receipt_is_there_before_its_batch_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = stored("b1", size=10), stored("b2", size=20)
    folder = put(tmp_path, one, two)

    def refused(self: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        assert delete(tmp_path, DEVICE, [one, two]) == ([], "Read-only file system")
    assert (folder / one.name).exists()
    found = read_stored(tmp_path)[DEVICE]  # the next start ends what was begun
    assert not found.batches
    assert set(found.receipts.known) == {"b1", "b2"}
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (found.receipts.total.batches, found.receipts.total.bytes) == (2, 30)


def test_a_full_disk_can_be_made_room_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = stored("b1", size=10), stored("b2", size=20)
    folder = put(tmp_path, one, two)
    real, seen = receipts.write_receipts, []

    def full(where: Path, batches: list[Stored]) -> None:
        seen.append((folder / one.name).stat().st_size)
        if len(seen) == 1:
            raise OSError(28, "No space left on device")
        real(where, batches)

    monkeypatch.setattr(uploads, "write_receipts", full)
    assert delete(tmp_path, DEVICE, [one, two]) == ([one, two], "")
    assert seen == [10, 0]
    assert set(read_receipts(folder).known) == {"b1", "b2"}


def test_a_file_that_was_emptied_is_a_receipt_after_a_crash(tmp_path: Path) -> None:
    one = stored("b1", size=0, lines=5)
    folder = put(tmp_path, one)
    found = read_stored(tmp_path)[DEVICE]
    assert not found.batches
    assert found.known("b1") is not None
    assert not (folder / one.name).exists()


def test_a_receipt_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    folder = put(tmp_path)
    receipts.write_receipts(folder, [stored("b1"), stored("b2")])
    path = folder / NAME
    path.write_bytes(path.read_bytes()[:-20])
    receipts.write_receipts(folder, [stored("b3")])
    assert list(read_receipts(folder).known) == ["b1", "b3"]


def test_receipts_are_bounded_and_their_sums_are_not_lost(tmp_path: Path) -> None:
    found = Receipts()
    for at in range(7):
        found.add(stored(f"b{at}", size=10))
    assert found.drop_oldest(most=3)
    folder = put(tmp_path)
    rewrite_receipts(folder, found.content())
    again = read_receipts(folder)
    assert list(again.known) == ["b4", "b5", "b6"]
    assert (again.total.batches, again.total.lines, again.total.bytes) == (7, 21, 70)


def test_a_deleted_batch_that_comes_again_is_known_over_a_restart(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text("[portal]\nuploads_max_age_days = 1\n")
    entry = add_entry(layout.portal, nickname="edge", address="127.0.0.1")
    process, told = start(tmp_path, "--logs", "127.0.0.1:0")
    try:
        peer = LogPeer(
            tmp_path, layout.portal, f"https://{told['logs'][0]}", told["certificate"], entry
        )
        assert peer.post(batch="b1").status_code == 201
        stop(process)
        (path,) = peer.files()
        old = time.time() - 2 * DAY
        os.utime(path, (old, old))
        process, told = start(tmp_path, "--logs", "127.0.0.1:0")
        peer = LogPeer(
            tmp_path, layout.portal, f"https://{told['logs'][0]}", told["certificate"], entry
        )
        for _ in range(300):
            if not path.exists():
                break
            time.sleep(0.1)
        assert [one.name for one in peer.files()] == [NAME]
        again = peer.post(batch="b1")
        assert (again.status_code, again.json()["status"]) == (200, "known")
        other = peer.post(b"other\n", batch="b1", lines=1)
        assert other.status_code == 409
        assert [one.name for one in peer.files()] == [NAME]
    finally:
        stop(process)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_process_of_its_own_refuses_uploads_above_retentions_mark(tmp_path: Path) -> None:
    """`min_free_mb` of the same root, set so high that this disk is short of it."""
    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text(f"[spool]\nmin_free_mb = {1 << 24}\n")
    entry = add_entry(layout.portal, nickname="edge", address="127.0.0.1")
    kept = SimpleNamespace(name=f"old~1~{'0' * 64}.log")
    folder = uploads_folder(layout.portal, entry.device_id)
    folder.mkdir(parents=True)
    (folder / kept.name).write_bytes(b"x\n")
    process, told = start(tmp_path, "--logs", "127.0.0.1:0")
    try:
        peer = LogPeer(
            tmp_path, layout.portal, f"https://{told['logs'][0]}", told["certificate"], entry
        )
        for _ in range(300):
            answer = peer.post(batch="b1")
            if answer.status_code != 503:  # it reads what it has first
                break
            time.sleep(0.1)
        assert answer.status_code == 507
        assert "short of space" in answer.json()["error"]
        assert answer.headers["Retry-After"]
        for _ in range(300):
            if not (folder / kept.name).exists():
                break
            time.sleep(0.1)
        assert [one.name for one in peer.files()] == [NAME], "copies go before originals"
    finally:
        stop(process)
    assert "rejecting uploads" in (tmp_path / "log").read_text()
