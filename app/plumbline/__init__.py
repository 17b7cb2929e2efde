"""Plumbline (准绳): a desktop workstation for real-scene 3D.

Importing this package is cheap; everything heavy is imported where it is used.
"""

__version__ = "0.1.0"
