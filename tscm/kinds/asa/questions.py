"""
The questions about an ASA, whichever way leads to it.
"""

from collections.abc import Sequence

from tscm.kinds import questions as shared
from tscm.kinds.asa.settings import AsaHttpsSettings, AsaSettings
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


ALLOW_SELF_SIGNED = Question(
    of=AsaHttpsSettings,
    name="allow_self_signed",
    words="Allow Self-Signed Certificates? (yes or no; yes is not safe)",
)


def questions(
    *, way: Sequence[Question] = (), login: Sequence[Question], late: Sequence[Question] = ()
) -> tuple[Question, ...]:
    """All in order: how the device is spoken with (*way*, *login*), and what few change (*late*) at their places."""
    return (
        shared.DEVICE_ID,
        shared.DEVICE,
        shared.BLOCK_LIST,
        shared.ALLOW_LIST,
        PREFIX,
        *way,
        MAX_POLICY_SIZE,
        shared.SEND_LOGS,
        USERNAME,
        *login,
        shared.DNS_PORT,
        shared.SYSLOG_SOURCES,
        shared.LOG_ROTATE_SIZE,
        shared.POLICY_UPDATES,
        *shared.FORWARD,
        *shared.PROXY,
        shared.HA_MEMBERS,
        *late,
        OBJECT_GROUP_SIZE,
    )
