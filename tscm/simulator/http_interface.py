"""
The ASA's own HTTP interface for automation: `/admin/exec/…` and `/admin/config`, which needs no agent.

docs/develop/asa.md, section 4: commands stand in the path, a slash between them; plain lines that are posted are
merged into the running configuration, all at once, and the text ends in `Config OK`.  The form in XML is
not simulated.  To the agent whatever is changed here is an outside change.
"""

from hashlib import md5
from urllib.parse import unquote_plus

from attrs import define

from tscm.simulator.accounts import Account
from tscm.simulator.cli import Console
from tscm.simulator.device import Device
from tscm.simulator.http_values import AGENT, Reply, Request, web_server
from tscm.simulator.session import Session

_CLIENTS = frozenset({"ASDM", "CSM", AGENT})
_CLIENT_LINE = "http server basic-auth-client "
_PRIVILEGE = 15


@define(eq=False)
class HttpInterface:
    """
    What the web server answers by itself.
    """

    device: Device

    def handle(self, request: Request, now: float) -> Reply:
        """Check who asks, then do it."""
        try:
            given = request.basic
        except ValueError:
            given = None
        gate = self.device.switches.user_agent_gate
        account: Account | None = None
        if given and (gate == "off" or request.headers.get("user-agent", "") in self._clients()):
            account = self.device.accounts.check(*given)
        if account is None:
            return self._page(401, "Authentication failed")
        if account.privilege < _PRIVILEGE:
            return self._page(403, f"Privilege {_PRIVILEGE} is needed")
        match request.method, request.segments[1:]:
            case "GET", ("exec", *commands) if commands:
                return self._exec(request, account, now)
            case "GET", ("config",):
                return _text(self.device.running_config())
            case "POST", ("config",):
                return self._merge(request, account, now)
        return self._page(404, "File not found")

    def _clients(self) -> frozenset[str]:
        """Who may log in by Basic: the three that are built in, and what is configured."""
        lines = self.device.configuration.plain
        return _CLIENTS | {
            one.removeprefix(_CLIENT_LINE) for one in lines if one.startswith(_CLIENT_LINE)
        }

    def _exec(self, request: Request, account: Account, now: float) -> Reply:
        """
        The commands of the path in one session, which begins above the configuration mode.

        A `+` is a blank, as in a query.
        """
        before = self.device.configuration.edits
        session = Session(self.device, account.name, request.peer[0], level="exec")
        console = Console(session)
        path = request.path or "/" + "/".join(request.segments)
        commands = [unquote_plus(one) for one in path.split("/") if one][2:]
        printed = "".join(console.run(command, now) for command in commands)
        if self.device.configuration.edits != before:
            self.device.outside_changes += 1
        return _text(printed)

    def _merge(self, request: Request, account: Account, now: float) -> Reply:
        configuration = self.device.configuration
        before = configuration.generation
        console = Console.of(self.device, account.name, request.peer[0])
        lines = request.body.decode("utf-8", "replace").splitlines()
        printed = "".join(console.run(line, now) for line in lines if line.strip())
        changed = configuration.generation != before
        if changed:
            self.device.outside_changes += 1
        body = md5("\n".join(self.device.body_lines()).encode(), usedforsecurity=False).hexdigest()
        words = " ".join(body[at : at + 8] for at in range(0, 32, 8))
        state = "changed" if changed else "unchanged"
        return _text(f"{printed}Cryptochecksum ({state}): {words}\nConfig OK\n")

    def _page(self, status: int, text: str) -> Reply:
        return web_server(status, self.device.switches.error_body, text)


def _text(body: str) -> Reply:
    return Reply(status=200, body=body, content_type="text/plain")
