"""
Reports that are sent by mail at fixed times.
"""
