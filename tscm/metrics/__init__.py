"""
Pages and families of the metrics listener.
"""
