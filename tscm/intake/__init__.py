"""
Where lines come in: UDP in batches, TCP in bulk, TLS; senders and their bounds.
"""
