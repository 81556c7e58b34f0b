"""
The groups of calls to which a key can be limited: the nouns of the operation table.
"""

from tscm.operations.table.whole import TABLE

NOUNS = frozenset(operation.room for operation in TABLE.values())
