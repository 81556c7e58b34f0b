"""
What every room may use: time, threads, files, secrets, bounds of HTTP and TLS.
"""
