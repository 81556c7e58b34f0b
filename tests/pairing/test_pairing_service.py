"""
The portal's listener over TLS on loopback: who pairs, who is refused, and what is told to those who wait.
"""

import json
from collections.abc import AsyncIterator
from errno import ENOSPC
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.waiting import PATIENCE_SECONDS
from tscm.base.host_port import HostPort
from tscm.base.threads import Threads
from tscm.cli.main import run
from tscm.manager.embedded import _mark
from tscm.model import Json
from tscm.pairing import book, portal_files, service
from tscm.pairing.book import change_pairing, document_of, raise_versions, read_pairing
from tscm.pairing.certificate import fingerprint_of_file
from tscm.pairing.client import PortalMistaken, PortalRefuses, PortalUnreachable, exchange
from tscm.pairing.documents import etag_of
from tscm.pairing.guesses import GUESSES
from tscm.pairing.messages import FOLLOW, PAIR
from tscm.pairing.service import PairingService
from tscm.pairing.stages import digest, ended, issued, revoked, with_content
from tscm.services.entries import (
    PortalEntry,
    add_entry,
    list_file,
    read_entry,
    remove_entry,
)
from tscm.services.zone_files import ZoneFiles
from tscm.settings.layout import Layout
from tscm.settings.portal import PortalSettings
from tscm.store.audit_entry import AuditEntry

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
NOW = 1_700_000_000.0
SET = {"type": "asarest", "device": "192.0.2.1", "username": "admin"}


@define(eq=False)
class Portal:
    folder: Path
    service: PairingService
    entry: PortalEntry
    audit: list[AuditEntry]
    marks: dict[str, str | None]

    async def ask(self, path: str, body: Json, pin: str | None = None) -> Json:
        if pin is None:
            pin = fingerprint_of_file(self.folder / "pairing.crt")
        place = f"https://{self.service.addresses()[0]}"
        answer, _ = await deferToThread(exchange, place, pin, path, body, PATIENCE_SECONDS)
        return answer

    async def pair(self, code: str, token: str, *, look: bool = False, device: str = "") -> Json:
        body = {
            "device_id": device or self.entry.device_id, "code": code, "token": digest(token),
            "device_key": digest(f"{token} key"), "manager": token, "look": look,
        }  # fmt: skip
        return await self.ask(PAIR, body)

    async def follow(self, token: str, **more: Any) -> Json:
        one = {"device_id": self.entry.device_id, "token": token, "lists": dict(self.marks), **more}
        (told,) = (await self.ask(FOLLOW, {"devices": [one]}))["devices"]
        found: Json = told
        return found

    def change(self, **settings: str) -> None:
        def changed(pairing: Any) -> Any:
            after = {**pairing.settings, **settings}
            return with_content(
                evolve(pairing, settings=after), etag_of(document_of(self.entry, after)), NOW
            )

        change_pairing(self.folder, self.entry.device_id, changed)

    def issue(self, code: str, seconds: float = 1e9) -> None:
        change_pairing(
            self.folder, self.entry.device_id, lambda it: issued(it, digest(code), 4e9, seconds)
        )


@pytest_twisted.async_yield_fixture()
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    threads = Threads(reactor, 4, "test")
    threads.startService()
    audit: list[AuditEntry] = []
    entry = add_entry(tmp_path, nickname="east", address="192.0.2.10", integration="auto")
    marks: dict[str, str | None] = {entry.block_list: "1", entry.allow_list: "1"}
    settings = PortalSettings(pairing=(HostPort("127.0.0.1", 0),))
    listener = PairingService(
        reactor, threads, tmp_path, settings, lambda name: marks.get(name, "-"), audit.append
    )
    found = Portal(tmp_path, listener, entry, audit, marks)
    found.change(**SET)
    found.issue("code")
    listener.privilegedStartService()
    listener.startService()
    await listener.look_again()
    yield found
    await listener.stopService()
    while listener.site is not None and listener.site.held():  # until the peer has hung up too
        await deferLater(reactor, 0.01)
    await threads.stopService()


@pytest_twisted.ensureDeferred
async def test_of_two_managers_with_one_code_one_pairs(portal: Portal) -> None:
    shown = await portal.pair("code", "one", look=True)
    assert shown["nickname"] == "east"
    (look,) = portal.audit  # who has a stolen key does not read settings unnoticed
    assert look.sentence == "manager 'one' from 127.0.0.1 read the settings with the auto key"
    portal.audit.clear()
    both = [Deferred.fromCoroutine(portal.pair("code", who)) for who in ("one", "two")]
    paired, refused = [], []
    for who, one in zip(("one", "two"), both, strict=True):
        try:
            await one
            paired.append(who)
        except PortalRefuses as error:
            refused.append(str(error))
    assert len(paired) == 1
    assert "used already" in refused[0]
    first = paired[0]
    assert read_entry(portal.folder, "east").key_fits(f"{first} key")
    assert [(one.nickname, one.manager) for one in portal.service.paired()] == [("east", first)]
    assert sorted(one.outcome for one in portal.audit) == ["done", "failed"]
    refusal = next(one for one in portal.audit if one.outcome == "failed").sentence or ""
    assert f"manager '{first}' from 127.0.0.1 used it first" in refusal
    # The one whose answer was lost shows its code again, and is the same.
    again = await portal.pair("code", first)
    assert again["document"]["version"] == shown["document"]["version"]
    told = await portal.follow(first, known=0)
    assert told["state"] == "paired"
    assert told["document"]["settings"]["device"] == "192.0.2.1"


@pytest_twisted.ensureDeferred
async def test_guesses_learn_nothing_and_end(portal: Portal) -> None:
    sentences = set()
    for number in range(GUESSES):
        device = portal.entry.device_id if number % 2 else "tdid_none"
        with pytest.raises(PortalRefuses) as caught:
            await portal.pair("guess", "thief", device=device)
        sentences.add(caught.value.sentence)
    assert len(sentences) == 1
    with pytest.raises(PortalRefuses, match="429"):
        await portal.pair("code", "thief")
    assert "not listened to" in (portal.audit[-1].sentence or "")
    assert not read_pairing(portal.folder, portal.entry.device_id).token


@pytest_twisted.ensureDeferred
async def test_expired_withdrawn_and_deleted(portal: Portal) -> None:
    portal.issue("late", seconds=-3e9)
    with pytest.raises(PortalRefuses, match="expired"):
        await portal.pair("late", "one")
    portal.issue("code")
    await portal.pair("code", "one")
    change_pairing(portal.folder, portal.entry.device_id, lambda it: ended(it, "root", NOW))
    await portal.service.look_again()
    assert (await portal.follow("one"))["state"] == "unpaired"
    assert (await portal.follow("other"))["state"] == "unknown"
    remove_entry(portal.folder, "east")
    change_pairing(portal.folder, portal.entry.device_id, lambda it: revoked(it, "root", NOW))
    await portal.service.look_again()
    assert (await portal.follow("one"))["state"] == "unpaired"


@pytest_twisted.ensureDeferred
async def test_who_waits_is_told_of_settings_and_lists(portal: Portal) -> None:
    version = (await portal.pair("code", "one"))["document"]["version"]
    waiting = Deferred.fromCoroutine(portal.follow("one", known=version))
    portal.change(prefix="Other")
    told = await waiting  # the files are looked at every few seconds
    assert told["document"]["settings"]["prefix"] == "Other"
    version = told["version"]
    waiting = Deferred.fromCoroutine(
        portal.follow("one", known=version, standing={"applied": version, "fault": "f"})
    )
    while not portal.service.seen():
        await deferToThread(lambda: None)
    portal.marks[portal.entry.block_list] = "2"
    told = await waiting
    assert told["lists"][portal.entry.block_list] == "2"
    assert "document" not in told
    assert portal.service.seen()[portal.entry.device_id].standing.fault == "f"


@pytest_twisted.ensureDeferred
async def test_a_restored_portal_gives_a_newer_version(portal: Portal) -> None:
    version = (await portal.pair("code", "one"))["document"]["version"]
    raise_versions(portal.folder, NOW + 86400)
    await portal.service.look_again()
    told = await portal.follow("one", known=version)
    assert told["document"]["version"] > version


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_to_another_certificate(portal: Portal) -> None:
    with pytest.raises(PortalMistaken, match="nothing was sent"):
        await portal.ask(FOLLOW, {}, pin="0" * 32)
    with pytest.raises(PortalMistaken):
        await portal.ask(FOLLOW, {}, pin="0" * 64)


@pytest_twisted.ensureDeferred
async def test_odd_requests_are_refused(portal: Portal) -> None:
    for path, body in ((FOLLOW, {"devices": 1}), (PAIR, {"code": 5}), (PAIR, {"token": "x" * 99})):
        with pytest.raises(PortalRefuses, match="400"):
            await portal.ask(path, body)
    with pytest.raises(PortalRefuses, match="404"):
        await portal.ask("/", {})
    with pytest.raises((PortalRefuses, PortalUnreachable)):
        await portal.ask(FOLLOW, {"devices": "x" * 200_000})


@pytest_twisted.ensureDeferred
async def test_who_looks_again_and_again_does_not_fill_the_audit(portal: Portal) -> None:
    for _ in range(service._AUDITED_MOST + 1):
        await portal.pair("code", "one", look=True)
    assert len(portal.audit) == service._AUDITED_MOST
    await portal.pair("code", "one")
    assert "paired" in (portal.audit[-1].sentence or "")


@pytest_twisted.ensureDeferred
async def test_an_older_look_at_the_files_does_not_undo_a_newer_one(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, real = Event(), portal_files.look_at_files
    looks: list[int] = []

    def look(*args: Any) -> Any:
        found = real(*args)
        looks.append(1)
        if len(looks) == 1:
            held.wait(PATIENCE_SECONDS)  # it has read the files, and gives them later
        return found

    monkeypatch.setattr(service, "look_at_files", look)
    first = Deferred.fromCoroutine(portal.service.look_again())
    while not looks:
        await deferLater(reactor, 0.01)
    second = Deferred.fromCoroutine(portal.service.look_again())
    remove_entry(portal.folder, "east")
    third = Deferred.fromCoroutine(portal.service.look_again())
    await deferLater(reactor, 0.1)
    held.set()
    for one in (first, second, third):
        await one
    assert not portal.service._known.entries


def test_an_entry_is_not_half_deleted_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tsadmin(*words: str) -> int:
        return run(["--root", str(tmp_path), "portal", *words])

    folder = Layout(tmp_path).portal
    tsadmin(
        "add", "east", "--address", "192.0.2.10", "--integration", "auto",
        *(word for name, value in SET.items() for word in ("--set", f"{name}={value}")),
    )  # fmt: skip
    device_id = read_entry(folder, "east").device_id

    def full(*_: Any) -> None:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(book, "write_private", full)
        assert tsadmin("remove", "east", "--yes") != 0
    assert read_entry(folder, "east").device_id == device_id
    assert tsadmin("remove", "east", "--yes") == 0
    assert read_pairing(folder, device_id).revoked


def test_the_second_of_two_who_looked_at_an_entry_is_told_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def tsadmin(*words: str) -> int:
        return run(["--root", str(tmp_path), "portal", *words])

    def revision() -> str:
        capsys.readouterr()
        assert tsadmin("show", "east", "--json") == 0
        found: str = json.loads(capsys.readouterr().out)["revision"]
        return found

    folder = Layout(tmp_path).portal
    settings = [word for name, value in SET.items() for word in ("--set", f"{name}={value}")]
    assert (
        tsadmin("add", "east", "--address", "192.0.2.10", "--integration", "auto", *settings) == 0
    )
    both = revision()
    assert tsadmin("rotate", "east", "--yes") == 0  # nothing that an operator has set
    assert tsadmin("change", "east", "--location", "hall 2", "--revision", both) == 0
    assert tsadmin("change", "east", "--note", "mine", "--set", "prefix=X", "--revision", both) == 1
    assert f"changed by another user and has revision {revision()} now" in _told(
        capsys, lambda: tsadmin("change", "east", "--note", "mine", "--revision", both)
    )
    entry = read_entry(folder, "east")
    assert (entry.location, entry.note) == ("hall 2", "")
    # Settings count as fields do.
    both = revision()
    assert tsadmin("change", "east", "--set", "prefix=One", "--revision", both) == 0
    assert tsadmin("change", "east", "--location", "hall 3", "--revision", both) == 1
    assert read_entry(folder, "east").location == "hall 2"
    assert read_pairing(folder, entry.device_id).settings["prefix"] == "One"


def _told(capsys: pytest.CaptureFixture[str], act: Any) -> str:
    capsys.readouterr()
    act()
    return " ".join(capsys.readouterr().err.split())


def test_an_entry_is_not_half_changed_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tsadmin(*words: str) -> int:
        return run(["--root", str(tmp_path), "portal", *words])

    def full(*_: Any) -> None:
        raise OSError(ENOSPC, "No space left on device")

    folder = Layout(tmp_path).portal
    settings = [word for name, value in SET.items() for word in ("--set", f"{name}={value}")]
    with monkeypatch.context() as disk:
        disk.setattr(book, "write_private", full)
        assert tsadmin("add", "east", "--address", "192.0.2.10", *settings) != 0
    assert tsadmin("add", "east", "--address", "192.0.2.10", *settings) == 0
    before = read_entry(folder, "east")
    with monkeypatch.context() as disk:
        disk.setattr(book, "write_private", full)
        assert tsadmin("change", "east", "--note", "half", "--set", "prefix=Half") != 0
    assert read_entry(folder, "east") == before


def test_a_code_is_not_handed_out_where_nobody_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--root", str(tmp_path), "portal"]
    assert run([*at, "add", "east", "--address", "192.0.2.10", "--integration", "auto"]) == 0
    assert run([*at, "code", "east"]) != 0
    assert "set `[portal] pairing`" in capsys.readouterr().err


@pytest_twisted.ensureDeferred
async def test_a_portal_that_just_started_does_not_say_that_all_lists_changed(
    portal: Portal,
) -> None:
    await portal.pair("code", "one")
    block, allow = portal.entry.block_list, portal.entry.allow_list
    zones = ZoneFiles(portal.folder, reactor, portal.service._threads)
    list_file(portal.folder, block).write_text("192.0.2.0/24\n")
    portal.marks.update({block: _mark(zones, block), allow: _mark(zones, allow)})
    told = await portal.follow("one", known=0, lists={block: "7"})
    assert told["lists"] == {block: "7"}
    await zones.look_again()
    portal.marks.update({block: _mark(zones, block), allow: _mark(zones, allow)})
    told = await portal.follow("one", known=0, lists={block: "7"})
    assert told["lists"][block] not in {"7", "-"}
