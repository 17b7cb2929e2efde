"""The only headless surface a plugin imports.

Names here are stable: `API_VERSION` is raised when one of them changes its meaning.
"""

from collections.abc import Mapping
from typing import Any

from plumbline.analysis import runner
from plumbline.analysis.base import Analysis, AnalysisRequest
from plumbline.analysis.clearing import mask_of, standing
from plumbline.analysis.figures import draw_figure, figure_colors
from plumbline.analysis.kept import compute_once
from plumbline.analysis.obstacles import (
    ObstacleLayer,
    ObstacleLayers,
    Obstacles,
    build_obstacles,
    numbers_of,
    obstacle_layers,
)
from plumbline.analysis.paper import paper_font, paper_markup
from plumbline.analysis.params import (
    Entities,
    EntityRefs,
    LayerRef,
    LayerRefs,
    Params,
    Point,
    Point3,
    Points,
    Polygon,
    Region,
)
from plumbline.analysis.picked import Certainty, PickedPoint, PickedPoints, certainty, picked_layers
from plumbline.analysis.regions import region
from plumbline.analysis.registry import registry
from plumbline.analysis.result import Result, Table, Value
from plumbline.analysis.rules import (
    Pack,
    PackError,
    copied,
    known_packs,
    load_pack,
    parse_pack,
    rule_files,
    write_pack,
)
from plumbline.analysis.runner import Prepared, begin, needed_layers
from plumbline.analysis.site_rules import SiteLimit, SitePack
from plumbline.analysis.sunlight_rules import (
    CountedSun,
    SunlightPack,
    SunlightRule,
)
from plumbline.analysis.surfaces import Surface, shell, surface
from plumbline.analysis.validation import validate
from plumbline.core.clipping import (
    MOST_CORNERS,
    MOST_PLANES,
    ClipBox,
    Clipping,
    ClipPlane,
    ClipPrism,
    ClipSlab,
)
from plumbline.core.cloud_tree import TiledCloud
from plumbline.core.crs import crs_label, crs_text, parse_crs, transformer
from plumbline.core.data import (
    BimData,
    Bounds,
    Element,
    GridData,
    Material,
    MeshData,
    PointCloudData,
    RasterData,
    VectorData,
)
from plumbline.core.entities import (
    entity_attributes,
    entity_bounds,
    entity_ids,
    entity_name,
    table_columns,
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
from plumbline.core.records import record_label, value_text
from plumbline.core.resources import resource
from plumbline.core.scene import Camera, Clearing, Group, Phase, Record, Scene, Scheme, Viewpoint
from plumbline.core.tiles import TilesData
from plumbline.core.units import (
    Shown,
    default_digits,
    format_number,
    format_value,
    unit_choice,
)
from plumbline.core.where import where
from plumbline.geometry.areas import best_fit_plane, shoelace, surface_area
from plumbline.geometry.clearance import Bodies, nearest
from plumbline.geometry.cloud_grid import CloudGrid
from plumbline.geometry.curvature import (
    REFRACTION,
    apparent_points,
    curvature_drop,
    earth_radius,
)
from plumbline.geometry.frame import Frame
from plumbline.geometry.geodesy import CrsUnits, crs_units, geodesic
from plumbline.geometry.greedy import Chosen, greedy_cover
from plumbline.geometry.gridding import (
    Cover,
    Grid,
    Heights,
    cover_of,
    fill_gaps,
    raster_heights,
    sampled_heights,
    tin_weights,
)
from plumbline.geometry.inside import winding_numbers
from plumbline.geometry.limits import Excess, cone, excess_over, lowest_on_grid
from plumbline.geometry.lines import azimuth, grid_crossings, parabola_arcs, rise_and_fall, slope
from plumbline.geometry.masking import cleared_mesh, standing_points
from plumbline.geometry.occlusion import (
    Crossings,
    all_between,
    blocked,
    first_along,
    first_between,
    in_threads,
)
from plumbline.geometry.pits import slope_distance
from plumbline.geometry.polygons import triangles_of_features
from plumbline.geometry.prominence import Peaks, peaks
from plumbline.geometry.raycast import EmbreeCaster, RayCaster, heights_from_above
from plumbline.geometry.section import CutPlane, cut_triangles, enclosed_areas
from plumbline.geometry.sightlines import (
    UprightCut,
    clearance_below,
    cut_upright,
    needed_rise,
    plan_boxes,
    rise_over,
)
from plumbline.geometry.sky import Intervals, Sky, sky_of
from plumbline.geometry.skyline import Azimuths, Skyline, skyline
from plumbline.geometry.solids import Solid, solid_of, triangle_areas
from plumbline.geometry.sun import (
    STANDARD_DAYS,
    Place,
    SolarDay,
    SunPositions,
    civil_time,
    directions,
    instants_of_civil_time,
    instants_of_solar_time,
    solar_day,
    standard_day,
    sun_positions,
    zone_of,
)
from plumbline.geometry.sunlight import (
    FINEST,
    LIFT,
    OWN_WALL,
    TOO_LOW,
    Band,
    Darkness,
    LitPeriods,
    Occluder,
    Periods,
    Receivers,
    SunTrack,
    Tracks,
    lit_periods,
    sun_tracks,
    zones,
)
from plumbline.geometry.uncertainty import (
    area_sigma,
    azimuth_sigma,
    expanded,
    length_sigma,
    propagated,
    slope_sigma,
)
from plumbline.geometry.viewshed import (
    Directions,
    GridView,
    needed_heights,
    outside,
    thinned,
)
from plumbline.geometry.volumes import (
    VOLUME_BASES,
    Base,
    Changes,
    Volumes,
    base_of,
    changes_of,
    inundated,
    layer_base,
    rim_cells,
    volumes_between,
)
from plumbline.io.dxf_writer import Drawing, dxf_bytes
from plumbline.io.raster import cell_positions, read_grid, sample_bilinear
from plumbline.io.registry import load, loaders
from plumbline.io.writers import write_vector

API_VERSION = 1

__all__ = [
    "API_VERSION",
    "FINEST",
    "LIFT",
    "MOST_CORNERS",
    "MOST_PLANES",
    "N_",
    "OWN_WALL",
    "REFRACTION",
    "STANDARD_DAYS",
    "TOO_LOW",
    "VOLUME_BASES",
    "Analysis",
    "AnalysisRequest",
    "Azimuths",
    "Band",
    "Base",
    "BimData",
    "Bodies",
    "Bounds",
    "Camera",
    "CancelledError",
    "Certainty",
    "Changes",
    "Chosen",
    "Clearing",
    "ClipBox",
    "ClipPlane",
    "ClipPrism",
    "ClipSlab",
    "Clipping",
    "CloudGrid",
    "CountedSun",
    "Cover",
    "Crossings",
    "CrsUnits",
    "CutPlane",
    "Darkness",
    "Directions",
    "Drawing",
    "Element",
    "EmbreeCaster",
    "Entities",
    "EntityRef",
    "EntityRefs",
    "Excess",
    "Feedback",
    "Frame",
    "Georeference",
    "Grid",
    "GridData",
    "GridView",
    "Group",
    "Heights",
    "InputError",
    "Intervals",
    "Layer",
    "LayerKind",
    "LayerRef",
    "LayerRefs",
    "LayerStyle",
    "LayerView",
    "LitPeriods",
    "Material",
    "MeshData",
    "ObstacleLayer",
    "ObstacleLayers",
    "Obstacles",
    "Occluder",
    "Pack",
    "PackError",
    "Params",
    "Peaks",
    "Periods",
    "Phase",
    "Pick",
    "PickedPoint",
    "PickedPoints",
    "Place",
    "Point",
    "Point3",
    "PointCloudData",
    "Points",
    "Polygon",
    "Prepared",
    "Problem",
    "RasterData",
    "RayCaster",
    "Receivers",
    "Record",
    "RefusedError",
    "Region",
    "Result",
    "Scene",
    "Scheme",
    "Shown",
    "SiteLimit",
    "SitePack",
    "Sky",
    "Skyline",
    "SolarDay",
    "Solid",
    "Source",
    "SunPositions",
    "SunTrack",
    "SunlightPack",
    "SunlightRule",
    "Surface",
    "Table",
    "TiledCloud",
    "TilesData",
    "Tracks",
    "UprightCut",
    "UsageError",
    "UserError",
    "Value",
    "VectorData",
    "Viewpoint",
    "Volumes",
    "all_between",
    "apparent_points",
    "area_sigma",
    "azimuth",
    "azimuth_sigma",
    "base_of",
    "begin",
    "best_fit_plane",
    "blocked",
    "build_obstacles",
    "cell_positions",
    "certainty",
    "changes_of",
    "civil_time",
    "clearance_below",
    "cleared_mesh",
    "compute_once",
    "cone",
    "copied",
    "cover_of",
    "crs_label",
    "crs_text",
    "crs_units",
    "curvature_drop",
    "cut_triangles",
    "cut_upright",
    "default_digits",
    "directions",
    "draw_figure",
    "dxf_bytes",
    "earth_radius",
    "enclosed_areas",
    "entity_attributes",
    "entity_bounds",
    "entity_ids",
    "entity_name",
    "excess_over",
    "expanded",
    "figure_colors",
    "fill_gaps",
    "first_along",
    "first_between",
    "format_number",
    "format_value",
    "geodesic",
    "greedy_cover",
    "grid_crossings",
    "heights_from_above",
    "in_threads",
    "instants_of_civil_time",
    "instants_of_solar_time",
    "inundated",
    "known_packs",
    "layer_base",
    "length_sigma",
    "lit_periods",
    "load",
    "load_pack",
    "loaders",
    "lowest_on_grid",
    "mask_of",
    "nearest",
    "needed_heights",
    "needed_layers",
    "needed_rise",
    "numbers_of",
    "obstacle_layers",
    "outside",
    "paper_font",
    "paper_markup",
    "parabola_arcs",
    "parse_crs",
    "parse_pack",
    "peaks",
    "picked_layers",
    "plan_boxes",
    "propagated",
    "raster_heights",
    "read_grid",
    "record_label",
    "region",
    "registry",
    "resource",
    "rim_cells",
    "rise_and_fall",
    "rise_over",
    "rule_files",
    "run",
    "run_request",
    "sample_bilinear",
    "sampled_heights",
    "shell",
    "shoelace",
    "sky_of",
    "skyline",
    "slope",
    "slope_distance",
    "slope_sigma",
    "solar_day",
    "solid_of",
    "standard_day",
    "standing",
    "standing_points",
    "sun_positions",
    "sun_tracks",
    "surface",
    "surface_area",
    "table_columns",
    "thinned",
    "tin_weights",
    "tr",
    "transformer",
    "triangle_areas",
    "triangles_of_features",
    "unit_choice",
    "validate",
    "value_text",
    "volumes_between",
    "where",
    "winding_numbers",
    "write_pack",
    "write_vector",
    "zone_of",
    "zones",
]


def run(
    analysis: str,
    scene: Scene,
    params: Mapping[str, Any] | None = None,
    /,
    *,
    feedback: Feedback | None = None,
    **keywords: Any,
) -> Result:
    """Run an analysis on a scene and return its result.

    Parameters
    ----------
    analysis : str
        Id, e.g. ``"measure.distance"``.
    scene : Scene
        The layers that the parameters name.
    params : mapping, optional
        Parameters by name; those given as keywords are added to them.
    feedback : Feedback, optional
        Progress and cancelling.

    Raises
    ------
    UsageError
        If the analysis or a parameter does not exist or is not valid.
    RefusedError
        If the analysis refuses its inputs.

    Examples
    --------
    >>> result = run("measure.distance", Scene(), start=[0, 0, 0], end=[3, 4, 0])
    >>> result.values["distance"].value
    5.0
    """
    return runner.run(analysis, scene, {**(params or {}), **keywords}, feedback)


def run_request(request: AnalysisRequest, scene: Scene, feedback: Feedback | None = None) -> Result:
    """Run a stored request, under the scheme that it names."""
    return runner.run(request.analysis, scene, request.params, feedback, request.scheme)
