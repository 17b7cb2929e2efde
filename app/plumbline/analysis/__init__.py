"""Analyses: one class with declared parameters, called by the form, the command line and Python."""
