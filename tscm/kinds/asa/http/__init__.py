"""
The way to an ASA over its HTTP interface, which needs no agent.
"""
