"""The numbers of the schemes plugin: no Qt, no VTK, only ``plumbline.api``."""
