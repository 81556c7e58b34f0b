"""
Ways to read and change the object-groups of a firewall, behind `model.AsaDriver`.
"""
