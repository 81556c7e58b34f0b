"""
`tsadmin allow`: an address or network permitted by hand.
"""

from tscm.cli.by_hand import entering
from tscm.policy.by_hand import ALLOW

command = entering(ALLOW)
