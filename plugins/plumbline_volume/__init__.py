"""Volume: see ``plugin.toml`` for what it offers.

The manifest is read without importing anything; keep this file free of imports.
"""
