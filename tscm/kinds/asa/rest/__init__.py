"""
The way to an ASA over its REST API agent.
"""
