"""
`tsadmin block`: an address or network blocked by hand.
"""

from tscm.cli.by_hand import entering
from tscm.policy.by_hand import BLOCK

command = entering(BLOCK)
