"""Lets the tests of loaders import the helpers beside them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def real_layer(real_data: Path) -> Callable[..., object]:
    """Return a function that loads a real file once per session; the layer is only read."""
    from plumbline.io import load

    @cache
    def layer(file: str, **options: str) -> object:
        return load(real_data / file, options, digest=False)[0]

    return layer
