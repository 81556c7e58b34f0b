"""
A session on the command line: who types where, at which level, in which sub-mode.
"""

from attrs import define, field

from tscm.simulator.device import Device

NOBODY = "0.0.0.0"  # noqa: S104 - what the ASA prints of its own console


@define(eq=False)
class Session:
    """
    *level* is `user`, `exec` or `config`; one that is not *interactive* never ends by itself.

    The lines that the agent, the HTTP interface and the start configuration type begin at `config`.
    """

    device: Device
    user: str = "enable_15"
    peer: str = NOBODY
    level: str = "config"
    interactive: bool = False
    pager: int = 0
    """Lines of a page; 0 for no pages."""
    closed: bool = False
    mode: str = field(default="", init=False)
    """The sub-mode, one of `tscm.simulator.commands.SUBMODES`; *target* is what its lines belong to."""
    target: str = field(default="", init=False)
    _from_exec: bool = field(default=False, init=False)

    def configure(self) -> None:
        """`configure terminal`; `exit` and `end` lead back to where it was typed."""
        if self.level != "config":
            self.level, self._from_exec = "config", True

    def enter(self, mode: str, target: str) -> None:
        """Take the lines of a sub-mode from now on."""
        self.mode, self.target = mode, target

    def leave_submode(self) -> None:
        """Go back to the plain configuration mode."""
        self.mode = self.target = ""

    def leave(self, word: str) -> None:
        """`exit`, `quit`, `end`, `logout` and `disable` outside of a sub-mode."""
        if self.level == "config" and word != "logout":
            if self._from_exec:
                self.level = "exec"
        elif word == "disable":
            if self.interactive:
                self.level = "user"
        elif self.interactive:
            self.closed = True
