"""The only headless surface a plugin imports.

Names here are stable: `API_VERSION` is raised when one of them changes its meaning.
"""

from plumbline.analysis.base import Analysis, AnalysisRequest
from plumbline.analysis.params import LayerRef, LayerRefs, Params, Point, Point3, Points
from plumbline.analysis.result import Result, Table, Value
from plumbline.core.crs import crs_label, crs_text, parse_crs, transformer
from plumbline.core.data import (
    BimData,
    Bounds,
    Element,
    Material,
    MeshData,
    PointCloudData,
    RasterData,
    VectorData,
)
from plumbline.core.errors import (
    CancelledError,
    InputError,
    Problem,
    RefusedError,
    UsageError,
    UserError,
)
from plumbline.core.feedback import Feedback
from plumbline.core.georeference import Georeference
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer, LayerKind, LayerStyle, LayerView, Source
from plumbline.core.pick import EntityRef, Pick
from plumbline.core.scene import Camera, Group, Record, Scene, Scheme, Viewpoint
from plumbline.core.units import default_digits, format_number, format_value
from plumbline.io.registry import load, loaders

API_VERSION = 1

__all__ = [
    "API_VERSION",
    "N_",
    "Analysis",
    "AnalysisRequest",
    "BimData",
    "Bounds",
    "Camera",
    "CancelledError",
    "Element",
    "EntityRef",
    "Feedback",
    "Georeference",
    "Group",
    "InputError",
    "Layer",
    "LayerKind",
    "LayerRef",
    "LayerRefs",
    "LayerStyle",
    "LayerView",
    "Material",
    "MeshData",
    "Params",
    "Pick",
    "Point",
    "Point3",
    "PointCloudData",
    "Points",
    "Problem",
    "RasterData",
    "Record",
    "RefusedError",
    "Result",
    "Scene",
    "Scheme",
    "Source",
    "Table",
    "UsageError",
    "UserError",
    "Value",
    "VectorData",
    "Viewpoint",
    "crs_label",
    "crs_text",
    "default_digits",
    "format_number",
    "format_value",
    "load",
    "loaders",
    "parse_crs",
    "tr",
    "transformer",
]
