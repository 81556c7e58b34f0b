"""
Firewalls that pull a list: what each wants to read, what is published for it, and what to enter on it.
"""
