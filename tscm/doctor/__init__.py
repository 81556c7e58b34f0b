"""
`tsadmin doctor`: the whole chain, link by link, and what to do where it is not whole.
"""
