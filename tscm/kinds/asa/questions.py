"""
The questions about an ASA, whichever way leads to it.
"""

from collections.abc import Sequence

from tscm.kinds.asa.settings import AsaSettings
from tscm.kinds.question import AUTO, Question

PREFIX = Question(of=AsaSettings, name="prefix", words="Prefix : (of the object-group names)")
MAX_POLICY_SIZE = Question(
    of=AsaSettings,
    name="max_policy_size",
    words="Max Policy Size : (number of entries; auto uses what the platform\n  supports, about "
    "8,000 on the smallest; raise it step by step)",
    default=AUTO,
)
USERNAME = Question(of=AsaSettings, name="username", words="Device username :")
PASSWORD = Question(of=AsaSettings, name="password", words="Device password :", hidden=True)
OBJECT_GROUP_SIZE = Question(
    of=AsaSettings,
    name="object_group_size",
    words="Object-Group Size: (The number of CIDRs in the nested Object-Group(s).)\n",
    advanced=True,
    said="Object Group size set to [{value:,}]",
)


def allow_self_signed(of: type[AsaSettings]) -> Question:
    """Of a way that leads over TLS."""
    return Question(
        of=of,
        name="allow_self_signed",
        words="Allow Self-Signed Certificates? (yes or no; yes is not safe)",
    )


def unsafe_certificates(allowed: bool) -> Sequence[str]:
    """What is said where any certificate is *allowed*."""
    if not allowed:
        return ()
    return [
        "Self-signed certificates are allowed, which is not safe: an attacker on the path "
        "can impersonate the device and capture the password; prefer --ca_file or "
        "--fingerprint"
    ]
