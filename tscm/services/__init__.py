"""
The embedded policy service and log service.
"""
