"""
The operations: what `tsadmin`, and later the web page and the API, can ask of a node; a module for each noun.

A new operation is a row here, its handler in the module of the same name under `handlers`, and a command.
"""
