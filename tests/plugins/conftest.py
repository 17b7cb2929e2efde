"""A tool context for the panels of plugins."""

from __future__ import annotations

import pytest
from tool_context import FakeContext

from plumbline.api import Georeference, Scene


@pytest.fixture
def context() -> FakeContext:
    """Return a tool context on an empty scene in EPSG:4549."""
    return FakeContext(Scene(Georeference.from_text("EPSG:4549", (500_000.0, 4_000_000.0, 0.0))))
