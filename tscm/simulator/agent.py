"""
The agent as a process: latency, faults, crashes and connections around the pure `RestAgent`.
"""

import json
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from tscm.simulator.accounts import Account
from tscm.simulator.cli_words import STANDBY_WARNING, SYNC_NOTICE
from tscm.simulator.cost import Cost, cost_of, over_budget
from tscm.simulator.counts import Counts
from tscm.simulator.device import Device
from tscm.simulator.faults import Armed, Faults
from tscm.simulator.health import Health
from tscm.simulator.http_interface import ROOTS, HttpInterface
from tscm.simulator.http_values import Reply, Request, message, web_server
from tscm.simulator.member_json import compact
from tscm.simulator.rest import WRITES, RestAgent
from tscm.simulator.web import (
    AsaHttpRequest,
    read_request,
    write_cut_reply,
    write_endless_reply,
    write_reply,
    write_slow_reply,
)

_LATE = 'accepted: "accepted_late_seconds" is set'


@define(eq=False)
class _Call:
    """
    One request on its way through the agent.
    """

    http: AsaHttpRequest
    request: Request
    cost: Cost
    kinds: frozenset[str]
    life: int
    """Which life of the agent took it; a crash ends all calls of that life."""
    gone: bool = False
    """The client closed the connection."""


@define(eq=False)
class Agent:
    """
    Takes requests off the wire and puts the replies on it.

    *act* does what a fault asks of the firewall as a whole (failover, reload, typed lines),
    *say* sends what there is to say by syslog, *keep_in_step* lets the mate of a pair follow.
    """

    _clock: IReactorTime
    device: Device
    counts: Counts
    default_root: str = "https://asa"
    act: Callable[[Armed], None] = lambda _: None
    say: Callable[[], None] = lambda: None
    keep_in_step: Callable[[], None] = lambda: None
    faults: Faults = field(factory=Faults)
    booting_until: float = 0.0
    _rest: RestAgent = field(init=False)
    interface: HttpInterface = field(init=False)
    _life: int = field(default=0, init=False)
    _calls: set[_Call] = field(factory=set, init=False)
    _timers: set[Any] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._rest = RestAgent(self.device)
        self.interface = HttpInterface(self.device)

    def serve(self, device: Device) -> None:
        """Stand for another unit from now on."""
        self.device = device
        self._rest.device = self.interface.device = device
        self.interface.sessions.end_all()

    # -- a request's way -----------------------------------------------------

    def take(self, http: AsaHttpRequest) -> None:
        """A request has come in whole."""
        self.keep_in_step()
        request = read_request(http, self.default_root)
        path = "/" + "/".join(request.segments)
        self.counts.request(request.method, path, len(request.body))
        struck = self.faults.strike(request.method, path)
        for armed in struck:
            if armed.kind in ("failover", "reload", "outside-lines"):
                self.act(armed)
        kinds = frozenset(armed.kind for armed in struck)
        now = self._clock.seconds()
        if "lose-tokens" in kinds:
            self.device.tokens.lose_all()
        if "dead" in kinds:
            self.device.outbox += self.device.health.kill()
        if "crash" in kinds:
            self.crash()
            self._send(http, self.down_reply(), kinds)
            return
        self.poll()
        if now < self.booting_until or "reset-before" in kinds:
            http.reset_connection()
        elif "silence-before" in kinds:
            http.notifyFinish().addErrback(lambda _: None)
        elif ROOTS.intersection(request.segments[:1]):  # the web server's, whatever ails the agent
            self._serve(http, request, kinds, sum(armed.seconds for armed in struck))
        elif self.device.health.state is not Health.UP:
            self._send(http, self.down_reply(), kinds)
        elif kinds & _INSTEAD.keys():
            self._send(http, _INSTEAD[next(iter(kinds & _INSTEAD.keys()))], kinds)
        else:
            self._begin(http, request, kinds, sum(armed.seconds for armed in struck))

    def _serve(
        self, http: AsaHttpRequest, request: Request, kinds: frozenset[str], extra: float
    ) -> None:
        """The HTTP interface's part: what a POST has done when the web server gives it up stays done."""
        if instead := kinds & _INSTEAD.keys():
            self._send(http, _INSTEAD[next(iter(instead))], kinds)
            return
        limit = self.device.switches.http_timeout_seconds
        seconds = self.interface.seconds(request) + extra
        unit, gone = self.device, list[object]()

        def finish() -> None:
            if self.device is not unit or self._clock.seconds() < self.booting_until:
                if not gone:
                    http.reset_connection()
                return
            late = bool(limit) and seconds > limit
            within = limit - extra if late else None
            reply = self.interface.handle(request, self._clock.seconds(), within=within)
            self.say()
            if gone:
                return
            if late or "reset-after" in kinds:
                http.reset_connection()
            elif "silence-after" in kinds:
                http.notifyFinish().addErrback(lambda _: None)
            else:
                self._send(http, _INSTEAD["500"] if "500-after" in kinds else reply, kinds)

        if seconds:
            http.notifyFinish().addErrback(gone.append)
            self._later(min(seconds, limit or seconds), finish)
        else:
            finish()

    def _begin(
        self, http: AsaHttpRequest, request: Request, kinds: frozenset[str], extra: float
    ) -> None:
        switches = self.device.switches
        limit = int(switches.concurrent_limit)
        if limit and len(self._calls) >= limit and switches.concurrent_fault != "served":
            if switches.concurrent_fault == "crash":
                self.crash()
            self._send(http, self.down_reply(), kinds)
            return
        if switches.crash_body_bytes and len(request.body) > switches.crash_body_bytes:
            self.crash()
            self._send(http, self.down_reply(), kinds)
            return
        call = _Call(http, request, cost_of(request, self.device), kinds, self._life)
        self.counts.device_seconds += call.cost.seconds
        self._calls.add(call)
        self.counts.in_flight = len(self._calls)
        self.counts.in_flight_most = max(self.counts.in_flight_most, len(self._calls))
        delay = call.cost.seconds * switches.time_scale + extra
        if not delay:
            self._finish(call)
            return

        def hung_up(_: object) -> None:
            call.gone = True

        http.notifyFinish().addErrback(hung_up)
        self._later(delay, self._finish, call)

    def _finish(self, call: _Call) -> None:
        """The agent has come to the end of the call; it takes effect now."""
        self._calls.discard(call)
        self.counts.in_flight = len(self._calls)
        if call.life != self._life:
            self._send(call.http, self.down_reply(), call.kinds, gone=call.gone)
            return
        switches = self.device.switches
        late = switches.accepted_late_seconds
        if late and call.request.method in WRITES and call.cost.uses_configuration:
            reply = self._take_for_later(call, late)
        else:
            reply = self._execute(call)
        if "crash-after" in call.kinds:
            self.crash()
            reply = self.down_reply()
        if "500-after" in call.kinds:
            reply = _INSTEAD["500"]
        if "reset-after" in call.kinds:
            if not call.gone:
                call.http.reset_connection()
        elif "silence-after" in call.kinds:
            call.http.notifyFinish().addErrback(lambda _: None)
        else:
            self._send(call.http, reply, call.kinds, gone=call.gone)

    def _take_for_later(self, call: _Call, seconds: float) -> Reply:
        """Who asks is judged now: his token may be gone when it is done."""
        admitted = self._rest.admit(call.request, self._clock.seconds())
        if isinstance(admitted, Reply):
            return admitted
        self._later(seconds, self._execute, call, admitted)
        return message(202, "", _LATE, level="Info")

    def _execute(self, call: _Call, admitted: Account | None = None) -> Reply:
        device = self.device
        if call.cost.uses_configuration and over_budget(device):
            self.crash()
            return self.down_reply()
        if call.cost.reads_anew:
            device.outside_changes = 0
        before = device.configuration.generation
        if admitted is None:
            reply = self.reply_to(call.request)
        else:
            reply = self._rest.answer(call.request, admitted, self._clock.seconds())
        changed = device.configuration.generation != before
        if changed and device.role == "standby":
            device.diverged = True
            if device.switches.standby_warns:
                reply = _with_warning(reply, STANDBY_WARNING)
        elif changed and self._clock.seconds() < device.sync_until and device.switches.sync_warns:
            reply = _with_warning(reply, SYNC_NOTICE)
        if changed and over_budget(device):
            self.crash()
            return self.down_reply()
        self.say()
        return reply

    def reply_to(self, request: Request) -> Reply:
        """What the agent answers at once, as if nothing were in its way."""
        return self._rest.handle(request, self._clock.seconds())

    # -- its health ----------------------------------------------------------

    def crash(self) -> None:
        """The agent falls over; whatever it was at is not done."""
        self.counts.agent_crashes += 1
        self.device.outbox += self.device.health.crash(self._clock.seconds())
        self._life += 1
        if self.device.switches.restart_loses_tokens:
            self.device.tokens.lose_all()
        self.say()

    def poll(self) -> None:
        """See whether a restart is over."""
        said = self.device.health.poll(self._clock.seconds())
        if said:
            self.device.outbox += said
            self.say()

    def down_reply(self) -> Reply:
        """What is answered while there is no agent."""
        switches = self.device.switches
        if self.device.health.state is Health.OFF:
            return web_server(404, "html", "File not found")
        return web_server(switches.down_status, switches.error_body, "REST API Agent is down")

    # -- the wire ------------------------------------------------------------

    def _send(
        self, http: AsaHttpRequest, reply: Reply, kinds: frozenset[str], *, gone: bool = False
    ) -> None:
        if gone:
            return
        switches, now = self.device.switches, self._clock.seconds()
        size = len(reply.body.encode("utf-8", "replace")) if reply.body else 0
        if "200-empty" in kinds:
            reply = evolve(reply, status=200, body="")
        elif "half-body" in kinds and reply.body:
            reply = evolve(reply, body=reply.body[: len(reply.body) // 2])
        elif "garbled" in kinds:
            reply = evolve(reply, status=200, body="\x00<\x01>\ufffd" * 20)
        if "endless" in kinds:
            write_endless_reply(
                http, reply, now, security=switches.security_headers, later=self._later
            )
        elif "cut-body" in kinds and size > 1:
            write_cut_reply(http, reply, now, security=switches.security_headers, later=self._later)
        elif switches.slow_body_seconds and size > 1:
            write_slow_reply(
                http,
                reply,
                now,
                security=switches.security_headers,
                seconds=switches.slow_body_seconds,
                later=self._later,
            )
        else:
            write_reply(http, reply, now, security=switches.security_headers)
        self.counts.reply(reply.status, size)

    def _later(self, seconds: float, call: Callable[..., object], *arguments: Any) -> None:
        def run() -> None:
            self._timers.discard(timer)
            call(*arguments)

        timer = self._clock.callLater(seconds, run)
        self._timers.add(timer)

    def stop(self) -> None:
        """Let go of everything that is in progress."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._calls.clear()


def _with_warning(reply: Reply, text: str) -> Reply:
    """A good answer to a write with *text* beside it; the command line tells it by itself."""
    warning = message(200, "", text, level="Warning")
    if reply.status in (201, 204):
        return warning
    body = json.loads(reply.body or "null")
    if reply.status != 200 or not isinstance(body, dict):
        return reply
    for name in ("commonMessages", "messages"):
        if name in body:
            body[name] += json.loads(warning.body or "{}")["messages"]
            return evolve(reply, body=compact(body))
    return reply


_INSTEAD = {
    "500": web_server(500, "html", "Internal server error"),
    "503": web_server(503, "html", "Service unavailable"),
    "404-html": web_server(404, "html", "File not found"),
    "200-html": web_server(200, "html", "It works"),
}
