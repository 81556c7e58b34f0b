"""
The SSH server of the simulated firewall: passwords, five sessions, a shell that is a `Terminal`.

Needs `twisted[conch]`, which the rest of the simulator does without.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.avatar import ConchUser
from twisted.conch.error import ValidPublicKey
from twisted.conch.interfaces import IConchUser, ISession
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import FingerprintFormats, Key
from twisted.conch.ssh.session import SSHSession, wrapProtocol
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tscm.simulator.device import Device
from tscm.simulator.ssh_algorithms import SETS, complete_table
from tscm.simulator.ssh_shell import Shell
from tscm.simulator.terminal import Terminal

MAX_SESSIONS = 5
"""At a time, in one context (docs/develop/asa.md, section 5)."""
GRACE_SECONDS = 60.0
"""A connection on which no user has logged in by then gives its place back."""
_USER_SIGNATURES = (
    b"server-sig-algs",
    b"ssh-ed25519,rsa-sha2-256,rsa-sha2-512,ecdsa-sha2-nistp256",
)
_AUTO_ENABLE = "aaa authorization exec "


@implementer(ISession)
class User(ConchUser):
    """
    Who logged in.
    """

    def __init__(self, name: str, server: "SshFactory") -> None:
        super().__init__()
        self._name = name
        self._server = server
        self.channelLookup.update({b"session": SSHSession})

    def openShell(self, proto: Any) -> None:
        """Begin a session on the command line."""
        device = self._server.device()
        peer = self.conn.transport.transport.getPeer().host
        auto = any(
            line.startswith(_AUTO_ENABLE) and line.endswith(" auto-enable")
            for line in device.configuration.plain
        )
        account = device.accounts.users.get(self._name)
        privileged = auto and account is not None and account.privilege >= 15
        terminal = Terminal(device, self._name, peer, auto_enable=privileged)
        connection = self.conn.transport.transport
        shell = Shell(terminal, self._server.clock, self._server.say, connection.abortConnection)
        shell.makeConnection(proto)
        proto.makeConnection(wrapProtocol(shell))

    def getPty(self, term: bytes, windowSize: Any, modes: Any) -> None:  # noqa: N803
        """The terminal's own size is not asked: `terminal width` is the firewall's."""

    def execCommand(self, proto: Any, command: bytes) -> None:
        """The ASA knows no commands without a shell."""
        del proto, command
        raise NotImplementedError

    def windowChanged(self, newWindowSize: Any) -> None:  # noqa: N803
        """See `getPty`."""

    def eofReceived(self) -> None:
        """Nothing more is typed."""

    def closed(self) -> None:
        """The session is over."""


@implementer(IRealm, ICredentialsChecker)
class Accounts:
    """
    The firewall's own accounts, by their passwords and by their public keys.
    """

    credentialInterfaces = (IUsernamePassword, ISSHPrivateKey)

    def __init__(self, server: "SshFactory") -> None:
        self._server = server

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """Check a password, or a key and what was signed with it."""
        if ISSHPrivateKey.providedBy(credentials):
            self._check_key(credentials)
        else:
            name, password = credentials.username.decode(), credentials.password.decode()
            if self._server.device().accounts.check(name, password) is None:
                raise UnauthorizedLogin
        who: Deferred[bytes | tuple[()]] = succeed(credentials.username)
        return who

    def _check_key(self, credentials: Any) -> None:
        name = credentials.username.decode()
        device = self._server.device()
        known = device.public_keys(name) if name in device.accounts.users else frozenset()
        if b64encode(credentials.blob).decode() not in known:
            raise UnauthorizedLogin
        if not credentials.signature:
            raise ValidPublicKey
        key = Key.fromString(credentials.blob)
        if not key.verify(credentials.signature, credentials.sigData):
            raise UnauthorizedLogin

    def requestAvatar(self, avatarId: bytes | tuple[()], mind: Any, *interfaces: Any) -> Any:  # noqa: N803
        """The user with that name."""
        del mind, interfaces
        assert isinstance(avatarId, bytes)
        return IConchUser, User(avatarId.decode(), self._server), lambda: None


class SshFactory(SSHFactory):
    """
    Connections to the command line; *device* gives the unit that is active at the moment.
    """

    def __init__(
        self, reactor: IReactorTime, device: Callable[[], Device], say: Callable[[], None]
    ) -> None:
        self.device = device
        self.say = say
        self.clock = reactor
        self.open: dict[Any, IDelayedCall] = {}
        """Connections, and when each must have been logged in on."""
        self._keys: dict[str, Key] = {}
        complete_table()
        accounts = Accounts(self)
        self.portal = Portal(accounts, [accounts])

    def buildProtocol(self, addr: Any) -> Any:
        """A connection, unless all sessions are taken."""
        if len(self.open) >= MAX_SESSIONS:
            return None
        release = self.device().switches.ssh_algorithms
        self.privateKeys = self.getPrivateKeys()
        self.publicKeys = self.getPublicKeys()
        made: Any = super().buildProtocol(addr)
        if release in SETS:
            offered = SETS[release]
            made.supportedKeyExchanges = list(offered.exchanges)
            made.supportedCiphers = list(offered.ciphers)
            made.supportedMACs = list(offered.macs)
            made.supportedPublicKeys = list(offered.signatures)
        if release == "modern" or b"rsa-sha2-256" in made.supportedPublicKeys:
            # What users' keys may sign with; Conch names what its own host key signs with.
            made.sendExtInfo = lambda _: type(made).sendExtInfo(made, [_USER_SIGNATURES])
        lost = made.connectionLost

        def not_logged_in() -> None:
            if getattr(made, "avatar", None) is None:
                made.transport.abortConnection()

        def connection_lost(reason: Failure = connectionDone) -> None:
            self._forget(made)
            lost(reason)

        made.connectionLost = connection_lost
        self.open[made] = self.clock.callLater(GRACE_SECONDS, not_logged_in)
        return made

    def getPrivateKeys(self) -> dict[bytes, Key]:
        """The host key of the release that the firewall is like."""
        key = self.host_key(self.device().switches.ssh_algorithms)
        return {key.sshType(): key}

    def getPublicKeys(self) -> dict[bytes, Key]:
        """Its public half."""
        return {kind: key.public() for kind, key in self.getPrivateKeys().items()}

    def host_key(self, release: str) -> Key:
        """The key with which a session begins; made when it is first needed."""
        if release not in self._keys:
            made = (
                SETS[release].host_key() if release in SETS else Key(Ed25519PrivateKey.generate())
            )
            self._keys[release] = made
        return self._keys[release]

    def fingerprint(self, release: str) -> str:
        """SHA-256 of that key, as `ssh` writes it."""
        found = self.host_key(release).public().fingerprint(FingerprintFormats.SHA256_BASE64)
        return f"SHA256:{found.rstrip('=')}"

    def renew_host_keys(self) -> None:
        """Show other keys from now on, as a firewall that was replaced does."""
        self._keys.clear()

    def _forget(self, made: Any) -> None:
        grace = self.open.pop(made, None)
        if grace is not None and grace.active():
            grace.cancel()

    def end_connections(self) -> None:
        """Close every session."""
        for one in list(self.open):
            self._forget(one)
            one.transport.abortConnection()
