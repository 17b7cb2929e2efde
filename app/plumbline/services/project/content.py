"""What a project file says, as plain data, and what a scene gives to be saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.core.city import CityEntity
from plumbline.core.clipping import Clipping
from plumbline.core.crs import crs_text
from plumbline.core.data import LayerData
from plumbline.core.georeference import Georeference
from plumbline.core.layer import Layer, LayerEntry, LayerKind
from plumbline.core.report_plan import ReportPlan
from plumbline.core.scene import Camera, Group, Record, Scene, Scheme, Viewpoint

SUFFIX = ".plumb.gpkg"
#: Key of `Layer.metadata`: digest recorded in the project when the source has changed since.
CHANGED_FROM = "source_changed_from"


@dataclass(frozen=True)
class ProjectContent:
    """All that a project file says, as plain data without the layers' data.

    Attributes
    ----------
    layers : tuple of LayerEntry
        In the order of the tree, from its top.
    tree : tuple of str or Group
        Groups and layer ids.
    extra : dict
        Plain JSON values of the window (docks, active tool, ...).
    warnings : tuple of str
        Translated sentences: what was broken and left out, which sources have absolute paths.
    data : mapping
        Data of layers that live inside the project; filled by `snapshot` only.
    """

    georeference: Georeference = field(default_factory=Georeference)
    layers: tuple[LayerEntry, ...] = ()
    tree: tuple[str | Group, ...] = ()
    viewpoints: tuple[Viewpoint, ...] = ()
    records: tuple[Record, ...] = ()
    schemes: tuple[Scheme, ...] = ()
    active_scheme: str = ""
    camera: Camera | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    saved_at: str = ""
    saved_by: str = ""
    report: ReportPlan = field(default_factory=ReportPlan)
    warnings: tuple[str, ...] = ()
    data: Mapping[str, LayerData] = field(default_factory=dict)
    entities: tuple[CityEntity, ...] = ()
    clipping: Clipping = field(default_factory=Clipping)


def project_path(path: Path | str) -> Path:
    """Return an absolute path that ends in ``.plumb.gpkg``, adding what lacks."""
    path = Path(path).expanduser().absolute()
    if path.name.lower().endswith(SUFFIX):
        return path
    stem = path.name[: -len(".gpkg")] if path.name.lower().endswith(".gpkg") else path.name
    return path.with_name(stem + SUFFIX)


def snapshot(
    scene: Scene, camera: Camera | None = None, extra: Mapping[str, Any] | None = None
) -> ProjectContent:
    """Return what a save would write; quick, so that the writing can go to another thread.

    Layers' data are shared with the scene, not copied: nothing changes them in place.
    """
    absent = {entry.id: entry for entry in scene.absent}
    entries, data = [], {}
    tree = scene.full_tree
    for layer_id in (
        i for item in tree for i in ([item] if isinstance(item, str) else item.layers)
    ):
        if layer_id in absent:
            entries.append(absent[layer_id])
            continue
        entry = _entry_of(scene, scene[layer_id])
        entries.append(entry)
        if entry.source is None:
            data[layer_id] = scene[layer_id].data
    scheme = scene.active_scheme
    return ProjectContent(
        scene.georeference,
        tuple(entries),
        tree,
        scene.viewpoints,
        scene.records,
        scene.schemes,
        scheme.id if scheme else "",
        camera if camera is not None and _is_finite(camera) else None,
        dict(extra or {}),
        data=data,
        entities=scene.entities,
        clipping=scene.clipping,
        report=scene.report,
    )


def _entry_of(scene: Scene, layer: Layer) -> LayerEntry:
    source = layer.source
    if layer.kind is LayerKind.RESULT:
        source = None  # results belong to the project, wherever they were computed
    if source is not None:
        now = (source.sha256, source.fingerprint)
        sha256, fingerprint = layer.metadata.get(CHANGED_FROM, now)
        source = replace(source, sha256=sha256, fingerprint=fingerprint)
    return LayerEntry(
        layer.id,
        layer.name,
        layer.kind,
        source,
        scene.style(layer.id),
        scene.view(layer.id),
        crs=crs_text(layer.crs) or "" if source is None else "",
        metadata=dict(layer.metadata) if source is None else {},
    )


def _is_finite(camera: Camera) -> bool:
    """Tell whether a view can be shown again; a window that was never drawn has none."""
    return bool(np.isfinite([*camera.position, *camera.focal_point, *camera.view_up]).all())
