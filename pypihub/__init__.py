"""PyPIHub: GitHub Releases as a Python package index."""

__version__ = "0.1.0"
