"""
The lines that change an ASA, and what it prints: whichever way takes them there.
"""
