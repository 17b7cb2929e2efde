"""The workstation's window: canvas, layer tree, attributes, tasks, dialogs.

Knows the headless packages, `render` and `ui_kit`; knows plugins only through their manifests.
"""
