"""The version of opiscal."""

__version__ = "0.1.0"
