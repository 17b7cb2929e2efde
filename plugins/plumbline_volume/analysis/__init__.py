"""The numbers of the volume plugin: no Qt, no VTK, only ``plumbline.api``."""
