"""
The portal's policies: what they are made of, how they are composed, and their publication.
"""
