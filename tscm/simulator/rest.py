"""
The REST API agent: requests in, replies out.

docs/develop/asa.md, sections 1 to 3.  Pure but for the device that it changes; latency, crashes and the
connection are around it (`tscm.simulator.agent`, `tscm.simulator.web`).
"""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from attrs import define

from tscm.simulator import cli_files, group_resource, object_resource, rest_reads
from tscm.simulator.accounts import Account
from tscm.simulator.cli import Console
from tscm.simulator.device import Device
from tscm.simulator.http_values import AGENT, Reply, Request, message, ok, web_server
from tscm.simulator.refusal import Refused
from tscm.simulator.rest_bulk import entries, joined
from tscm.simulator.rest_errors import BodyFaulty, refused
from tscm.simulator.syslog_form import Message

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class _Rollback(Exception):
    """Ends the transaction of a bulk request."""


@define(eq=False)
class RestAgent:
    """
    What the agent would answer, at once and in order.
    """

    device: Device

    def handle(self, request: Request, now: float) -> Reply:
        """Check who asks, then do it."""
        admitted = self.admit(request, now)
        if isinstance(admitted, Reply):
            return admitted
        if request.segments[1:2] == ("tokenservices",):
            return self._tokens(request, admitted, now)
        return self.answer(request, admitted, now)

    def admit(self, request: Request, now: float) -> Reply | Account:
        """Who asks, or why he may not."""
        if request.segments[:1] != ("api",):
            return web_server(404, "html", "File not found")
        try:
            refused, account = self._authenticate(request, now)
        except ValueError as error:
            return message(400, "BAD-REQUEST", str(error))
        if refused is not None:
            return refused
        needed = _privilege_needed(request)
        if account.privilege < needed and request.segments[1:2] != ("tokenservices",):
            return web_server(403, self._body, f"Privilege {needed} is needed")
        return account

    @property
    def _body(self) -> str:
        return self.device.switches.error_body

    def _authenticate(self, request: Request, now: float) -> tuple[Reply | None, Account]:
        switches = self.device.switches
        token = request.headers.get("x-auth-token")
        is_token_call = request.segments[1:2] == ("tokenservices",)
        nobody = Account(name="", password_hash="", privilege=0)
        gate = switches.user_agent_gate
        by_basic = token is None or is_token_call
        if gate == "all" or (gate == "basic" and by_basic):
            agent = request.headers.get("user-agent", "")
            if agent != AGENT:
                status = switches.user_agent_status
                return web_server(status, self._body, "Authentication failed"), nobody
        if not by_basic and token is not None:
            user = self.device.tokens.user_of(token, now)
            account = self.device.accounts.users.get(user or "")
            if account is None:
                return web_server(401, self._body, "Invalid token"), nobody
        else:
            given = request.basic
            account = self.device.accounts.check(*given) if given else None
            if given or is_token_call:
                self._audit_login(request, given[0] if given else "", account is not None)
            if account is None:
                return web_server(401, self._body, "Authentication failed"), nobody
        self.device.last_user = account.name
        return None, account

    def _audit_login(self, request: Request, user: str, permitted: bool) -> None:
        if not self.device.switches.audit_lines:
            return
        word, number = ("permitted", "605005") if permitted else ("denied", "605004")
        text = f"Login {word} from {request.peer[0]}/{request.peer[1]} to management:"
        text += f'192.168.45.1/https for user "{user}"'
        self.device.outbox.append(Message(number, 6, text))

    def _tokens(self, request: Request, account: Account, now: float) -> Reply:
        rest = request.segments[2:]
        if request.method == "POST" and not rest:
            token = self.device.tokens.issue(account.name, now)
            if token is None:
                return web_server(503, self._body, "Maximum number of sessions reached")
            return Reply(status=204, headers=(("X-Auth-Token", token),))
        if request.method == "DELETE" and len(rest) == 1:
            if self.device.tokens.give_back(rest[0]):
                return Reply(status=204)
            return web_server(401, self._body, "Invalid token")
        return message(405, "METHOD-NOT-ALLOWED", "method is not allowed here")

    # -- resources -----------------------------------------------------------

    def answer(self, request: Request, account: Account, now: float) -> Reply:
        """The reply to a client who may ask."""
        before = self.device.configuration.edits
        try:
            return self._route(request, account, now)
        except Refused as refusal:
            return refused(self.device.switches, refusal)
        except BodyFaulty as error:
            return message(400, self.device.switches.error_code, str(error))
        finally:
            if self.device.configuration.edits != before:
                self.device.modified = (account.name, now)

    def _route(self, request: Request, account: Account, now: float) -> Reply:
        segments = request.segments[1:]
        method = request.method
        match segments:
            case ["objects", "networkobjectgroups", *rest]:
                reply = self._resource(group_resource.GROUPS, request, rest)
            case ["objects", "networkobjects", *rest]:
                reply = self._resource(object_resource.OBJECTS, request, rest)
            case [] if method == "POST":
                reply = self._bulk(request, account, now)
            case ["cli"] if method == "POST":
                reply = self._cli(request, account, now)
            case ["commands", "writemem"] if method == "POST":
                reply = ok({"response": [self.device.save(now)]})
            case ["backup"] if method == "POST":
                reply = self._backup(request, now)
            case ["objects", "localusers"] if method == "GET":
                reply = object_resource.local_users(self.device, request)
            case [] | ["cli"] | ["commands", "writemem"]:
                reply = message(405, "METHOD-NOT-ALLOWED", "method is not allowed here")
            case _:
                reply = self._read(request, segments, now)
        return reply

    def _read(self, request: Request, segments: Sequence[str], now: float) -> Reply:
        found = rest_reads.reader_of(segments)
        if found is None:
            return message(404, "RESOURCE-NOT-FOUND", "no such resource")
        if request.method != "GET":
            return message(405, "METHOD-NOT-ALLOWED", "method is not allowed here")
        reader, rest = found
        return reader(self.device, request, rest, now)

    def _resource(
        self, resource: group_resource.Resource, request: Request, rest: list[str]
    ) -> Reply:
        device, method = self.device, request.method
        if len(rest) > 1:
            return message(404, "RESOURCE-NOT-FOUND", "no such resource")
        name = rest[0].replace("_API_SLASH_", "/") if rest else ""
        if method == "GET":
            if rest:
                return Reply(status=200, body=resource.one(device, name, request.root))
            return resource.page(device, request)
        if method == "DELETE" and rest:
            resource.delete(device, name)
            return self._written()
        if method == "POST" and not rest:
            made = resource.create(device, self._object(request))
            link = f"{request.root}/{'/'.join(request.segments)}/{made.replace('/', '_API_SLASH_')}"
            return Reply(status=201, headers=(("Location", link),))
        if method == "PUT" and rest:
            resource.replace(device, name, self._object(request))
            return self._written()
        if method == "PATCH" and rest:
            resource.change(device, name, self._object(request))
            return self._written()
        return message(405, "METHOD-NOT-ALLOWED", "method is not allowed here")

    def _written(self) -> Reply:
        if not self.device.switches.success_warning:
            return Reply(status=204)
        return message(200, "", "Command executed", level="Warning")

    def _decoded(self, request: Request) -> Any:
        limit = int(self.device.switches.max_body_bytes)
        if limit and len(request.body) > limit:
            raise BodyFaulty(f"body is larger than {limit} bytes")
        try:
            return json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise BodyFaulty(f"body is not JSON: {error}") from error

    def _object(self, request: Request) -> dict[str, Any]:
        value = self._decoded(request)
        if not isinstance(value, dict):
            raise BodyFaulty("body must be an object")
        return value

    # -- many at once --------------------------------------------------------

    def _bulk(self, request: Request, account: Account, now: float) -> Reply:
        switches = self.device.switches
        inner = entries(self._decoded(request), request, int(switches.bulk_maximum))
        replies: list[Reply] = []
        atomic = switches.bulk_atomic == "all"
        modified = self.device.modified
        try:
            with self.device.configuration.transaction() if atomic else nullcontext():
                for one in inner:
                    replies.append(self.answer(one, account, now))
                    if replies[-1].status >= 400:
                        raise _Rollback
        except _Rollback:
            if atomic:
                self.device.modified = modified
        return joined(replies, switches)

    # -- command line and backup --------------------------------------------

    def _cli(self, request: Request, account: Account, now: float) -> Reply:
        commands = self._object(request).get("commands")
        if not isinstance(commands, list) or not all(isinstance(one, str) for one in commands):
            raise BodyFaulty("commands must be an array of strings")
        switches = self.device.switches
        before = self.device.configuration.generation
        console = Console.of(self.device, account.name, request.peer[0])
        printed = []
        for command in commands:
            if not switches.cli_keeps_submode:
                console.leave_submode()
            printed.append(console.run(command, now))
        if self.device.configuration.generation != before and switches.cli_is_outside_change:
            self.device.outside_changes += 1
        while printed and not printed[-1]:
            printed.pop()
        return ok({"response": printed})

    def _backup(self, request: Request, now: float) -> Reply:
        """Put the running configuration on the disk, as a client that makes a backup asks."""
        location = self._object(request).get("location")
        if not isinstance(location, str):
            raise BodyFaulty("location must be a string")
        copy = cli_files.read_copy(["/noconfirm", cli_files.RUNNING, *location.split()])
        if not copy.file:
            raise BodyFaulty("location must name a file on a disk")
        cli_files.carry_out(self.device, copy, now)
        return Reply(status=201)


def _privilege_needed(request: Request) -> int:
    if request.method in WRITES:
        return 15
    return 3 if request.segments[1:2] == ("monitoring",) else 5
