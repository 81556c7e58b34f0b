"""
The control port: plain HTTP with JSON on loopback, by which tests and the demonstration steer.

    POST   /simulator/v1/traffic          {"packets": [...]} or {"generate": {...}}, see below
    POST   /simulator/v1/intervals        every 106100 interval line at once
    POST   /simulator/v1/messages         [{"id": "111008", "level": 5, "text": "..."}]: said as they are
    GET    /simulator/v1/counts           requests, bytes, writes, lines; DELETE sets them to zero
    GET    /simulator/v1/running-config   text; startup-config likewise
    GET    /simulator/v1/switches         PUT {"name": position} sets some
    GET    /simulator/v1/state            tokens, agent, collectors, last lines
    POST   /simulator/v1/lines            {"lines": [...]}: typed as by SSH, an outside change
    PUT    /simulator/v1/faults           [{"kind": "reset-after", "at": 3}], `tscm.simulator.faults`
    POST   /simulator/v1/reload           {"version": "9.16(1)"} may be told
    POST   /simulator/v1/kill-agent       and revive-agent, lose-tokens, renew-certificate, failover
    POST   /simulator/v1/sync             {"seconds": 5}: a bulk synchronisation with the mate

Traffic is answered when its lines are on the wire (or after "wait" seconds, 60 unless told): what
came of the packets, `lines_sent` by then and `policy_lines`, those of 106100 and 106023 among
them.  The fields of "generate" are those of `tscm.simulator.generate.Mix`.
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.errors import TscmError
from tscm.simulator.faults import Armed
from tscm.simulator.generate import Mix, generate, packet_of
from tscm.simulator.http_values import Reply, Request
from tscm.simulator.matching import Packet
from tscm.simulator.report import state
from tscm.simulator.syslog_form import Message
from tscm.simulator.web import AsaHttpRequest, read_request, write_reply
from tscm.syslog.asa import REPORTED_IDS

if TYPE_CHECKING:
    from tscm.simulator.firewall import Firewall

PREFIX = ("simulator", "v1")
_WAIT = 60.0
_FIRST_CONNECTION = 5.0
"""Seconds that traffic waits for a TCP collector that was never reached."""
_TOP = 100_000


class RequestFaulty(TscmError):
    """The control port does not understand; the text says what."""


@define(eq=False)
class Control:
    """
    Answers requests for one simulated firewall.
    """

    asa: "Firewall"
    _reactor: Any
    _log: Logger = field(factory=Logger, init=False)

    def take(self, http: AsaHttpRequest) -> None:
        """A request has come in whole."""
        request = read_request(http, "http://control")
        gone: list[Any] = []
        http.notifyFinish().addErrback(gone.append)
        answer: Deferred[Reply] = Deferred.fromCoroutine(self._answer(request))

        def send(reply: Reply) -> None:
            if not gone:
                write_reply(http, reply, self._reactor.seconds(), security=False)

        def failed(failure: Failure) -> None:
            self._log.failure("control request failed", failure)
            send(_reply(500, {"error": "the simulator failed; its log says why"}))

        answer.addCallbacks(send, failed)

    async def _answer(self, request: Request) -> Reply:
        try:
            if request.segments[:2] != PREFIX or len(request.segments) != 3:
                return _reply(404, {"error": "no such call"})
            if "origin" in request.headers:
                return _reply(403, {"error": "no page of a browser has anything to ask here"})
            name = request.segments[2]
            if (request.method, name) == ("POST", "traffic"):
                return _reply(200, await self._traffic(_json(request)))
            return self._call(request.method, name, request)
        except TscmError as error:
            return _reply(400, {"error": str(error)})

    def _call(self, method: str, name: str, request: Request) -> Reply:
        asa = self.asa
        texts: dict[str, Callable[[], str]] = {
            "running-config": asa.device.running_config,
            "startup-config": lambda: str(asa.device.startup),
        }
        if method == "GET" and name in texts:
            return Reply(status=200, body=texts[name](), content_type="text/plain; charset=UTF-8")
        calls: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "counts"): asa.counts.as_json,
            ("DELETE", "counts"): asa.reset_counts,
            ("GET", "switches"): asa.switches.as_json,
            ("PUT", "switches"): lambda: self._switches(_json(request)),
            ("GET", "state"): lambda: state(asa, self._reactor.seconds()),
            ("POST", "intervals"): self._intervals,
            ("POST", "messages"): lambda: self._messages(_json(request)),
            ("POST", "lines"): lambda: self._lines(_json(request)),
            ("GET", "faults"): lambda: {"faults": asa.agent.faults.as_json()},
            ("PUT", "faults"): lambda: self._faults(_json(request)),
            ("POST", "reload"): lambda: self._reload(_json(request)),
            ("POST", "kill-agent"): asa.kill_agent,
            ("POST", "revive-agent"): asa.revive_agent,
            ("POST", "lose-tokens"): asa.device.tokens.lose_all,
            ("POST", "renew-certificate"): asa.renew_certificate,
            ("POST", "failover"): asa.fail_over,
            ("POST", "sync"): lambda: asa.begin_sync(_seconds(_json(request))),
        }
        call = calls.get((method, name))
        if call is None:
            return _reply(404, {"error": "no such call"})
        return _reply(200, call() or {})

    # -- calls ---------------------------------------------------------------

    async def _traffic(self, wanted: Any) -> dict[str, Any]:
        if isinstance(wanted, list):
            wanted = {"packets": wanted}
        if not isinstance(wanted, dict):
            raise RequestFaulty("traffic is a list of packets, or an object")
        packets = self._packets(wanted)
        wait = wanted.get("wait", _WAIT)
        if not isinstance(wait, int | float) or not 0 <= wait <= 600:
            raise RequestFaulty("wait: a number of seconds up to 600")
        source = self.asa.passage.source
        until = self._reactor.seconds() + _FIRST_CONNECTION
        while source.was_never_up and self._reactor.seconds() < until:
            await deferLater(self._reactor, 0.02, lambda: None)
        sent = self.asa.counts.lines_sent
        policy = self._policy_lines()
        outcome = self.asa.passage.send(packets, close=bool(wanted.get("close", True)))
        await _within(self._reactor, self.asa.passage.when_idle(), float(wait))
        counts = self.asa.counts
        figures = outcome.as_json(int(wanted.get("top", _TOP)))
        return figures | {
            "lines": len(outcome.messages),
            "lines_sent": counts.lines_sent - sent,
            "policy_lines": self._policy_lines() - policy,
            "waiting": sum(outlet.waiting for outlet in source.outlets),
        }

    def _policy_lines(self) -> int:
        return sum(self.asa.counts.lines_by_id[number] for number in REPORTED_IDS)

    def _packets(self, wanted: dict[str, Any]) -> Iterable[Packet]:
        if "generate" in wanted:
            return list(generate(Mix.of(wanted["generate"]), self.asa.configuration))
        listed = wanted.get("packets")
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise RequestFaulty("packets: a list of objects is needed, or generate")
        return [packet_of(one) for one in listed]

    def _intervals(self) -> dict[str, Any]:
        messages = self.asa.passage.traffic.end_intervals(self._reactor.seconds())
        self.asa.passage.say(messages)
        return {"lines": len(messages)}

    def _messages(self, wanted: Any) -> dict[str, Any]:
        if not isinstance(wanted, list):
            raise RequestFaulty("messages: a list of objects with id, level and text")
        messages = [_message(one) for one in wanted]
        self.asa.passage.say(messages)
        return {"lines": len(messages)}

    def _switches(self, wanted: Any) -> dict[str, Any]:
        if not isinstance(wanted, dict):
            raise RequestFaulty("switches: an object of names and positions")
        self.asa.set_switches(wanted)
        positions: dict[str, Any] = self.asa.switches.as_json()
        return positions

    def _faults(self, wanted: Any) -> dict[str, Any]:
        if not isinstance(wanted, list):
            raise RequestFaulty("faults: a list of objects with kind and at")
        self.asa.agent.faults.put([Armed.of(one) for one in wanted])
        return {"faults": self.asa.agent.faults.as_json()}

    def _reload(self, wanted: Any) -> None:
        version = wanted.get("version", "") if isinstance(wanted, dict) else None
        if not isinstance(version, str):
            raise RequestFaulty('reload: nothing, or {"version": "9.16(1)"}')
        self.asa.reload(version=version)

    def _lines(self, wanted: Any) -> dict[str, Any]:
        lines = wanted.get("lines") if isinstance(wanted, dict) else None
        if not isinstance(lines, list) or not all(isinstance(one, str) for one in lines):
            raise RequestFaulty("lines: a list of texts")
        return {"printed": self.asa.type_lines(lines)}


def _message(one: Any) -> Message:
    match one:
        case {"id": str() as number, "level": int() as level, "text": str() as text} if (
            len(number) == 6 and number.isascii() and number.isdigit() and 0 <= level <= 7
        ):
            return Message(number, level, text)
    raise RequestFaulty("a message needs id (six digits), level (0 to 7) and text")


def _seconds(wanted: Any) -> float:
    seconds = wanted.get("seconds", 5.0) if isinstance(wanted, dict) else None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 1e6:
        raise RequestFaulty('nothing is needed, or {"seconds": 5}')
    return float(seconds)


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise RequestFaulty(f"the body is not JSON: {error}") from None


def _reply(status: int, value: Any) -> Reply:
    return Reply(status=status, body=json.dumps(value) + "\n")


def _within(reactor: Any, waited: Deferred[None], seconds: float) -> Deferred[None]:
    """Fires with *waited*, or after *seconds* without it."""
    if not seconds:
        waited.addErrback(lambda _: None)
        return succeed(None)
    done: Deferred[None] = Deferred()
    timer = reactor.callLater(seconds, done.callback, None)

    def first(_: Any) -> None:
        if timer.active():
            timer.cancel()
            done.callback(None)

    waited.addBoth(first)
    return done
