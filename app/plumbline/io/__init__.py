"""Reading and writing files: one module per family of formats, one row each in the registry.

`load` is the way in; see `plumbline.io.registry`.
"""

from plumbline.io.registry import LoadContext, LoaderSpec, LoadOption, load, loader_for, loaders

__all__ = ["LoadContext", "LoadOption", "LoaderSpec", "load", "loader_for", "loaders"]
