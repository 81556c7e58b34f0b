"""
A site of several machines: the lines of every log in a stream of NATS JetStream.
"""
