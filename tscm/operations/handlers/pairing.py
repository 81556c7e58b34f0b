"""
Operations on devices whose settings come from a portal, at their manager.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import evolve, frozen

from tscm.base.clock import wall_seconds
from tscm.base.secrets import Secret
from tscm.devices.paired import to_apply
from tscm.devices.stored import stored_device
from tscm.errors import DeviceExists, Fault, SettingsFaulty, TscmError
from tscm.manager.node import Node
from tscm.model import Progress
from tscm.operations.arguments import ChangedDevice, Device, NewDevice, Nothing
from tscm.operations.call import PORTAL, Call
from tscm.operations.entry_answers import BondRow, BondRows, PairedDevice, Unpaired
from tscm.operations.entry_arguments import Paired
from tscm.operations.handlers.devices import Checked, add_checked, change, checked_for_add
from tscm.operations.registry import handles
from tscm.operations.table import pairing as table
from tscm.pairing.auto_key import AutoKey, read_auto_key
from tscm.pairing.bonds import Bond, bonds, drop_bond, read_bond, write_bond
from tscm.pairing.client import exchange
from tscm.pairing.documents import Document, read_document, stays, wanted
from tscm.pairing.following import Heard
from tscm.pairing.messages import FOLLOW, PAIR, MessageFaulty
from tscm.pairing.stages import digest
from tscm.services.entries import tsig_secret_of
from tscm.settings import values
from tscm.settings.files import device_names, key_for_sealing, read_device
from tscm.settings.modules import module

PAIR_SECONDS = 30.0
_GOODBYE_SECONDS = 5.0


@frozen(kw_only=True)
class _Told:
    """What a portal says to a code; *signed*: it serves lists, and takes the device's TSIG key."""

    nickname: str
    document: Document
    fingerprint: str
    signed: bool


async def _ask(
    node: Node, args: Paired, key: AutoKey, keys: Mapping[str, str], *, look: bool
) -> _Told:
    """Without *look* the code is used up."""
    body = {
        "device_id": args.device_id,
        "code": key.code,
        "token": digest(keys["token"]),
        "device_key": digest(keys["device_key"]),
        "manager": node.settings().node_id,
        "look": look,
    }
    raw, shown = await node.slow.run(exchange, args.portal, key.pin, PAIR, body, PAIR_SECONDS)
    nickname = raw.get("nickname")
    try:
        name = values.nickname(nickname)
    except ValueError:
        raise MessageFaulty("its nickname is none") from None
    return _Told(
        nickname=name,
        document=read_document(raw.get("document")),
        fingerprint=shown,
        signed=raw.get("signed") is True,
    )


def _refuse_foreign(local: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Raise `SettingsFaulty` where something is to be set here that the portal decides."""
    own = stays(module(str(document.get("type", ""))).settings) | {"max_policy_size"}
    faults = [
        Fault(where=f"--{one}", wrong="it is set at the portal", allowed=", ".join(sorted(own)))
        for one in local
        if one not in own
    ]
    if faults:
        raise SettingsFaulty("device settings", faults)


def _read(args: Paired) -> tuple[Paired, AutoKey]:
    faults = []
    given: dict[str, Any] = {}
    for name, read in (("portal", values.web_url("https")), ("device_id", values.device_id)):
        try:
            given[name] = read(getattr(args, name))
        except ValueError as error:
            wrong, _, allowed = str(error).partition("; allowed: ")
            faults.append(Fault(where=f"--{name}", wrong=wrong, allowed=allowed))
    if faults:
        raise SettingsFaulty("pairing", faults)
    return evolve(args, **given), read_auto_key(args.auto_key)


@handles(table.PAIR)
async def pair(node: Node, args: Paired, call: Call) -> PairedDevice:
    """
    Look at the portal's settings, check them, use up the code, and put them in force.

    Token and device key follow from the code and this node's key: a caller that is stopped in the middle can repeat the call.
    """
    node.hold()
    args, key = _read(args)
    keys = await node.quick.run(_keys, node, args.device_id, key.code)
    call.report(Progress(phase="check", text=f"asking the portal {args.portal}"))
    told = await _ask(node, args, key, keys, look=True)
    document = told.document
    name = args.device or told.nickname
    call.noted["device"] = name
    _refuse_foreign(args.local, document.settings)
    local = {**args.local, "upload_key": keys["device_key"], "name": name}
    checked: Checked | None = None
    if name not in await node.quick.run(device_names, node.layout):
        new = NewDevice(settings={**wanted(document.settings), **local})
        checked = await checked_for_add(node, new, call)
        entry = checked.settings.entry
    else:
        present = await node.quick.run(stored_device, node.layout, name)
        key_here = present.upload_key
        again = key_here is not None and key_here.reveal() == keys["device_key"]
        if args.device is None and not again:
            # Perhaps another firewall, which only has the entry's nickname.
            raise DeviceExists(name)
        entry = present.entry
    if entry is None:
        raise NoPermanentId(name)
    told = await _ask(node, args, key, keys, look=False)
    document = told.document
    bond = Bond(
        name=name,
        entry=entry,
        nickname=told.nickname,
        portal=args.portal,
        fingerprint=told.fingerprint,
        device_id=args.device_id,
        token=Secret(keys["token"]),
        paired_at=wall_seconds(node.clock),
        received=document.version,
        document=document.settings,
    )
    if checked is not None:
        added = await add_checked(node, checked, call)
        await node.write(write_bond, node.layout, evolve(bond, applied=document.version))
        await _followed(node)
        notes = await _sign_questions(node, name, args.device_id, keys, call) if told.signed else ()
        sentence = f"device {name} added and paired with {args.portal}"
        return PairedDevice(name=name, added=added, notes=notes, sentence=sentence)
    await node.write(write_bond, node.layout, bond)
    notes = ()
    try:
        del local["name"]
        await change(node, ChangedDevice(name=name, settings=local), call)
        if told.signed:
            notes = await _sign_questions(node, name, args.device_id, keys, call)
        wanted_now = await node.quick.run(to_apply, node.layout, bond)
        if wanted_now is not None:
            inner = evolve_call(call)
            await change(node, ChangedDevice(name=name, settings=wanted_now), inner)
        await node.write(write_bond, node.layout, evolve(bond, applied=document.version))
    except TscmError as error:
        notes = (
            *notes,
            f"the portal's settings are not in force yet, and are tried again: {error}",
        )
    await _followed(node)
    return PairedDevice(name=name, notes=notes, sentence=f"device {name} paired with {args.portal}")


async def _sign_questions(
    node: Node, name: str, device_id: str, keys: Mapping[str, str], call: Call
) -> tuple[str, ...]:
    """
    Have lists be asked for with the device's TSIG key, if the policy servers take it; gives why not.

    Both sides compute it from the device key, so it is never sent.  An operator's own TSIG key stays.
    """
    own = device_id.lower()
    present = await node.quick.run(stored_device, node.layout, name)
    if present.tsig_name not in {None, own}:
        return ()
    signing = {"tsig_name": own, "tsig_key": tsig_secret_of(digest(keys["device_key"]))}
    try:
        await change(node, ChangedDevice(name=name, settings=signing), evolve_call(call))
    except TscmError as error:
        return (f"lists are asked for without the device's TSIG key: {error}",)
    return ()


def evolve_call(call: Call) -> Call:
    """The same call, as the portal's."""
    return Call(actor=PORTAL, report=call.report, wait=call.wait)


def _keys(node: Node, device_id: str, code: str) -> dict[str, str]:
    sealing = key_for_sealing(node.layout)
    return {
        what: sealing.derived(f"pairing {what} {device_id} {code}")
        for what in ("token", "device_key")
    }


async def _followed(node: Node) -> None:
    follower = None if node.manager is None else node.manager.follower()
    if follower is not None:
        await follower.look()


@handles(table.BONDS)
async def paired(node: Node, args: Nothing, call: Call) -> BondRows:
    """Devices whose settings come from a portal, and how that stands."""
    del args, call
    follower = None if node.manager is None else node.manager.follower()
    known: Mapping[str, tuple[Bond, Heard]] = {} if follower is None else follower.bonds()
    rows: list[BondRow] = []
    found, faults = await node.quick.run(_stored_bonds, node)
    for one in found:
        bond, heard = known.get(one.name, (one, Heard()))
        rows.append(
            BondRow(
                name=one.name,
                device_id=bond.device_id,
                portal=bond.portal,
                fingerprint=bond.fingerprint,
                paired_at=bond.paired_at,
                applied=bond.applied,
                received=bond.received,
                heard_at=heard.heard_at,
                fault=heard.fault,
            )
        )
    return BondRows(bonds=tuple(rows), faults=tuple(faults))


def _stored_bonds(node: Node) -> tuple[list[Bond], list[str]]:
    """Bonds of the devices that are stored, each with its device's name."""
    found, faults = bonds(node.layout, sealed=True)
    if not found:
        return [], [str(one) for one in faults]
    by_entry = {one.entry: one for one in found}
    named = []
    for name in device_names(node.layout):
        try:
            entry = read_device(node.layout, name, None).entry
        except TscmError:
            continue  # told where devices are listed
        if entry in by_entry:
            named.append(evolve(by_entry[entry], name=name))
    return named, [str(one) for one in faults]


@handles(table.UNPAIR)
async def unpair(node: Node, args: Device, call: Call) -> Unpaired:
    """Follow the portal no longer; it is told, if it answers."""
    del call
    name = args.name
    entry = (await node.quick.run(read_device, node.layout, name, None)).entry
    bond: Bond | None = None
    told = ""
    try:
        bond = await node.quick.run(read_bond, node.layout, entry)
    except TscmError:
        told = "; the portal was not told, because what was kept of it cannot be read"
    if not await node.write(drop_bond, node.layout, entry):
        raise NotPaired(name)
    follower = None if node.manager is None else node.manager.follower()
    if follower is not None:
        follower.forget(name)
    if bond is not None:
        body = {
            "devices": [{"device_id": bond.device_id, "token": bond.token.reveal(), "unpair": True}]
        }
        ask = partial(exchange, bond.portal, bond.fingerprint, FOLLOW, body, _GOODBYE_SECONDS)
        try:
            await node.slow.run(ask)
        except TscmError as error:
            told = f"; {error}; unpair it there too: `tsadmin portal unpair {bond.nickname}`"
    return Unpaired(
        name=name,
        sentence=f"device {name} keeps its settings, and they are this manager's own{told}",
    )


class NoPermanentId(TscmError):
    """
    A device's file was written by hand and has no `entry`.
    """

    exit_status = 2

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return (
            f"the settings file of device {self.name!r} has no `entry`, its permanent ID; remove the device "
            "and add it with `tsadmin add --type auto`"
        )


class NotPaired(TscmError):
    """
    A device's settings come from no portal.
    """

    exit_status = 2

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"device {self.name!r} is not paired"
