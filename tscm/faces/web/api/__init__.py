"""
The API under `/api/v1`: the rows of the operation table over HTTPS, for programs with a key.
"""
