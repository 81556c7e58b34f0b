"""
The commands without a manager: on the stored settings, under their lock.
"""

from attrs import define, field

from tscm import __version__, devices
from tscm.cli.backend import ManagerDown
from tscm.devices import NETWORK, Reach
from tscm.model import Json, Report
from tscm.risks import Consent
from tscm.settings.files import device_names, read_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock, policies_held
from tscm.settings.owner import left_to_owner

MODULES = ("TSCM-Core", "ts-asarest")
_HOLDER = "tsadmin"


@define(eq=False)
class DirectBackend:
    """
    A `Backend` that opens the files itself.  Whatever changes them holds the lock on them meanwhile.
    """

    _layout: Layout
    _reach: Reach = NETWORK
    running: bool = field(default=False, init=False)

    def status(self) -> Json:
        """See `Backend`."""
        raise ManagerDown("the state of the manager")

    def rows(self) -> list[Json]:
        """See `Backend`."""
        return devices.device_rows(self._layout)

    def view(self, name: str) -> Json:
        """See `Backend`; the state is empty, since nobody keeps one."""
        settings = read_device(self._layout, name, None)
        return {"settings": devices.settings_view(settings), "state": {}}

    def add(self, table: Json, report: Report) -> Json:
        """See `Backend`."""
        with policies_held(self._layout, _HOLDER):
            node = read_node(self._layout)
            return devices.add_device(self._layout, node, table, report, reach=self._reach)

    def change(self, name: str, table: Json, report: Report) -> Json:
        """See `Backend`."""
        with policies_held(self._layout, _HOLDER):
            node = read_node(self._layout)
            return devices.reconfigure_device(
                self._layout, node, name, table, report, reach=self._reach
            )

    def remove(self, name: str, report: Report) -> Json:
        """See `Backend`."""
        del report
        with policies_held(self._layout, _HOLDER):
            return devices.forget_device(self._layout, read_node(self._layout), name)

    def update(self, name: str, report: Report, *, consent: Consent) -> Json:
        """See `Backend`."""
        from tscm.cli.alone import ask_alone, outcome_of

        return outcome_of(
            ask_alone(
                self._layout,
                name,
                lambda updates: updates.update_now(name, report, consent=consent),
            )
        )

    def plan(self, name: str, report: Report, *, consent: Consent, survey: bool) -> Json:
        """See `Backend`."""
        from tscm.cli.alone import ask_alone, outcome_of

        return outcome_of(
            ask_alone(
                self._layout,
                name,
                lambda updates: updates.plan(name, report, consent=consent, survey=survey),
            )
        )

    def logs(self, name: str, report: Report) -> Json:
        """See `Backend`."""
        del report
        self._known(name)
        raise ManagerDown("rotating and uploading logs")

    def batches_aside(self, name: str) -> Json:
        """See `Backend`; by the files alone."""
        import attrs

        from tscm.upload.state import list_aside

        self._known(name)
        kept = list_aside(self._layout.device_log(name) / ".spool" / "aside")
        return {"name": name, "batches": [attrs.asdict(one) for one in kept]}

    def aside(self, name: str, what: str, key: str, report: Report) -> Json:
        """See `Backend`."""
        del what, key, report
        self._known(name)
        raise ManagerDown("sending or dropping a batch that was set aside")

    def drop_reader(self, name: str, reader: str) -> Json:
        """See `Backend`; whoever uses it is told by the settings."""
        from tscm.device_rooms import users_of
        from tscm.operations import ReaderInUse
        from tscm.spool.disk import Disk
        from tscm.spool.tools_repair import drop_position

        with left_to_owner(self._layout), RootLock(self._layout.lock, _HOLDER):
            if name in device_names(self._layout):
                settings = read_device(self._layout, name, None)
                if reader in users_of(settings, read_node(self._layout).upload):
                    raise ReaderInUse(name, reader, known=True)
            try:
                dropped = drop_position(Disk(), self._layout.logs, name, reader)
            except (FileNotFoundError, ValueError):
                raise ReaderInUse(name, reader, known=False) from None
        return {"name": name, "reader": reader, "waiting_lines": dropped}

    def ledger(self, name: str | None) -> Json:
        """See `Backend`."""
        if name is not None:
            self._known(name)
        raise ManagerDown("the ledger")

    def senders(self) -> list[Json]:
        """See `Backend`."""
        raise ManagerDown("the list of senders")

    def adopt(self, address: str, name: str, report: Report) -> Json:
        """See `Backend`."""
        with policies_held(self._layout, _HOLDER):
            settings = read_device(self._layout, name, None)
            sources = [*settings.syslog_sources, address]
            node = read_node(self._layout)
            return devices.reconfigure_device(
                self._layout, node, name, {"syslog_sources": sources}, report, reach=self._reach
            )

    def purge(self, name: str, report: Report, *, consent: Consent) -> Json:
        """See `Backend`."""
        from tscm.cli.alone import ask_alone, outcome_of

        return outcome_of(
            ask_alone(
                self._layout, name, lambda updates: updates.purge(name, report, consent=consent)
            )
        )

    def policy(self, name: str, question: str, table: Json, report: Report) -> Json:
        """See `Backend`."""
        from tscm.cli.alone import ask_alone, ask_policy

        if question == "pause":
            return self.change(name, {"policy_updates": False}, report)
        if question == "resume":
            ask_alone(self._layout, name, lambda updates: updates.resume(name))
            return self.change(name, {"policy_updates": True}, report)
        return ask_policy(self._layout, name, question, table, report)

    def rebuild_events(self, name: str, report: Report) -> Json:
        """See `Backend`."""
        del report
        self._known(name)
        raise ManagerDown("counting anew")

    def report(self, name: str, options: Json, report: Report) -> Json:
        """See `Backend`; what was counted before the manager went down."""
        from time import time

        from tscm.events.report import ask, read_question

        del report
        self._known(name)
        return ask(self._layout.database, read_question(name, options, time())).as_json()

    def doctor(self, name: str | None, report: Report) -> Json:
        """See `Backend`; that no manager runs is a finding."""
        from tscm.doctor import alone

        if name is None:
            return alone.doctor_node(self._layout, report)
        return alone.doctor_device(self._layout, name, report)

    def history(self, name: str) -> Json:
        """See `Backend`."""
        from tscm.cli.alone import ask_alone

        found: Json = ask_alone(self._layout, name, lambda updates: updates.history(name))
        return found

    def versions(self) -> list[Json]:
        """See `Backend`."""
        return [{"module": one, "version": __version__} for one in MODULES]

    def _known(self, name: str) -> None:
        if name not in device_names(self._layout):
            read_device(self._layout, name, None)
