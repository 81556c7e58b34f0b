"""
What can be asked of the manager: one row an operation, and a handler for each.

`table` and `arguments` are light, for the command line; `handlers` brings the rooms.
"""
