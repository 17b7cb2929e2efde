"""Schemes: planning schemes: indicators, checks, differences, comparison and scores.

The manifest beside this file is read without importing anything; keep it free of imports.
"""
