"""
How long tests wait for what must come.

A bound against waiting for ever, not a measure: a machine that also does other things may take
long, and no test says how fast anything is.
"""

PATIENCE_SECONDS = 60.0
