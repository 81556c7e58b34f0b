"""
The page in the manager's process, for a trial: whatever is wrong with it, lines are collected.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from tscm.errors import TscmError
from tscm.faces.web.packages import refuse_without_packages
from tscm.settings.layout import Layout
from tscm.settings.web import WebSettings

if TYPE_CHECKING:
    from tscm.faces.web.service import WebService


@define(eq=False)
class InnerPage(Service):
    """
    Makes, starts and stops the page, which asks over the control socket as if it were another process.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _layout: Layout
    _settings: WebSettings
    _page: "WebService | None" = field(default=None, init=False)

    def make_files(self) -> None:
        """Open or make the accounts and the certificate, with the rights of the files' owner."""
        try:
            refuse_without_packages()
            from tscm.faces.web.service import WebService

            page = WebService(self._reactor, self._layout, self._settings)
            page.make_files()
        except TscmError as error:
            self._failed(error)
        else:
            self._page = page

    def privilegedStartService(self) -> None:
        """Bind; what is in the way is logged."""
        super().privilegedStartService()
        if self._page is not None:
            try:
                self._page.privilegedStartService()
            except TscmError as error:
                self._failed(error)

    def _failed(self, error: TscmError) -> None:
        self._page = None
        self._log.error("no page: {error}", error=str(error))

    def startService(self) -> None:
        """Begin to answer."""
        super().startService()
        if self._page is not None:
            self._page.startService()

    def stopService(self) -> Deferred[None] | None:
        """Fires when nothing of the page is running."""
        super().stopService()
        return None if self._page is None else self._page.stopService()

    def addresses(self) -> list[str]:
        """Where it listens."""
        return [] if self._page is None else self._page.addresses()
