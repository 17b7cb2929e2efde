"""A tool context for the panels of plugins, and the demo district as a scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tool_context import FakeContext

from plumbline.api import Feedback, Georeference, Scene


@pytest.fixture
def context() -> FakeContext:
    """Return a tool context on an empty scene in EPSG:4549."""
    return FakeContext(Scene(Georeference.from_text("EPSG:4549", (500_000.0, 4_000_000.0, 0.0))))


@pytest.fixture(scope="session")
def demo_scene(demo_district: Path) -> tuple[Scene, dict[str, Any]]:
    """Return the demo's buildings, sites and schemes as a scene, and the truth; read it only."""
    from plumbline.demo import load
    from plumbline.demo.project import project_content
    from plumbline.services.project import build_scene, load_entry

    district = load(demo_district)
    content = project_content(district)
    wanted = ("models", "buildings", "site", "parcels", "green", "roads", "scheme_A", "scheme_B")
    loaded = {
        entry.id: load_entry(entry, content.georeference, Feedback())
        for entry in content.layers
        if entry.id in wanted
    }
    return build_scene(content, loaded), json.loads(district.truth.read_text(encoding="utf-8"))
