"""
What the control interface can ask of the manager, carried out by its rooms.
"""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import define, field
from twisted.internet.defer import DeferredLock

from tscm import __version__, devices
from tscm.claims import refuse_conflicts, refuse_loops, relay_notes
from tscm.clock import wall_seconds
from tscm.control_body import number_of, text_of
from tscm.errors import TscmError
from tscm.events.history import with_history
from tscm.events.report import ask, read_question
from tscm.intake.turned_away import recent_faults
from tscm.ledger import balance, differences_of
from tscm.model import Json, Progress, Report
from tscm.risks import Consent
from tscm.schedule import in_slices
from tscm.settings.files import open_device
from tscm.upload.outcome import UploadOutcome
from tscm.upload.service import UploadService

if TYPE_CHECKING:
    from tscm.service import NodeService

MODULES = ("TSCM-Core", "ts-asarest")


NAME_ALARM_SECONDS = 86400.0
ALL = "all"
"""In place of a batch's key."""


class ReaderInUse(TscmError):
    """
    A reader cannot be dropped: a target or a service has it, or there is none of this name.
    """

    def __init__(self, device: str, reader: str, *, known: bool) -> None:
        self.device = device
        self.reader = reader
        self.known = known
        super().__init__(device, reader)

    def __str__(self) -> str:
        if self.known:
            return (
                f"reader {self.reader} of {self.device} is in use; take its target or service away "
                f"with `tsadmin configure {self.device}` first"
            )
        return (
            f"there is no reader {self.reader!r} of {self.device}; "
            f"`tsadmin ledger {self.device}` shows those that there are"
        )


class UploadOff(TscmError):
    """
    A device's logs are kept and not uploaded.
    """

    def __init__(self, device: str, *, set_up: bool) -> None:
        self.device = device
        self.set_up = set_up
        super().__init__(device, set_up)

    def __str__(self) -> str:
        if self.set_up:
            return (
                f"logs of {self.device} are not uploaded: "
                f"`tsadmin configure {self.device} --send_logs yes` changes that"
            )
        return (
            f"logs of {self.device} are not uploaded: no log service is set; "
            f"give its url under [upload] in tscm.toml and restart the manager"
        )


@define(eq=False)
class NodeOperations:
    """
    `control.Operations`, on a running `NodeService`.  What blocks goes into its slow threads.
    """

    _node: "NodeService"
    _writing: DeferredLock = field(factory=DeferredLock, init=False)

    def status(self) -> Json:
        """See `Operations`."""
        node = self._node
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": node.started_at,
            "root": str(node.layout.root),
            "devices": len(node.rooms),
            "faults": dict(node.faults),
            "database": None if node.store.fault is None else str(node.store.fault),
            "listeners": node.intake.addresses(),
            "metrics": node.watch.addresses(),
            "portal": {type(one).__name__: one.addresses() for one in node.portal},
            "uploads": self._uploads(),
            "intake": node.intake.figures(),
            "ledger": node.bookkeeper.figures(),
        }

    def versions(self) -> list[Json]:
        """See `Operations`."""
        return [{"module": one, "version": __version__} for one in MODULES]

    def device_rows(self) -> list[Json]:
        """See `Operations`."""
        rows = {name: devices.device_row(one.settings) for name, one in self._node.rooms.items()}
        for name, fault in self._node.faults.items():
            if name:
                rows.setdefault(name, {"name": name})["fault"] = fault
        return [rows[name] for name in sorted(rows)]

    def device_view(self, name: str) -> Json:
        """See `Operations`."""
        node = self._node
        rooms = node.device(name)
        state: Json = {}
        if name in node.faults:
            state["fault"] = node.faults[name]
        state["policy"] = node.updates.figures(name)
        state["log"] = node.spool.figures(name)
        state["lag_seconds"] = node.lags.of(name)
        state.update(rooms.figures())
        state["events"] = node.events.figures(name)
        state["intake"] = node.intake.device_figures(name).get(name)
        state["udp_path"] = node.intake.figures().get("udp_path")
        state["users"] = rooms.users
        state["unbalanced"] = differences_of(self.balance(name))
        return {"settings": devices.settings_view(rooms.settings), "state": state}

    async def add_device(self, table: Json, report: Report) -> Json:
        """See `Operations`."""
        node = self._node
        node.hold_policies()
        settings = devices.propose(table)
        devices.refuse_taken(node.layout, settings.name)
        await node.quick.run(refuse_conflicts, node.layout, settings)
        await node.quick.run(refuse_loops, settings, node.intake.addresses())
        await node.slow.run(devices.refuse_unknown_names, node.layout, node.node, settings)
        check = await node.slow.run(devices.check_device, node.layout, node.node, settings, report)
        settings = devices.settle(settings, table, check)
        notes = await node.quick.run(relay_notes, node.layout, None, settings)
        await self._write(devices.store_device, node.layout, settings)
        node.put_in_force(settings)
        return devices.added(node.node, settings, check, notes)

    async def change_device(self, name: str, table: Json, report: Report) -> Json:
        """See `Operations`."""
        node = self._node
        node.hold_policies()
        present = devices.stored_device(node.layout, name)
        settings = devices.propose(table, present)
        await node.quick.run(refuse_conflicts, node.layout, settings)
        await node.quick.run(refuse_loops, settings, node.intake.addresses())
        await node.slow.run(devices.refuse_unknown_names, node.layout, node.node, settings, present)
        check = None
        proposed = devices.asks_for_size(table)
        if proposed or devices.needs_check(present, settings):
            check = await node.slow.run(
                devices.check_device, node.layout, node.node, settings, report
            )
            if proposed:
                settings = devices.settle(settings, table, check)
        notes = await node.quick.run(relay_notes, node.layout, present, settings)
        await self._write(devices.change_device, node.layout, present, settings)
        node.put_in_force(settings)
        return devices.changed(present, settings, check, notes)

    async def remove_device(self, name: str) -> Json:
        """See `Operations`."""
        node = self._node
        gone: Json = await self._write(devices.forget_device, node.layout, node.node, name)
        await self._node.take_out_of_force(name)
        return gone

    async def _write(self, write: Callable[..., Any], *about: Any) -> Any:
        """
        In a thread, for the disk may be slow and all devices are compared; one at a time, so that
        what was looked at still holds when it is stored.
        """
        self._node.hold_policies()
        return await self._writing.run(self._node.quick.run, write, *about)

    async def update_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        """See `Operations`."""
        self._refuse_sealed(name)
        outcome = await self._node.updates.update_now(name, report, consent=consent)
        outcome.raise_if_failed()
        return {**outcome.to_json(), "sentence": outcome.sentence()}

    async def plan_device(
        self, name: str, report: Report, *, consent: Consent, survey: bool
    ) -> Json:
        """See `Operations`."""
        self._refuse_sealed(name)
        outcome = await self._node.updates.plan(name, report, consent=consent, survey=survey)
        outcome.raise_if_failed()
        return {**outcome.to_json(), "sentence": outcome.sentence()}

    async def upload_logs(self, name: str, report: Report) -> Json:
        """See `Operations`."""
        if self._node.device(name).upload is None:
            return self._rotate(name)
        upload = self._upload_of(name)
        self._refuse_sealed(name)
        outcome = await upload.upload_now(report)
        return {"name": name, **attrs.asdict(outcome), "sentence": str(outcome)}

    def _rotate(self, name: str) -> Json:
        """The log of a device that uploads nothing; says why it does not."""
        node = self._node
        sealed = node.spool.seal(name)
        done = "the log is rotated" if sealed else "no line came since the log was last rotated"
        if node.spool.figures(name)["fault"]:
            done = f"the log cannot be rotated: it {node.spool.figures(name)['fault']}"
        why = node.faults.get(name) or UploadOff(name, set_up=node.node.upload.url is not None)
        return {
            "name": name,
            **attrs.asdict(UploadOutcome()),
            "rotated": sealed,
            "sentence": f"{done}; {why}",
        }

    def _upload_of(self, name: str) -> UploadService:
        rooms = self._node.device(name)
        if rooms.upload is None:
            raise UploadOff(name, set_up=self._node.node.upload.url is not None)
        return rooms.upload

    async def batches_aside(self, name: str) -> Json:
        """See `Operations`."""
        kept = await self._upload_of(name).set_aside()
        return {"name": name, "batches": [attrs.asdict(one) for one in kept]}

    async def aside(self, name: str, what: str, key: str, report: Report) -> Json:
        """See `Operations`; of `all`, those before one that is refused again are done."""
        upload = self._upload_of(name)
        keys = [one.key for one in await upload.set_aside()] if key == ALL else [key]
        lines = 0
        for done, one in enumerate(keys):
            report(Progress(phase="upload", text=f"batch {one}", done=done, total=len(keys)))
            if what == "send":
                lines += (await upload.send_aside(one)).lines
            elif what == "drop":
                lines += (await upload.forget_aside(one)).lines
            else:
                raise NoSuchQuestion(what)
        words = "sent again" if what == "send" else "dropped"
        return {
            "name": name,
            "batches": len(keys),
            "lines": lines,
            "sentence": f"{_count(len(keys), 'batch', 'batches')} of {_count(lines, 'line', 'lines')} {words}"
            if keys
            else "no batch was set aside",
        }

    async def drop_reader(self, name: str, reader: str) -> Json:
        """See `Operations`."""
        node = self._node
        if name not in node.rooms:
            waiting = node.spool.drop_orphan(name, reader)
            if waiting is None:
                raise ReaderInUse(name, reader, known=False)
            return {"name": name, "reader": reader, "waiting_lines": waiting}
        used = node.device(name).users
        log = node.spool.figures(name)["readers"]
        if reader not in log or reader in used:
            raise ReaderInUse(name, reader, known=reader in log)
        node.spool.drop_reader(name, reader)
        return {"name": name, "reader": reader, "waiting_lines": log[reader]["waiting_lines"]}

    def policy_history(self, name: str) -> Json:
        """See `Operations`."""
        self._node.device(name)
        return self._node.updates.history(name)

    async def policy(self, name: str, question: str, body: Json, report: Report) -> Json:
        """See `Operations`."""
        updates = self._node.updates
        self._node.device(name)
        if question == "why":
            standing = await updates.why(name, text_of(body, "address"))
            node = self._node
            return await node.slow.run(with_history, node.layout.database, name, standing)
        if question == "dropped":
            return await updates.dropped(name, text_of(body, "search") or None)
        if question == "diff":
            newer = body.get("newer")
            return await updates.diff(
                name, number_of(body, "older"), None if newer is None else number_of(body, "newer")
            )
        if question == "rollback":
            self._refuse_sealed(name)
            outcome = await updates.rollback(name, number_of(body, "generation"), report)
            outcome.raise_if_failed()
            return {**outcome.to_json(), "sentence": outcome.sentence()}
        if question in {"pause", "resume"}:
            wanted = {"policy_updates": question == "resume"}
            changed = await self.change_device(name, wanted, report)
            if question == "resume":
                updates.resume(name)
            return changed
        raise NoSuchQuestion(question)

    async def rebuild_events(self, name: str, report: Report) -> Json:
        """See `Operations`."""
        self._node.device(name)
        self._need_store()
        return await self._node.events.rebuild(name, report)

    async def report(self, name: str, options: Json) -> Json:
        """See `Operations`."""
        node = self._node
        node.device(name)
        self._need_store()
        question = read_question(name, options, wall_seconds(node.reactor))
        answer = await node.slow.run(ask, node.layout.database, question)
        return answer.as_json()

    async def purge_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        """See `Operations`."""
        self._refuse_sealed(name)
        outcome = await self._node.updates.purge(name, report, consent=consent)
        return {**outcome.to_json(), "sentence": outcome.sentence()}

    async def doctor(self, name: str | None, report: Report) -> Json:
        """See `Operations`."""
        from tscm.doctor.finding import as_json
        from tscm.doctor.node_walk import walk_node
        from tscm.doctor.visit import Visit

        node = self._node
        if name is None:
            return as_json(await node.slow.run(walk_node, node.layout, self.status(), report))
        state = self.device_view(name)["state"] if name in node.rooms else None
        visit = Visit(
            layout=node.layout,
            node=node.node,
            settings=node.rooms[name].settings if name in node.rooms else None,
            state=state,
            listeners=node.intake.addresses(),
            strangers=tuple(str(one["address"]) for one in node.senders.unknown()),
            clock=node.reactor,
            threads=node.slow,
            ask_device=node.updates.ask_device,
            log=node.spool.reader(name, "events") if name in node.rooms else None,
        )
        return await visit.pay(name, report)

    def ledger(self, device: str | None) -> Json:
        """See `Operations`."""
        node = self._node
        if device is not None:
            node.device(device)
        return self.balance(device)

    def balance(self, only: str | None = None) -> Json:
        """The balance of what is open now, over all starts."""
        node = self._node
        names = sorted(node.rooms) if only is None else [only]
        return balance(
            node.intake.figures(),
            {name: node.spool.figures(name) for name in names},
            only,
            users={name: node.rooms[name].users for name in names},
            set_aside={name: node.rooms[name].set_aside for name in names},
            book=node.bookkeeper.book() if only is None else None,
            orphans=node.spool.orphans() if only is None else (),
            unread={name: {"events": node.events.unread(name)} for name in names},
        )

    async def watched(self) -> Json:
        """All figures, for `/metrics`: those of one device are of one moment."""
        node = self._node
        intake = node.intake.figures()
        balanced: bool = balance(intake, {})["balanced"]
        devices: dict[str, Json] = {}
        async for name, log, found in self._balances():
            balanced = balanced and found["balanced"]
            devices[name] = {
                "log": log,
                "lag_seconds": node.lags.of(name),
                "policy": node.updates.figures(name),
                "unread_lines": node.events.unread(name),
                **node.rooms[name].figures(),
            }
        return {
            "now": wall_seconds(node.reactor),
            "node": {
                "started_at": node.started_at,
                "devices": len(node.rooms),
                "faults": dict(node.faults),
                "database_bytes": _bytes_of(node.layout.database),
            },
            "intake": intake,
            "uploads": self._uploads(),
            "balanced": balanced,
            "devices": devices,
        }

    def _uploads(self) -> Json | None:
        """What the embedded log service keeps; None where there is none."""
        logs = self._node.log_service
        return None if logs is None else logs.figures()

    async def _balances(self) -> AsyncIterator[tuple[str, Json, Json]]:
        """Name, figures of the log and balance of each device, in slices of the reactor's time."""
        node = self._node
        async for name in in_slices(node.reactor, sorted(node.rooms)):
            if name in node.rooms:  # it may have been removed since
                log = node.spool.figures(name)
                intake = {"devices": node.intake.device_figures(name)}
                yield name, log, balance(intake, {name: log}, name)

    async def wrong(self) -> list[str]:
        """What is wrong with this process itself, for `/healthz`: a sentence each."""
        node = self._node
        found = [fault for _, fault in sorted(node.faults.items())]
        store_fault = node.store.fault or node.store.trouble
        if store_fault is not None:
            found.append(str(store_fault))
        figures = node.intake.figures()
        present = {name: one for name, one in figures["devices"].items() if name in node.rooms}
        found += recent_faults(present, wall_seconds(node.reactor))
        whole = balance(figures, {})
        async for name, log, one in self._balances():
            if log["fault"]:
                found.append(f"log of {name}: {log['fault']}")
            found += self._unprotected(name)
            whole["devices"] |= one["devices"]
            whole["balanced"] = whole["balanced"] and one["balanced"]
        node.bookkeeper.take(whole)
        if not whole["balanced"]:
            found.append("the ledger does not balance; see `tsadmin ledger`")
        if node.bookkeeper.fault:
            found.append(node.bookkeeper.fault)
        return found

    def _unprotected(self, name: str) -> list[str]:
        """Groups that nothing uses, and names that must not be blocked and are unknown for a day."""
        now, figures = wall_seconds(self._node.reactor), self._node.updates.figures(name)
        unused = figures["unused_groups"]
        return [
            *([f"{name}: no access-list uses {' and '.join(unused)}"] if unused else ()),
        ] + [
            f"{name}: {one['name']}, which must not be blocked, cannot be looked up for "
            f"{(now - one['failing_since']) / 3600:.0f} hours"
            for one in figures["unknown_names"]
            if now - one["failing_since"] >= NAME_ALARM_SECONDS
        ]

    def senders(self) -> list[Json]:
        """See `Operations`."""
        return self._node.senders.unknown()

    async def adopt_sender(self, address: str, name: str) -> Json:
        """See `Operations`."""
        present = self._node.device(name).settings
        sources = [*present.syslog_sources, address]
        return await self.change_device(name, {"syslog_sources": sources}, lambda _: None)

    def _need_store(self) -> None:
        """What is counted and kept lies in the database, and nowhere else."""
        if self._node.store.fault is not None:
            raise self._node.store.fault.with_traceback(None)

    def _refuse_sealed(self, name: str) -> None:
        """Nobody logs in with a password that could not be opened: accounts get locked."""
        self._node.device(name)
        open_device(self._node.layout, name)


def _bytes_of(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


class NoSuchQuestion(TscmError):
    """
    The control interface was asked something that it does not know.
    """

    exit_status = 2

    def __init__(self, question: str) -> None:
        self.question = question
        super().__init__(question)

    def __str__(self) -> str:
        return (
            f"the manager does not know {self.question!r}; are tsadmin and manager of one version?"
        )
