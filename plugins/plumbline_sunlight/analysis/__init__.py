"""The numbers of the sunlight plugin: no Qt, no VTK, only ``plumbline.api``."""
