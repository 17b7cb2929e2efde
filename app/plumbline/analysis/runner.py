"""Runs one analysis the same way for the form, the command line and Python.

`begin` belongs to the scene's thread: parameters are validated, the analysis checks the request
and takes its snapshot. `Prepared.compute` belongs to any thread. `run` is both.
"""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import plumbline
from plumbline.analysis.base import Analysis, AnalysisRequest
from plumbline.analysis.params import Params
from plumbline.analysis.references import references, resolve, without_references
from plumbline.analysis.registry import registry
from plumbline.analysis.result import Result
from plumbline.analysis.validation import invalid, validate
from plumbline.core.data import VectorData
from plumbline.core.errors import InputError, Problem, RefusedError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, Source, file_sha256
from plumbline.core.scene import Scene, Scheme
from plumbline.io.fingerprint import WHOLE, fingerprint

#: Libraries whose version can move a number; those that a run has loaded go into its provenance.
_ENGINES = ("numpy", "scipy", "pyproj", "shapely", "rasterio", "geopandas", "trimesh", "embreex")


@dataclass
class Prepared:
    """A request that passed its checks, with the snapshot that `compute` needs."""

    request: AnalysisRequest
    analysis: Analysis[Any]
    params: Params
    inputs: Any
    sources: dict[str, Source | None]
    styles: dict[str, dict[str, Any]]
    lods: dict[str, str | None]
    scheme: Scheme | None
    schemes: tuple[Scheme, ...]
    crs: str | None
    warnings: list[str]

    @property
    def title(self) -> str:
        """English title of the analysis, for task lists."""
        return self.analysis.title or self.request.analysis

    def compute(self, feedback: Feedback | None = None) -> Result:
        """Return the result with its provenance; may run in any thread.

        Raises
        ------
        RefusedError
            If the analysis refuses its inputs.
        CancelledError
            If someone cancelled through `feedback`.
        """
        feedback = feedback or Feedback()
        started, clock = datetime.now().astimezone(), time.perf_counter()
        result = self.analysis.compute(self.inputs, self.params, feedback)
        feedback.check()
        _refuse_overflow(result)
        result.analysis = self.request.analysis
        result.version = self.request.version
        result.params = dict(self.request.params)
        result.warnings = [*self.warnings, *result.warnings]
        result.provenance = {
            "inputs": [self._input(layer_id) for layer_id in self.sources],
            "crs": self.crs,
            "scheme": self.request.scheme,
            "scheme_definition": None if self.scheme is None else asdict(self.scheme),
            "schemes_read": [asdict(scheme) for scheme in self.schemes],
            "engine": engine_versions(),
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 6),
            **result.provenance,
        }
        return result

    def _input(self, layer_id: str) -> dict[str, Any]:
        source = self.sources[layer_id]
        row: dict[str, Any] = {"id": layer_id, "path": None, "sha256": None}
        if source is not None:
            row |= {
                "path": str(source.path),
                **_digests(source),
                "loader": source.loader,
                "sublayer": source.sublayer,
                "options": dict(source.options),
                "crs": source.crs,
            }
        # How high footprints stand is said by their style, and numbers depend on it.
        return {**row, "style": self.styles[layer_id], "lod": self.lods[layer_id]}


def begin(analysis_id: str, scene: Scene, params: Mapping[str, Any], scheme: str = "") -> Prepared:
    """Validate a request, check it and take its snapshot; on the scene's thread.

    Parameters
    ----------
    analysis_id : str
        Id in the registry.
    scene : Scene
        Layers that the parameters name.
    params : mapping
        Plain values by parameter name, as typed, from JSON, or Python objects.
    scheme : str
        Id of the scheme to look at; empty for the baseline, whatever the scene shows.

    Raises
    ------
    UsageError
        If the analysis, a parameter or the scheme does not exist or is not valid
        (`InvalidParamsError`, which lists the fields).
    RefusedError
        If the analysis refuses the request as a whole.
    """
    scene = scene.under(scheme)
    analysis = registry.get(analysis_id)()
    named = references(analysis.Params, params)
    _raise_absent(scene, list(named.values()))
    params, unresolved = resolve(analysis.Params, params, scene)
    _raise_errors(analysis_id, unresolved)
    valid = _valid(analysis, params)
    read = _schemes_read(analysis, valid, scene.schemes)
    layer_ids = _layer_ids(analysis, valid, named, read, _known_layers(scene))
    _raise_absent(scene, layer_ids)
    problems = tuple(
        Problem(_field_of(valid, layer_id, named), _no_layer(layer_id, scene))
        for layer_id in layer_ids
        if layer_id not in scene
    ) or tuple(analysis.check(scene, valid))
    _raise_errors(analysis_id, problems)
    inputs = analysis.prepare(scene, valid)
    request = AnalysisRequest(analysis_id, valid.model_dump(mode="json"), scheme, analysis.version)
    layers = {layer_id: scene[layer_id] for layer_id in layer_ids}
    return Prepared(
        request,
        analysis,
        valid,
        inputs,
        sources={layer_id: layer.source for layer_id, layer in layers.items()},
        styles={layer_id: _standing(scene, layer) for layer_id, layer in layers.items()},
        lods={layer_id: layer.metadata.get("lod") for layer_id, layer in layers.items()},
        scheme=scene.active_scheme,
        schemes=read,
        crs=scene.georeference.crs_text,
        warnings=[p.message for p in problems if p.severity != "error"],
    )


def needed_layers(
    analysis_id: str, params: Mapping[str, Any], scene: Scene | None = None
) -> list[str]:
    """Return the ids of the layers that a request reads, so that no others need be loaded.

    Parameters
    ----------
    scene : Scene, optional
        The project without its data: its schemes say which layers they need.

    Raises
    ------
    UsageError
        As `begin`.
    """
    analysis = registry.get(analysis_id)()
    named = references(analysis.Params, params)
    valid = _valid(analysis, without_references(analysis.Params, params))
    read = () if scene is None else _schemes_read(analysis, valid, scene.schemes)
    known = set() if scene is None else _known_layers(scene)
    return _layer_ids(analysis, valid, named, read, known)


def _known_layers(scene: Scene) -> set[str]:
    return {*scene.layer_ids, *(entry.id for entry in scene.absent)}


def _schemes_read(
    analysis: Analysis[Any], params: Params, schemes: tuple[Scheme, ...]
) -> tuple[Scheme, ...]:
    """Return the schemes that a request names, in the order of the scene."""
    wanted = analysis.schemes(params)
    return tuple(scheme for scheme in schemes if scheme.id in wanted)


def _layer_ids(
    analysis: Analysis[Any],
    params: Params,
    named: Mapping[str, str],
    schemes: tuple[Scheme, ...],
    known: set[str],
) -> list[str]:
    """Return the layers of a request: its own, those of its references and of its schemes."""
    of_schemes = [i for s in schemes for i in (*s.layers, *(ref.layer for ref in s.hidden))]
    names = {scheme.id for scheme in schemes} - known
    own = [i for i in analysis.layers(params) if i not in names]
    return list(dict.fromkeys([*own, *named.values(), *of_schemes]))


def run(
    analysis_id: str,
    scene: Scene,
    params: Mapping[str, Any],
    feedback: Feedback | None = None,
    scheme: str = "",
) -> Result:
    """Run an analysis and return its result; see `begin` and `Prepared.compute`."""
    return begin(analysis_id, scene, params, scheme).compute(feedback)


#: A library's version is read from its metadata once: previews run many times a second.
_version = cache(version)


def engine_versions() -> dict[str, str]:
    """Return the versions of what computed: Plumbline, Python, the libraries in use, PROJ."""
    versions = {"plumbline": plumbline.__version__, "python": platform.python_version()}
    for name in _ENGINES:
        if name in sys.modules:
            try:
                versions[name] = _version(name)
            except PackageNotFoundError:
                versions[name] = str(getattr(sys.modules[name], "__version__", "?"))
    if "pyproj" in sys.modules:
        versions["proj"] = str(sys.modules["pyproj"].proj_version_str)
    return versions | {"platform": platform.platform()}


def _standing(scene: Scene, layer: Layer) -> dict[str, Any]:
    """Return what a style says of where features stand; nothing for other kinds of layers."""
    if not isinstance(layer.data, VectorData):
        return {}
    return scene.style(layer.id).model_dump(include={"extrude", "base", "drape"})


def _refuse_overflow(result: Result) -> None:
    """Refuse numbers that are none: coordinates so large that their squares overflow."""
    for name, value in result.values.items():
        if isinstance(value.value, float) and not math.isfinite(value.value):
            raise RefusedError(
                tr("“{name}” cannot be computed: the coordinates are out of range.", name=name),
                tr("Check the coordinates against the project CRS."),
            )


def _valid(analysis: Analysis[Any], params: Mapping[str, Any]) -> Params:
    valid, problems = validate(analysis.Params, params)
    if valid is None:
        raise invalid(analysis.id, problems)
    return valid


def _raise_absent(scene: Scene, layer_ids: list[str]) -> None:
    """Say why the data of a layer that the request needs are not there."""
    for entry in scene.absent:
        if entry.id in layer_ids:
            raise InputError(
                entry.problem or tr("The data of layer “{name}” are not loaded.", name=entry.name),
                tr("Relink or reload the layer."),
            )


def _raise_errors(analysis_id: str, problems: tuple[Problem, ...]) -> None:
    """Raise what blocks: a field's problem is invalid usage, the whole request's a refusal."""
    errors = tuple(p for p in problems if p.severity == "error")
    whole = [p.message for p in errors if not p.field]
    if whole and len(whole) == len(errors):
        raise RefusedError(" ".join(whole))
    if errors:
        raise invalid(analysis_id, errors)


def _no_layer(layer_id: str, scene: Scene) -> str:
    return tr(
        "There is no layer “{id}”; the layers are: {ids}.",
        id=layer_id[:80],
        ids=", ".join(scene.layer_ids) or "–",
    )


def _field_of(params: Params, layer_id: str, named: Mapping[str, str]) -> str:
    """Return the parameter that names a layer."""
    for name, layer in named.items():
        if layer == layer_id:
            return name
    for name, value in params.model_dump(mode="json").items():
        if _names(value, layer_id):
            return name
    return ""


def _names(value: Any, layer_id: str) -> bool:
    """Tell whether a parameter is a layer's id, or holds it somewhere inside."""
    if isinstance(value, dict):
        return any(_names(item, layer_id) for item in value.values())
    if isinstance(value, list):
        return any(_names(item, layer_id) for item in value)
    return bool(value == layer_id)


def _digests(source: Source) -> dict[str, str | None]:
    """Return what a source is known by: its SHA-256, for large ones a fingerprint."""
    sha256, mark = source.sha256 or None, source.fingerprint or None
    try:
        # Loaded without: as it is now, unless it is not the same file any more.
        if not (sha256 or mark) and source.path.stat().st_size == source.size:
            sha256 = file_sha256(source.path) if source.size <= WHOLE else None
            mark = fingerprint(source.path, source.loader) or None
    except OSError:
        pass
    return {"sha256": sha256} if mark is None else {"sha256": sha256, "fingerprint": mark}
