"""The numbers of the sightline plugin: no Qt, no VTK, only ``plumbline.api``."""
