"""The model of a project: layers, scene, georeference, units, errors, events.

Knows no file format, no Qt and no VTK.
"""
