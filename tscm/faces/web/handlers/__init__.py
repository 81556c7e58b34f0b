"""
What answers each page; a module for each part of the site.
"""
