"""
What twistd starts: manager, simulator, embedded services.
"""
