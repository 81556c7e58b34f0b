"""
The kinds of enforcement point: what keeps addresses out, and how each is reached.
"""
