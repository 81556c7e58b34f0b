"""
What the doctor says of an ASA, whichever way leads to it.
"""
