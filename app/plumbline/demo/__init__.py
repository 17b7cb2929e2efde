"""The demo district: a made-up quarter by the sea near Qingdao, with its truth by construction.

>>> from pathlib import Path
>>> from plumbline import demo
>>> district = demo.build(Path("demo"))  # doctest: +SKIP

Everything random is seeded, so the same versions write the same bytes; `truth.json` beside the data
holds true volumes, heights, areas and counts, so that every analysis can be checked against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.demo.model import DemoDistrict, DemoLayer, DemoScheme, Viewpoint

if TYPE_CHECKING:
    from pathlib import Path

    from plumbline.core.feedback import Feedback

__all__ = ["DemoDistrict", "DemoLayer", "DemoScheme", "Viewpoint", "build", "load"]


def build(out: Path, feedback: Feedback | None = None, *, seed: int = 2026) -> DemoDistrict:
    """Generate the demo district in the folder `out`; see `plumbline.demo.building.build`."""
    from plumbline.demo.building import build as generate

    return generate(out, feedback, seed=seed)


def load(folder: Path) -> DemoDistrict:
    """Return the description of a demo district that was built before."""
    from plumbline.demo import layers

    return layers.load(folder)
