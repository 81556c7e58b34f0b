"""
What a session on the command line knows of itself.
"""

from attrs import define


@define
class Session:
    """
    *level* is `user`, `exec` or `config`; one that is not *interactive* never ends by itself.

    The lines that the agent, the HTTP interface and the start configuration type begin at `config`.
    """

    level: str = "config"
    interactive: bool = False
    from_exec: bool = False
    """Began above `config`, so that `exit` and `end` lead back there."""
    pager: int = 0
    """Lines of a page; 0 for no pages."""
    closed: bool = False

    def leave(self, word: str) -> None:
        """`exit`, `quit`, `end`, `logout` and `disable` outside of a sub-mode."""
        if self.level == "config" and word != "logout":
            if self.from_exec:
                self.level = "exec"
        elif word == "disable":
            if self.interactive:
                self.level = "user"
        elif self.interactive:
            self.closed = True
