"""The demo district as data that tests can ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumbline import demo


@pytest.fixture(scope="session")
def district(demo_district: Path) -> demo.DemoDistrict:
    """Return the description of the built district."""
    return demo.load(demo_district)


@pytest.fixture(scope="session")
def truth(district: demo.DemoDistrict) -> dict[str, Any]:
    """Return `truth.json`."""
    return dict(json.loads(district.truth.read_text(encoding="utf-8")))
