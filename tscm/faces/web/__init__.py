"""
The page: what operators see and do in a browser, by the same operations as `tsadmin`.
"""
