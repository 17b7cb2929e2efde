"""The demo district as a project in this user's data folder, built when it is first wanted.

One folder holds everything::

    district/          generated data with truth.json
    demo.plumb.gpkg    the project on it
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr, translator

if TYPE_CHECKING:
    from plumbline.core.layer import LayerEntry
    from plumbline.core.scene import Scheme, Viewpoint
    from plumbline.demo.model import DemoDistrict
    from plumbline.services.project import ProjectContent

PROJECT_NAME = "demo.plumb.gpkg"
PREVIOUS_NAME = "demo-previous.plumb.gpkg"
DISTRICT = "district"
_STAMP = "district.version"


def demo_folder() -> Path:
    """Return the folder of this user's demo district."""
    from plumbline.services.paths import data_folder

    return data_folder() / "demo"


def ensure_demo(folder: Path, feedback: Feedback | None = None) -> Path:
    """Return the demo project in a folder, building what is missing or of another version.

    A project that is there stays as the user left it, unless another version of Plumbline made its
    district: then both are made anew and the old project is kept beside them.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    from plumbline import demo as district
    from plumbline.core.errors import InputError
    from plumbline.services.project import write_content

    feedback = feedback or Feedback()
    stamp, data, project = folder / _STAMP, folder / DISTRICT, folder / PROJECT_NAME
    version = generator_version()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = stamp.read_text(encoding="utf-8") if stamp.is_file() else ""
        if known != version or not (data / "demo.json").is_file():
            stamp.unlink(missing_ok=True)
            district.build(data, feedback.part(0.0, 0.97))
            stamp.write_text(version, encoding="utf-8")
            if project.is_file():
                # It speaks of another district: kept aside, nothing that was measured is lost.
                project.replace(folder / PREVIOUS_NAME)
        if not project.is_file():
            write_content(project_content(district.load(data)), project)
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=folder, why=error.strerror or error),
            tr("Name another folder with --out."),
        ) from error
    feedback.step(1, 1)
    return project


def generator_version() -> str:
    """Return what tells one version of the generator from another."""
    import plumbline
    import plumbline.demo

    digest = hashlib.sha256(plumbline.__version__.encode())
    for file in sorted(Path(plumbline.demo.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def project_content(district: DemoDistrict) -> ProjectContent:
    """Return the project of the district: layers in groups, styles, viewpoints, schemes."""
    from plumbline.core.georeference import Georeference
    from plumbline.core.scene import Group
    from plumbline.demo.report import report_plan
    from plumbline.services.project import ProjectContent

    layers = list(reversed(district.layers))
    members: dict[str, list[str]] = {}
    for layer in layers:
        members.setdefault(layer.group, []).append(layer.id)
    tree = tuple(
        Group(group, _named(district.groups[group]), tuple(ids)) for group, ids in members.items()
    )
    viewpoints = _viewpoints(district)
    return ProjectContent(
        Georeference.from_text(district.crs, district.origin),
        tuple(_entry(district, layer.id) for layer in layers),
        tree,
        viewpoints=viewpoints,
        schemes=_schemes(district),
        camera=viewpoints[0].camera if viewpoints else None,
        report=report_plan(district),
    )


def _named(names: tuple[str, str]) -> str:
    """Return the English or the Chinese name, by the active language."""
    return names[1] if translator.language == "zh_CN" else names[0]


def _entry(district: DemoDistrict, layer_id: str) -> LayerEntry:
    from plumbline.core.layer import (
        LayerEntry,
        LayerKind,
        LayerStyle,
        LayerView,
        Source,
        file_sha256,
    )
    from plumbline.io.registry import loader_for

    layer = district.layer(layer_id)
    path = district.folder / layer.path
    source = Source(
        path,
        loader_for(path).id,
        options={"table": layer.join["table"]} if "table" in layer.join else {},
        sublayer=layer.sublayer if _holds_several(path) else "",
        sha256=file_sha256(path),
        size=path.stat().st_size,
    )
    return LayerEntry(
        layer.id,
        _named((layer.name, layer.name_zh)),
        LayerKind(layer.kind),
        source,
        LayerStyle.model_validate(layer.style),
        LayerView(visible=layer.visible, opacity=layer.opacity),
        group=layer.group,
    )


def _holds_several(path: Path) -> bool:
    """Tell whether a file has to be asked for one of its layers."""
    if path.suffix != ".gpkg":
        return False
    import pyogrio

    return len(pyogrio.list_layers(path)) > 1


def _viewpoints(district: DemoDistrict) -> tuple[Viewpoint, ...]:
    from plumbline.core.scene import Camera, Viewpoint

    return tuple(
        Viewpoint(_named((v.name, v.name_zh)), Camera(v.position, v.focal_point))
        for v in district.viewpoints
    )


def _schemes(district: DemoDistrict) -> tuple[Scheme, ...]:
    """Return the schemes; what they clear is hidden as footprint and as model."""
    from plumbline.core.pick import EntityRef
    from plumbline.core.scene import Scheme

    numbers = _feature_ids(district)
    return tuple(
        Scheme(
            scheme.id,
            _named((scheme.name, scheme.name_zh)),
            hidden=tuple(
                EntityRef(layer, entity)
                for name in scheme.hidden
                for layer, entity in (("models", name), ("buildings", numbers[name]))
            ),
            layers=tuple(scheme.layers),
            site={"polygons": scheme.site},
        )
        for scheme in district.schemes
    )


def _feature_ids(district: DemoDistrict) -> dict[str, str]:
    """Return building number -> id of its feature, which is its row in the table."""
    import pyogrio

    layer = district.layer("buildings")
    key = district.layer("models").join["key"]
    frame = pyogrio.read_dataframe(
        district.folder / layer.path,
        layer=layer.sublayer,
        columns=[key],
        read_geometry=False,
        fid_as_index=True,
    )
    return {str(name): str(fid) for fid, name in frame[key].items()}
