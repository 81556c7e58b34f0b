"""
Whether the agent lives: crashes, automatic restarts, giving up, and being revived by hand.

docs/develop/asa.md, section 4: 342003 says that it failed and will restart, 342001 that it started, 342004
that five restarts were not enough and that only `no rest-api agent` and `rest-api agent` help.
Pure: time goes in, messages come out.
"""

from enum import StrEnum

from attrs import define, field

from tscm.simulator.switches import Switches
from tscm.simulator.syslog_form import Message

STARTED = Message("342001", 7, "REST API Agent started successfully.")
FAILED = Message(
    "342003",
    3,
    "REST API Agent failure notification received. Agent will be restarted automatically.",
)


def gave_up(attempts: int) -> Message:
    """What is said when the last restart was in vain."""
    text = f"Failed to automatically restart the REST API Agent after {attempts} unsuccessful "
    text += "attempts. Use the 'no rest-api agent' and 'rest-api agent' commands to manually "
    return Message("342004", 3, text + "restart the Agent.")


class Health(StrEnum):
    """How the agent is."""

    UP = "up"
    RESTARTING = "restarting"
    DEAD = "dead"
    """Gave up; waits for an operator."""
    OFF = "off"
    """`no rest-api agent`, or a platform without one."""


@define(eq=False)
class AgentHealth:
    """
    The ladder.  *failures* counts crashes until the agent was well for some time.
    """

    _switches: Switches
    state: Health = Health.UP
    failures: int = 0
    crashes: int = 0
    """All crashes since the start."""
    _until: float = field(default=0.0, init=False)
    _last_crash: float = field(default=float("-inf"), init=False)

    def poll(self, now: float) -> list[Message]:
        """Let time do its part; what is said about it."""
        if self.state is Health.RESTARTING and now >= self._until:
            self.state = Health.UP
            return [STARTED]
        if self.failures and self.state is Health.UP:
            well = now - max(self._last_crash, self._until)
            if well >= self._switches.agent_stable_seconds:
                self.failures = 0
        return []

    def crash(self, now: float) -> list[Message]:
        """The agent falls over."""
        if self.state is not Health.UP:
            return []
        self.crashes += 1
        self.failures += 1
        self._last_crash = now
        attempts = int(self._switches.agent_restarts)
        if self.failures > attempts:
            self.state = Health.DEAD
            return [FAILED, gave_up(attempts)]
        self.state = Health.RESTARTING
        self._until = now + self._switches.agent_restart_seconds
        return [FAILED]

    def kill(self) -> list[Message]:
        """The agent is gone for good, as after the last restart."""
        self.state = Health.DEAD
        self.crashes += 1
        return [gave_up(int(self._switches.agent_restarts))]

    def stop(self) -> None:
        """`no rest-api agent`."""
        self.state = Health.OFF
        self.failures = 0

    def start(self, now: float) -> list[Message]:
        """`rest-api agent`: nothing while it runs or restarts by itself, or has given up."""
        if self.state is not Health.OFF:
            return []
        self.failures = 0
        self.state = Health.RESTARTING
        self._until = now + self._switches.agent_start_seconds
        return self.poll(now)
