"""
Settings: TOML files into frozen values, with every fault in one report.

`layout` says where things lie, `values` reads one value each, `node` and `device`
hold the values, `files` reads and writes the files.
"""
