"""
How the operating system's `ssh` is called, and what it says when it fails.  Pure.

No key of a device is taken at first sight: `ssh` asks a command which keys are known (`KnownHostsCommand`), and that
answers with the device's own key if its SHA-256 is among those that the settings pin, else with nothing.  So the
password is asked for only when the key is right.  Each key that is shown is told on standard error, for the errors.
"""

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

PROGRAM = "ssh"
PACKAGE = "openssh-client"
TOLD_KEY = "tscm-host-key"
_COMMAND_FAILED = "KnownHostsCommand"
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_KEY_LINE = re.compile(rf"^{TOLD_KEY} (\S{{1,60}}) ({FINGERPRINT.pattern})\s*$", re.MULTILINE)
_OFFER = re.compile(r"no matching ([a-z ]{1,40}) found\. Their offer: (\S{1,2000})")
_UNREADABLE_KEY = re.compile(r"^Load key .{0,200}?: ([a-z][^\r\n]{0,100})", re.MULTILINE)
_EXTENSIONS = ("kex-strict-", "ext-info-")
_OLD = (
    "KexAlgorithms=+diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
    "Ciphers=+aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc",
    "MACs=+hmac-sha1-96,hmac-md5",
    "HostKeyAlgorithms=+ssh-rsa",
    "PubkeyAcceptedAlgorithms=+ssh-rsa",
)
"""What `ssh` knows and does not offer by itself: all that ASAs before 9.12 have, and the RSA signature of later ones."""
_FIXED = (
    "BatchMode=no",
    "CanonicalizeHostname=no",
    "CheckHostIP=no",
    "ConnectionAttempts=1",
    "ControlPath=none",
    "ForwardAgent=no",
    "ForwardX11=no",
    "GSSAPIAuthentication=no",
    "GlobalKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "LogLevel=INFO",  # on a lower one it does not say what the device offers
    "NumberOfPasswordPrompts=1",
    "PermitLocalCommand=no",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "UserKnownHostsFile=/dev/null",
    "VerifyHostKeyDNS=no",
)
_REMEDIES = {
    "key exchange method": "`ssh key-exchange group dh-group14-sha256`",
    "cipher": "`ssh cipher encryption high`",
    "MAC": "`ssh cipher integrity high`",
}
"""Lines that make an ASA offer what is good today, by what it lacks; its RSA signature comes with its release."""


@frozen(kw_only=True)
class Target:
    """
    A device's command line, and what it is trusted by.

    *pins* are SHA-256 of host keys, as `ssh` writes them; without one no device is right.  With a *key_file* a
    password is tried where *with_password* says that there is one.
    """

    host: str
    port: int = 22
    username: str
    pins: tuple[str, ...] = field(default=())
    old_algorithms: bool = False
    key_file: str | None = None
    with_password: bool = True
    connect_seconds: int = 15

    def __attrs_post_init__(self) -> None:
        for pin in self.pins:
            if not FINGERPRINT.fullmatch(pin):
                raise ValueError(f"{pin!r} is not a SHA-256 fingerprint of a host key")


def words(program: str, target: Target) -> list[str]:
    """The command line, with no secret in it."""
    pins = ",".join(["", *target.pins, ""])
    # The percent signs are put in by ssh: type, fingerprint, name and key.  `sh` gets them as words, not as code.
    known = (
        f'/bin/sh -c "echo {TOLD_KEY} \\"$1\\" \\"$2\\" >&2;'
        f' case \\"$3\\" in *\\",$2,\\"*) echo \\"$4 $1 $5\\";; esac"'
        f" sh %t %f {pins} %H %K"
    )
    options = [
        *_FIXED,
        f"ConnectTimeout={target.connect_seconds}",
        f"KnownHostsCommand={known}",
    ]
    ways = ["password", "keyboard-interactive"] if target.with_password else []
    if target.key_file is None:
        options.append("PubkeyAuthentication=no")
    else:
        ways.insert(0, "publickey")
        options.append(f"IdentityFile={target.key_file}")
    options.append(f"PreferredAuthentications={','.join(ways)}")
    if target.old_algorithms:
        options += _OLD
    made = [program, "-F", "none", "-tt", "-e", "none", "-x", "-a"]
    for option in options:
        made += ["-o", option]
    return [*made, "-p", str(target.port), "-l", target.username, "--", target.host]


def environment(present: Mapping[str, str]) -> dict[str, str]:
    """What `ssh` needs of ours: no agent, no program that asks for passwords, English errors."""
    kept = {name: present[name] for name in ("PATH", "HOME") if name in present}
    return {**kept, "LC_ALL": "C", "TERM": "vt100"}


@frozen(kw_only=True)
class HostKey:
    """
    The key that a device showed: `ssh-rsa` or another type, and its SHA-256.
    """

    kind: str
    fingerprint: str


def shown_keys(errors: str) -> Iterator[HostKey]:
    """Keys that the device showed, by what stands on standard error."""
    for kind, fingerprint in _KEY_LINE.findall(errors):
        yield HostKey(kind=kind, fingerprint=fingerprint)


@frozen(kw_only=True)
class Failure:
    """
    Why there is no session.

    *kind* is `algorithms`, `host key`, `login`, `connection`, `closed` or `other`; *cause* and *remedy* are for people.
    """

    kind: str
    cause: str
    remedy: str = ""
    key: HostKey | None = None


def read_failure(
    errors: str, *, name: str, old_algorithms: bool, with_key: bool = False
) -> Failure:
    """What `ssh` said on standard error, as a failure of the device *name*, at which a key was tried or not."""
    own = [line for line in errors.splitlines() if line and not line.startswith(TOLD_KEY)]
    text = "\n".join(own)
    key = next(reversed(list(shown_keys(errors))), None)
    if offer := _OFFER.search(text):
        return _no_algorithm(offer[1], offer[2], name, old_algorithms)
    if _COMMAND_FAILED in text and key is None:
        return Failure(
            kind="program",
            cause=f"`ssh` could not ask whether its host key is pinned: {own[0]}",
            remedy="the service must allow `ssh` to run `/bin/sh` (setresuid in its `SystemCallFilter=`, as in the unit "
            "that comes with tscm)",
        )
    if "Host key verification failed" in text:
        what = f"the {key.kind} key {key.fingerprint}" if key else "a key"
        return Failure(
            kind="host key",
            cause=f"it shows {what}, which is not one that its settings pin",
            key=key,
        )
    if "Permission denied" in text or "Too many authentication failures" in text:
        return _refused_login(text, name, with_key=with_key, old_algorithms=old_algorithms)
    last = own[-1] if own else "`ssh` ended without a word"
    if _any(
        text, "Could not resolve", "Connection refused", "timed out", "No route", "unreachable"
    ):
        return Failure(kind="connection", cause=last.removeprefix("ssh: "))
    if _any(
        text, "kex_exchange_identification", "Connection reset", "Connection closed", "closed by"
    ):
        return Failure(
            kind="closed",
            cause="it closed the connection before the login",
            remedy="all its SSH sessions may be taken (five in a context): "
            "`show ssh sessions` names them, and `ssh disconnect` with a number ends one",
        )
    return Failure(kind="other", cause=last, key=key)


def _refused_login(text: str, name: str, *, with_key: bool, old_algorithms: bool) -> Failure:
    if not with_key:
        return Failure(
            kind="login",
            cause="it rejected the user name or the password",
            remedy=f"set them with `tsadmin configure {name} --username` and `--password`; an account that is locked "
            "after wrong passwords is unlocked on it with `clear aaa local user lockout username USER`",
        )
    if found := _UNREADABLE_KEY.search(text):
        return Failure(
            kind="key file",
            cause=f"`ssh` cannot read the private key: {found[1]}",
            remedy=f"set another key: tsadmin configure {name} --ssh_key_file, and the file",
        )
    # A device that takes SHA-1 alone gets no signature of an RSA key, and that looks the same from here.
    old = (
        ""
        if old_algorithms
        else "; where its release signs with SHA-1 alone, allow old algorithms too"
    )
    return Failure(
        kind="login",
        cause="it rejected the user name or the key",
        remedy="enter the public half on it (`username USER attributes`, `ssh authentication publickey KEY`; "
        f"`tsadmin show {name} --lines` prints them), or set another key: "
        f"tsadmin configure {name} --ssh_key_file, and the file{old}",
    )


def _no_algorithm(what: str, offer: str, name: str, old_algorithms: bool) -> Failure:
    offered = [one for one in offer.split(",") if not one.startswith(_EXTENSIONS)]
    line = _REMEDIES.get(what)
    ways = [] if line is None else [f"enter {line} on it"]
    if not old_algorithms:
        ways.append(f"allow old algorithms (`tsadmin configure {name} --ssh_old_algorithms yes`)")
    return Failure(
        kind="algorithms",
        cause=f"it offers no {what} that is good enough, but {', '.join(offered)}",
        remedy=", or ".join(ways),
    )


def _any(text: str, *parts: str) -> bool:
    return any(part in text for part in parts)


def is_question(said: bytes) -> bool:
    """Does what `ssh` wrote on its terminal ask for something?"""
    return said.rstrip(b" ").endswith((b":", b"?", b"]", b">"))


def asks_passphrase(said: bytes) -> bool:
    """Does it ask what a key file is locked with?  The password of the account is no answer to that."""
    return b"passphrase" in said.lower()
