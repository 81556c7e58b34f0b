"""
Benchmarks: ratios between programs that run in turns, never absolute figures.
"""
