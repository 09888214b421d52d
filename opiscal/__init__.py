"""opiscal: which distance threshold to ship, how sure that is, and whether one serves all classes."""

__version__ = "0.1.0"
