"""How good enhanced recordings are: systems, recordings, scores, and how sure one can be of them.

Needs the ``[eval]`` extra for the metrics that come from libraries, and torch for nothing.
"""
