"""
`tsadmin`: one noun a module.
"""
