"""
Policy sources: DNS over TCP, files, HTTPS.
"""
