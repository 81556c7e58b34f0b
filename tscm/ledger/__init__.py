"""
The ledger: what was received is stored or dropped, and what was stored is accounted for.
"""
