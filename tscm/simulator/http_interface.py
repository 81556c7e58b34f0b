"""
The ASA's own HTTP interface for automation: `/admin/exec/…` and `/admin/config`, which needs no agent.

docs/develop/asa.md, section 4: commands stand in the path, a slash between them; lines that are posted, plain or in
XML, are merged into the running configuration, and those that are refused are told.  To the agent whatever is
changed here is an outside change.
"""

from collections.abc import Callable, Sequence
from hashlib import md5
from urllib.parse import unquote, unquote_plus

from attrs import define, field

from tscm.simulator import form_login
from tscm.simulator.accounts import Account
from tscm.simulator.cli import Console
from tscm.simulator.config_xml import NoCommands, Printed, read_commands, write_answer
from tscm.simulator.device import Device
from tscm.simulator.form_login import FormSessions, cookies_of, read_form
from tscm.simulator.http_values import AGENT, Reply, Request, web_server
from tscm.simulator.session import Session

ROOTS = frozenset({"admin", "+webvpn+"})
"""First parts of the paths that are the web server's own."""
_CLIENTS = frozenset({"ASDM", "CSM", AGENT})
_CLIENT_LINE = "http server basic-auth-client "
_FORM_CLIENT = "ASDM/"
_PRIVILEGE = 15
_LOGIN_PAGE = "<html><head><title>SSL VPN Service</title></head><body><form>Please enter your username and password.</form></body></html>\n"


@define(eq=False)
class HttpInterface:
    """
    What the web server answers by itself.
    """

    device: Device
    typed: Callable[[str], None] = lambda _: None
    """Is told each posted line when it has taken effect."""
    sessions: FormSessions = field(factory=FormSessions, init=False)

    def seconds(self, request: Request) -> float:
        """How long the device takes for *request*."""
        if request.method != "POST" or request.segments != ("admin", "config"):
            return 0.0
        switches = self.device.switches
        return switches.http_post_seconds + switches.http_line_seconds * len(self._lines(request))

    def handle(self, request: Request, now: float, *, within: float | None = None) -> Reply:
        """
        Check who asks, then do it; of posted lines only what the device does *within* so many seconds.
        """
        if request.segments[0] == "+webvpn+":
            return self._log_in(request, now)
        admitted = self._admit(request, now)
        if isinstance(admitted, Reply):
            return admitted
        if admitted.privilege < _PRIVILEGE:
            return self._page(403, f"Privilege {_PRIVILEGE} is needed")
        match request.method, request.segments[1:]:
            case "GET", ("exec", *commands) if commands:
                return self._exec(request, admitted, now)
            case "GET", ("config",):
                return _text(self.device.running_config())
            case "POST", ("config",):
                return self._merge(request, admitted, now, within)
        return self._page(404, "File not found")

    # -- who asks ------------------------------------------------------------

    def _admit(self, request: Request, now: float) -> Reply | Account:
        """Who asks, or why he may not: the agent is looked at before the password."""
        switches = self.device.switches
        try:
            given = request.basic
        except ValueError:
            given = None
        if given is not None:
            agent = request.headers.get("user-agent", "")
            if switches.user_agent_gate != "off" and agent not in self._clients():
                return self._page(switches.http_agent_status, "Bad request")
            account = self.device.accounts.check(*given)
            return account or self._page(401, "Authentication failed")
        cookie = cookies_of(request.headers).get(form_login.COOKIE)
        if cookie:
            self.sessions.lifetime = switches.http_form_seconds
            user = self.sessions.user_of(cookie, now)
            found = self.device.accounts.users.get(user or "")
            if found is not None:
                return found
            if switches.http_form_over == "login-page":
                return _login_page()
            if switches.http_form_over == "redirect":
                place = "/" + "/".join(form_login.PATH)
                return Reply(status=302, body="", headers=(("Location", place),))
        return self._page(401, "Authentication failed")

    def _clients(self) -> frozenset[str]:
        """Who may log in by Basic: the three that are built in, and what is configured."""
        lines = self.device.configuration.plain
        return _CLIENTS | {
            one.removeprefix(_CLIENT_LINE) for one in lines if one.startswith(_CLIENT_LINE)
        }

    def _log_in(self, request: Request, now: float) -> Reply:
        """The form, which answers a wrong password with itself."""
        if request.segments == form_login.LOGOUT:
            self.sessions.end(cookies_of(request.headers).get(form_login.COOKIE, ""))
            return _login_page()
        if not self.device.switches.http_form_login or request.segments != form_login.PATH:
            return self._page(404, "File not found")
        given = read_form(request.body, request.headers)
        agent = request.headers.get("user-agent", "")
        if request.method != "POST" or given is None or not agent.startswith(_FORM_CLIENT):
            return _login_page()
        account = self.device.accounts.check(*given)
        if account is None:
            return _login_page()
        cookie = f"{form_login.COOKIE}={self.sessions.begin(account.name, now)}; path=/; secure"
        return Reply(
            status=200,
            body="<html></html>\n",
            headers=(("Set-Cookie", cookie),),
            content_type="text/html",
        )

    # -- what is asked -------------------------------------------------------

    def _exec(self, request: Request, account: Account, now: float) -> Reply:
        """
        The commands of the path in one session, which begins above the configuration mode.

        A `+` is a blank, as in a query, where no switch says otherwise.
        """
        before = self.device.configuration.edits
        session = Session(self.device, account.name, request.peer[0], level="exec")
        console = Console(session)
        path = request.path or "/" + "/".join(request.segments)
        decoded = unquote_plus if self.device.switches.http_plus == "blank" else unquote
        commands = [decoded(one) for one in path.split("/") if one][2:]
        printed = "".join(console.run(command, now) for command in commands)
        if self.device.configuration.edits != before:
            self.device.outside_changes += 1
        return _text(printed)

    def _lines(self, request: Request) -> list[tuple[str, str]]:
        """Number and text of each line that was posted; of plain ones all numbers are empty."""
        if self._is_xml(request) and self.device.switches.http_xml == "accepted":
            try:
                return read_commands(request.body)
            except NoCommands:
                return []
        lines = request.body.decode("utf-8", "replace").splitlines()
        return [("", line) for line in lines if line.strip()]

    def _is_xml(self, request: Request) -> bool:
        return request.headers.get("content-type", "").startswith("text/xml")

    def _merge(self, request: Request, account: Account, now: float, within: float | None) -> Reply:
        configuration, switches = self.device.configuration, self.device.switches
        in_xml = self._is_xml(request)
        if in_xml and switches.http_xml == "refused":
            return self._page(400, "Bad request")
        before = configuration.generation
        console = Console.of(self.device, account.name, request.peer[0])
        printed = []
        for number, line in self._in_time(self._lines(request), within):
            text, refused = console.judged(line, now)
            self.typed(line)
            if text or refused:
                printed.append(Printed(number, _kind_of(text, refused=refused), text))
        changed = configuration.generation != before
        if changed:
            self.device.outside_changes += 1
        if in_xml and switches.http_xml == "accepted":
            return Reply(status=200, body=write_answer(printed), content_type="text/xml")
        body = md5("\n".join(self.device.body_lines()).encode(), usedforsecurity=False).hexdigest()
        words = " ".join(body[at : at + 8] for at in range(0, 32, 8))
        state = "changed" if changed else "unchanged"
        said = "".join(one.text for one in printed)
        return _text(f"{said}Cryptochecksum ({state}): {words}\nConfig OK\n")

    def _in_time(
        self, lines: Sequence[tuple[str, str]], within: float | None
    ) -> Sequence[tuple[str, str]]:
        switches = self.device.switches
        if within is None or not switches.http_line_seconds:
            return lines
        left = max(0.0, within - switches.http_post_seconds)
        return lines[: int(left / switches.http_line_seconds)]

    def _page(self, status: int, text: str) -> Reply:
        return web_server(status, self.device.switches.error_body, text)


def _kind_of(text: str, *, refused: bool) -> str:
    """What the XML calls it."""
    if text.startswith(("WARNING:", "****")):
        return "warning"
    return "error" if refused else "info"


def _text(body: str) -> Reply:
    return Reply(status=200, body=body, content_type="text/plain")


def _login_page() -> Reply:
    return Reply(status=200, body=_LOGIN_PAGE, content_type="text/html")
