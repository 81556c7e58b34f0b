"""
The manager's control interface in a process of its own, with the lists and the firewall of
`tsadmin_with_fakes`; everything else about devices is real.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tscm import devices
from tscm.control import ControlService
from tscm.model import Json, Progress, Report
from tscm.risks import Consent, Risk, RiskFound
from tscm.settings.files import read_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.update.outcome import ListFigures, UpdateFailed, UpdateOutcome

if TYPE_CHECKING:
    from tests.cli.tsadmin_with_fakes import REACH
else:
    from tsadmin_with_fakes import REACH

OUTCOME = {
    "device": "tstest",
    "result": "changed",
    "sentence": "tstest got 3 entries and lost 1; it holds 3 block and 1 allow entries",
    "findings": ["10.0.0.0/33 is no CIDR"],
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


class Operations:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.node = read_node(layout)

    def status(self) -> Json:
        return {"pid": 1}

    def versions(self) -> list[Json]:
        return [{"module": name, "version": "0.1.0"} for name in ("TSCM-Core", "ts-asarest")]

    def device_rows(self) -> list[Json]:
        return devices.device_rows(self.layout)

    def device_view(self, name: str) -> Json:
        settings = read_device(self.layout, name, None)
        return {"settings": devices.settings_view(settings), "state": STATE}

    async def add_device(self, table: Json, report: Report) -> Json:
        return await self._aside(devices.add_device, table, report, reach=REACH)

    async def change_device(self, name: str, table: Json, report: Report) -> Json:
        return await self._aside(devices.reconfigure_device, name, table, report, reach=REACH)

    async def remove_device(self, name: str) -> Json:
        return devices.forget_device(self.layout, self.node, name)

    async def update_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        for number in range(1, 4):
            report(Progress(phase="push", text="requests", done=number, total=3))
        if name == "other":
            raise UpdateFailed(
                UpdateOutcome(
                    device=name,
                    started_at=1.0,
                    error="device other: no TCP",
                    block=ListFigures(name="b", left_out=1, causes={"private": 1}),
                    findings=("b: 10.0.0.0/8 left out: private",),
                )
            )
        return {**OUTCOME, "accepted": list(consent.words)}

    async def plan_device(
        self, name: str, report: Report, *, consent: Consent, survey: bool
    ) -> Json:
        risks = [one.as_json() for one in RISKS]
        if survey and name == "risky" and not consent.accepts(RISKS[0]):
            raise UpdateFailed(
                UpdateOutcome(device=name, started_at=1.0, error="another one", risks=RISKS[:1])
            )
        if survey:
            return {**OUTCOME, "risks": risks if name == "risky" else []}
        raise RuntimeError("a fault of the program")

    async def upload_logs(self, name: str, report: Report) -> Json:
        return {"sentence": "nothing to send"}

    async def report(self, name: str, options: Json) -> Json:
        return {"name": name, "options": options}

    async def rebuild_events(self, name: str, report: Report) -> Json:
        return {"name": name}

    def policy_history(self, name: str) -> Json:
        generation = {
            "number": 3,
            "applied_at": 1700000000.0,
            "note": "",
            "block_entries": 12000,
            "allow_entries": 200,
            "block_serial": 5,
            "allow_serial": None,
        }
        update = {"result": "failed", "error": "no TCP", "started_at": 1.0, "finished_at": 3.5}
        return {"generations": [generation], "updates": [update]}

    async def policy(self, name: str, question: str, body: Json, report: Report) -> Json:
        if question == "why":
            return {
                "verdict": f"blocked {body['address']}",
                "sentences": ["block list: in force"],
                "seen": SEEN,
            }
        if question == "dropped":
            left = {"count": 2, "entries": [{"entry": "\x1b]0;x", "cause": "no [bold]CIDR"}]}
            found = {"count": 3, "entries": ["192.0.2.0/24"], "left_out": left}
            return {"block": found, "allow": {"count": 0, "entries": []}}
        if question == "diff":
            kind = {
                "added": {"count": 1, "entries": ["192.0.2.1/32"]},
                "removed": {"count": 0, "entries": []},
            }
            return {
                "from": {"number": body["older"]},
                "to": {"number": 3},
                "block": kind,
                "allow": kind,
            }
        if question == "rollback":
            return OUTCOME
        return await self.change_device(name, {"policy_updates": question == "resume"}, report)

    async def purge_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        lines = ["access-list x extended deny ip object-group G any log"]
        obstacle = {"group": "G", "cause": "it is being used", "lines": lines}
        found = [] if name == "other" else [obstacle]
        return {
            "complete": not found,
            "deleted": ["C", "P"],
            "obstacles": found,
            "sentence": "2 groups were taken off",
        }

    async def doctor(self, name: str | None, report: Report) -> Json:
        sentence = "\x1b[31mred\u202e [bold]" if name else "all is well"
        return {
            "findings": [
                {
                    "link": "logging host",
                    "verdict": "broken" if name == "other" else "doubtful",
                    "sentence": sentence,
                    "remedy": sentence,
                }
            ]
        }

    def ledger(self, device: str | None) -> Json:
        reader = {"sent": 5, "not_selected": 0, "expired": 0, "waiting": 4, "difference": 1}
        rows = {"tstest": {"stored": 10, "refused": 0, "readers": {"forward": reader}}}
        return {"devices": rows, "balanced": device is None}

    def senders(self) -> list[Json]:
        return [{"address": "192.0.2.99", "lines": 3, "sample": "\x1b]0;x\x07[red]hi"}]

    async def adopt_sender(self, address: str, name: str) -> Json:
        sources = [*read_device(self.layout, name, None).syslog_sources, address]
        return await self.change_device(name, {"syslog_sources": sources}, lambda _: None)

    def _aside(self, call: Any, *words: Any, **named: Any) -> "Deferred[Json]":
        return deferToThread(call, self.layout, self.node, *words, **named)


def main(root: str) -> None:
    layout = Layout(Path(root))
    locks = [RootLock(one, "the manager") for one in (layout.lock, layout.policy_lock)]
    for lock in locks:
        lock.acquire()
    service = ControlService(
        reactor, layout, cast(Any, Operations(layout))
    )  # what is not asked here is not there
    service.privilegedStartService()
    service.startService()
    print("ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
