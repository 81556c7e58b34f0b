"""
The questions that every kind asks, in their literal words.

A kind puts them in order with its own.
"""

from tscm.kinds.question import Question

DEVICE_ID = Question(name="device_id", words="Device ID (tdid) :")
DEVICE = Question(name="device", words="Device Management IP address :")
BLOCK_LIST = Question(name="block_list", words="Block list name :")
ALLOW_LIST = Question(name="allow_list", words="Allow list name :")
SEND_LOGS = Question(name="send_logs", words="Send logs to ThreatSTOP? (yes or no)")
DNS_PORT = Question(name="dns_port", words="DNS port : (53 (standard) or 5353)", advanced=True)
SYSLOG_SOURCES = Question(
    name="syslog_sources",
    words="Please enter all additional syslog source IP(s). Use none for none.\n"
    "  Separate multiple entries with a space :",
    advanced=True,
)
LOG_ROTATE_SIZE = Question(
    name="log_rotate_size", words="Log rotate size : (in Kb, minimum 50)", advanced=True
)
POLICY_UPDATES = Question(
    name="policy_updates",
    words="Enable policy updates? (y or n)",
    letters=True,
    advanced=True,
)
SYSLOG_FORWARD = Question(
    name="syslog_forward",
    words="Enable syslog forward? (y or n)",
    letters=True,
    advanced=True,
)
FORWARD_ADDRESS = Question(
    name="forward_address",
    words="Syslog forward IP address :",
    advanced=True,
    only_with="syslog_forward",
)
FORWARD_PORT = Question(
    name="forward_port",
    words="Syslog forward port :",
    advanced=True,
    only_with="syslog_forward",
)
FORWARD_PROTOCOL = Question(
    name="forward_protocol",
    words="Syslog forward protocol : (UDP, TCP or TLS)",
    advanced=True,
    only_with="syslog_forward",
)
LOG_PROXY = Question(
    name="log_proxy",
    words="Log upload proxy ( e.g. '', 'none' for none)?\n",
    advanced=True,
)
LOG_PROXY_USER = Question(
    name="log_proxy_user",
    words="Log upload proxy user : (none for none)",
    advanced=True,
    only_with="log_proxy",
)
LOG_PROXY_PASSWORD = Question(
    name="log_proxy_password",
    words="Log upload proxy password :",
    hidden=True,
    advanced=True,
    only_with="log_proxy_user",
)
HA_MEMBERS = Question(
    name="ha_members",
    words="Is this device part of an HA/cluster setup?\n"
    "  If so, enter the additional IP(s) (space-separated),\n"
    '  or "none" for no HA :',
    advanced=True,
)

FORWARD = (SYSLOG_FORWARD, FORWARD_ADDRESS, FORWARD_PORT, FORWARD_PROTOCOL)
PROXY = (LOG_PROXY, LOG_PROXY_USER, LOG_PROXY_PASSWORD)
