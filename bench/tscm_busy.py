"""
What the manager does beside intake, for `tscm_receiver`: updates, uploads and compression, over and over.
"""

import threading
import time
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.python import log

from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.risks import Consent, Risk
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.policy import PolicySettings
from tscm.settings.values import host_port
from tscm.spool.service import SpoolService
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.update.service import UpdateService
from tscm.update.ways import default_gateways
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.service import UploadService
from tscm.upload.transport import Way

DEVICE = "fw0"

EVERYTHING = Consent(risks=frozenset(Risk))


async def update(root: Path, wanted: Any, store: Store, updates: UpdateService) -> None:
    """
    The manager's own updates, without an end, each of a list that has nothing of the last one.
    """
    store.open()
    updates.set_device(updated(wanted))
    updates.startService()
    with (root / "updates").open("w", buffering=1, encoding="utf-8") as done:
        for turn in cycle(wanted["turns"]):
            publish(Path(turn), Path(wanted["published"]))
            began = time.monotonic()
            outcome = await updates.update_now(DEVICE, lambda _: None, consent=EVERYTHING)
            took = time.monotonic() - began
            done.write(f"{outcome.result} in {took:.1f} s {outcome.error or ''}\n")


def updated(wanted: Any) -> DeviceSettings:
    """Settings of the device with a firewall; one that bears the whole list."""
    return AsaRestSettings(
        name=DEVICE,
        device_id="tdid_bench",
        device="127.0.0.1",
        block_list=wanted["block_list"],
        allow_list=wanted["allow_list"],
        username=wanted["username"],
        password=Secret(wanted["password"]),
        rest_url=wanted["rest_url"],
        fingerprint=wanted["fingerprint"],
        max_policy_size=2 * wanted["entries"],
        object_group_size=10_000,
    )


def publish(turn: Path, published: Path) -> None:
    """Put the list of *turn* in the place of the one before."""
    arriving = published.with_suffix(".arriving")
    arriving.hardlink_to(turn)
    arriving.replace(published)


def compress() -> None:
    """An upload's batch of lines through zstd, without an end."""
    import zstandard

    block = b"<166>%ASA-6-106100: access-list global_access denied tcp outside/198.51.100.7(1)\n"
    while True:
        zstandard.ZstdCompressor(3).compress(block * 100_000)


def upload(reactor: Any, root: Path, spool: SpoolService, threads: Threads, wanted: Any) -> None:
    """Every second what came in goes to the log service, two devices at a time."""
    slots = DeferredSemaphore(2)
    for device, (device_id, key) in wanted["devices"].items():
        way = Way(url=wanted["url"], device=device, ca_file=wanted["ca_file"])
        service = UploadService(
            reactor,
            threads,
            spool.reader(device, "upload"),
            LogServiceReceiver(way=way, device_id=device_id, device_key=Secret(key)),
            root / f"upload-{device}",
            partial(spool.seal, device),
            slots,
            interval_seconds=1,
        )
        service.startService()


def be_busy(reactor: Any, root: Path, spool: SpoolService, told: Any) -> None:
    """All three at once."""
    slow = Threads(reactor, 6, "slow")
    slow.startService()
    threading.Thread(target=compress, daemon=True).start()
    upload(reactor, root, spool, slow, told["upload"])
    server = host_port(told["update"]["server"])
    node = NodeSettings(policy=PolicySettings(servers=(server,)))
    store = Store(root / "tscm.db")
    updates = UpdateService(reactor, slow, node, Policies(store), default_gateways(Layout(root)))
    running = Deferred.fromCoroutine(update(root, told["update"], store, updates))
    running.addErrback(partial(log.err, _why="updates ended"))
