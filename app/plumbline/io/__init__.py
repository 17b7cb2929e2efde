"""Reading and writing files: one module per family of formats, one row each in the registry.

`load` is the way in; see `plumbline.io.registry`. The names here are looked up when first used,
so that a child process which needs one module does not import all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plumbline.io.registry import LoadContext, LoaderSpec, LoadOption, load, loader_for, loaders

__all__ = ["LoadContext", "LoadOption", "LoaderSpec", "load", "loader_for", "loaders"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from plumbline.io import registry

    return getattr(registry, name)
