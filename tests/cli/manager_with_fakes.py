"""
The manager's control interface in a process of its own, with the lists and the firewall of
`tsadmin_with_fakes`; everything else about devices is real.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import reactor

from tscm.base.threads import Threads
from tscm.cli.standalone_node import node_on_files
from tscm.devices import stored
from tscm.faces.control import ControlService
from tscm.manager.node import Node
from tscm.model import Json, Progress
from tscm.operations.arguments import ChangedDevice
from tscm.operations.call import Call
from tscm.operations.calls import Calls
from tscm.operations.handlers.policies import consent_of
from tscm.operations.operation import Operation
from tscm.operations.registry import handler_of
from tscm.operations.table.devices import CHANGE
from tscm.risks import Risk, RiskFound
from tscm.settings.files import read_device
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.store.database import Store
from tscm.update.figures import ListFigures
from tscm.update.outcome import UpdateFailed, UpdateOutcome
from tscm.wire.writing import as_json

if TYPE_CHECKING:
    from tests.cli.tsadmin_with_fakes import REACH
else:
    from tsadmin_with_fakes import REACH

OUTCOME = {
    "device": "tstest",
    "result": "changed",
    "sentence": "tstest: 3 entries added and 1 removed; it now has 3 block and 1 allow entries",
    "findings": ["10.0.0.0/33 is not a CIDR"],
    "warnings": ["near the budget"],
}
STATE = {
    "policy": {
        "last_update": {
            "result": "changed",
            "sentence": "x",
            "started_at": 1700000000.0,
            "finished_at": 1700000009.5,
            "block": {"desired": 12000, "cut": 17, "serial": 5, "left_out": 2},
            "allow": {"desired": 200, "cut": 0, "serial": 6, "left_out": 0},
        }
    },
    "log": {
        "stored_lines": 1234,
        "last_received_at": 1700000000.0,
        "readers": {"forward": {"waiting_lines": 4}},
    },
    "forward": {"sentence": "\x1b[31mred\u202e [bold]"},
    "upload": None,
}


SEEN = {
    "entries": [
        {"entry": "203.0.113.0/24", "action": "blocked", "list": "b\x1b[31m.example",
         "first_hour": 1700000000, "last_hour": 1700007200, "lines": 3, "hits": 1200}
    ],
    "count": 2,
    "address": [
        {"outside": "203.0.113.7", "action": "blocked", "list": "b.example",
         "first_hour": 1700000000, "last_hour": 1700000000, "lines": 1, "hits": 1}
    ],
}  # fmt: skip


RISKS = (
    RiskFound(risk=Risk.CERTIFICATE, sentence="another certificate", value="ab" * 32),
    RiskFound(risk=Risk.OWNER, sentence="another manager's groups"),
)
GENERATION = {
    "number": 3,
    "applied_at": 1700000000.0,
    "note": "",
    "block_entries": 12000,
    "allow_entries": 200,
    "block_serial": 5,
    "allow_serial": None,
}
HISTORY = {
    "generations": [GENERATION],
    "updates": [{"result": "failed", "error": "no TCP", "started_at": 1.0, "finished_at": 3.5}],
}


def view(node: Node, args: Any, call: Call) -> Json:
    settings = read_device(node.layout, args.name, None)
    return {"settings": stored.settings_view(settings), "state": STATE}


async def update(node: Node, args: Any, call: Call) -> Json:
    for number in range(1, 4):
        call.report(Progress(phase="push", text="requests", done=number, total=3))
    if args.name == "other":
        raise UpdateFailed(
            UpdateOutcome(
                device=args.name,
                started_at=1.0,
                error="device other: no TCP",
                block=ListFigures(name="b", left_out=1, causes={"private": 1}),
                findings=("b: 10.0.0.0/8 excluded: private",),
            )
        )
    return {**OUTCOME, "accepted": list(consent_of(args).words)}


async def plan(node: Node, args: Any, call: Call) -> Json:
    risks = [as_json(one) for one in RISKS]
    if args.force and args.name == "risky" and not consent_of(args).accepts(RISKS[0]):
        raise UpdateFailed(
            UpdateOutcome(device=args.name, started_at=1.0, error="another one", risks=RISKS[:1])
        )
    if args.force:
        return {**OUTCOME, "risks": risks if args.name == "risky" else []}
    raise RuntimeError("a fault of the program")


async def why(node: Node, args: Any, call: Call) -> Json:
    return {
        "verdict": f"blocked {args.address}",
        "sentences": ["block list: in force"],
        "seen": SEEN,
    }


async def why_all(node: Node, args: Any, call: Call) -> Json:
    answer = await why(node, args, call)
    return {"asked": args.address, "devices": dict.fromkeys(("other", "tstest"), answer)}


async def dropped(node: Node, args: Any, call: Call) -> Json:
    left = {"count": 2, "entries": [{"entry": "\x1b]0;x", "cause": "no [bold]CIDR"}]}
    found = {"count": 3, "entries": ["192.0.2.0/24"], "left_out": left}
    return {"block": found, "allow": {"count": 0, "entries": []}}


async def diff(node: Node, args: Any, call: Call) -> Json:
    kind = {
        "added": {"count": 1, "entries": ["192.0.2.1/32"]},
        "removed": {"count": 0, "entries": []},
    }
    return {"from": {"number": args.older}, "to": {"number": 3}, "block": kind, "allow": kind}


async def hold(node: Node, args: Any, call: Call) -> Json:
    read_device(node.layout, args.name, None)  # raises for an unknown one
    return {"name": args.name, "sentence": f"updates of {args.name} are held: {args.reason}"}


async def purge(node: Node, args: Any, call: Call) -> Json:
    lines = ["access-list x extended deny ip object-group G any log"]
    obstacle = {"group": "G", "cause": "it is being used", "lines": lines}
    found = [] if args.name == "other" else [obstacle]
    return {
        "complete": not found,
        "deleted": ["C", "P"],
        "obstacles": found,
        "sentence": "2 groups were taken off",
    }


async def resume(node: Node, args: Any, call: Call) -> Json:
    asked = ChangedDevice(name=args.name, settings={"policy_updates": True})
    found: Json = await handler_of(CHANGE)(node, asked, call)
    return found


def findings(args: Any) -> Json:
    name = getattr(args, "name", None)
    sentence = "\x1b[31mred\u202e [bold]" if name else "all is well"
    return {
        "findings": [
            {
                "link": "logging host",
                "verdict": "failed" if name == "other" else "warning",
                "sentence": sentence,
                "remedy": sentence,
            }
        ]
    }


def ledger(node: Node, args: Any, call: Call) -> Json:
    reader = {"sent": 5, "not_selected": 0, "expired": 0, "waiting": 4, "difference": 1}
    rows = {"tstest": {"stored": 10, "refused": 0, "readers": {"forward": reader}}}
    return {"devices": rows, "balanced": args.device is None}


def answers(answer: Any) -> Any:
    """A handler that answers with what stands here, or with what *answer* makes of its arguments."""

    def at_once(node: Node, args: Any, call: Call) -> Any:
        return answer(args) if callable(answer) else answer

    async def long(node: Node, args: Any, call: Call) -> Any:
        return at_once(node, args, call)

    return at_once, long


HANDLERS: dict[str, Any] = {
    "view": view,
    "update": update,
    "plan": plan,
    "why": why,
    "why_all": why_all,
    "dropped": dropped,
    "diff": diff,
    "purge": purge,
    "ledger": ledger,
    "status": answers({"pid": 1})[0],
    "history": answers(HISTORY)[0],
    "senders": answers([{"address": "192.0.2.99", "lines": 3, "sample": "\x1b]0;x\x07[red]hi"}])[0],
    "doctor": answers(findings)[1],
    "doctor_device": answers(findings)[1],
    "logs": answers({"sentence": "nothing to send"})[1],
    "report": answers(lambda args: {"name": args.name, "options": args.options})[1],
    "rebuild_events": answers(lambda args: {"name": args.name})[1],
    "rollback": answers(OUTCOME)[1],
    "resume": resume,
    "hold": hold,
}


class FakeCalls(Calls):
    """What needs a manager is made up here."""

    def _refuse(self, operation: Operation[Any, Any], args: Any) -> None:
        pass


def handler(operation: Operation[Any, Any]) -> Any:
    """What is made up here, or the house's own."""
    return HANDLERS.get(operation.name) or handler_of(operation)


def main(root: str) -> None:
    layout = Layout(Path(root))
    locks = [RootLock(one, "the manager") for one in (layout.lock, layout.policy_lock)]
    for lock in locks:
        lock.acquire()
    threads = Threads(cast(Any, reactor), 2, "fakes")
    threads.startService()
    node = node_on_files(
        layout, Store(layout.database), clock=reactor, blocking=threads, reach=REACH
    )
    # A manager's parts are asked for by what is made up here alone.
    service = ControlService(reactor, layout, FakeCalls(node, handlers=handler))
    service.privilegedStartService()
    service.startService()
    print("ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
