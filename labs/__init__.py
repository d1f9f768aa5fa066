"""The labs: a folder each, with the solution, the lab and its probes.

In the library this is `cnnbook.labs`.
"""
