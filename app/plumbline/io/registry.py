"""The table of loaders, and the one door through which files come in.

A loader is a function ``(path: Path, context: LoadContext) -> list[Layer]`` in a module of this
package. It runs in a worker thread (or starts a child process itself, as IFC does), reports to
``context.feedback``, leaves layers in the file's own CRS and never guesses one. `load` then does
what all formats share: options checked, CRS stated by the user applied, source and digest noted,
reprojection into the project CRS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.core.crs import parse_crs
from plumbline.core.data import RasterData, VectorData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer, Source, file_sha256
from plumbline.io.address import is_address, shortcut
from plumbline.io.fingerprint import WHOLE, fingerprint

if TYPE_CHECKING:
    from pyproj import CRS


#: Bytes at either end of a file in which its mark is looked for.
_LOOK = 65_536
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class LoadOption:
    """An option of a loader, given as ``--option NAME=VALUE`` or in the import dialog."""

    name: str
    type: type
    default: Any
    description: str
    choices: tuple[str, ...] = ()

    def parse(self, text: object) -> Any:
        """Return the value in the option's own type.

        Raises
        ------
        UsageError
            If the text is not such a value.
        """
        try:
            if self.type is bool:
                return _TRUTH[str(text).lower()]
            value = self.type(text)
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(
                tr("“{value}” is no value for the option {name}.", value=text, name=self.name),
                tr(self.description),
            ) from error
        if self.choices and value not in self.choices:
            raise UsageError(
                tr("“{value}” is no value for the option {name}.", value=text, name=self.name),
                tr("Choose one of: {choices}.", choices=", ".join(self.choices)),
            )
        return value


@dataclass
class LoadContext:
    """What a loader gets beside the path."""

    options: Mapping[str, Any] = field(default_factory=dict)
    feedback: Feedback = field(default_factory=Feedback)
    #: Only this layer of a file that holds several; empty for all.
    sublayer: str = ""
    #: Cache folder for converted data, None when nothing may be kept.
    cache: Path | None = None
    #: Large clouds may stay in their file (`plumbline.core.data.StoredCloud`).
    stored: bool = False
    #: Folders for what is tiled once: the first takes it, all are looked in; none: nothing is kept.
    tiles: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LoaderSpec:
    """One row of the registry.

    `function` is ``"module:name"``, imported when first used, because readers are heavy.
    """

    id: str
    title: str
    extensions: tuple[str, ...]
    function: str
    options: tuple[LoadOption, ...] = ()
    #: Extensions that belong to another row too; a file is this row's when it holds `mark`.
    shared: tuple[str, ...] = ()
    #: Pattern near the beginning or the end of the file.
    mark: bytes = b""

    def resolve(self) -> Callable[[Path, LoadContext], list[Layer]]:
        """Import the module and return the function."""
        module, _, name = self.function.partition(":")
        resolved: Callable[[Path, LoadContext], list[Layer]] = getattr(import_module(module), name)
        return resolved


#: Options that every mesh format has, because files rarely say it themselves.
MESH_OPTIONS = (
    LoadOption("up", str, "auto", N_("Axis that points up: auto, y or z."), ("auto", "y", "z")),
    LoadOption("scale", float, 1.0, N_("Metres per unit of the file.")),
    LoadOption(
        "table", str, "", N_("CSV file beside the model; its first column names the objects.")
    ),
    LoadOption("offset", str, "0,0,0", N_("Added to every coordinate, as x,y,z in metres.")),
)

#: Options of OSGB, for productions that came without their ``metadata.xml``.
OSGB_OPTIONS = (
    LoadOption("whole", bool, False, N_("All tiles of the production that the file belongs to.")),
    LoadOption(
        "offset",
        str,
        "0,0,0",
        N_("Origin of a production without metadata.xml, added to every coordinate, as x,y,z."),
    ),
)

IFC_OPTIONS = (
    LoadOption(
        "tolerance", float, 0.001, N_("Largest deviation of a facet from a curved surface, metres.")
    ),
    LoadOption(
        "georeference",
        str,
        "auto",
        N_("auto: place the model as its file says; none: keep its own coordinates."),
        ("auto", "none"),
    ),
)

#: Options of vector formats: attributes from a table.
JOIN_OPTIONS = (
    LoadOption("table", str, "", N_("CSV or XLSX beside the file; its columns are added.")),
    LoadOption(
        "key", str, "", N_("Column of both, or layer column=table column; empty: its first one.")
    ),
)

RASTER_OPTIONS = (
    LoadOption(
        "role",
        str,
        "auto",
        N_("What the cells are: auto, terrain or imagery."),
        ("auto", "terrain", "imagery"),
    ),
    LoadOption(
        "z_unit",
        str,
        "auto",
        N_("Unit of the heights: auto, m, ft or us-ft."),
        ("auto", "m", "ft", "us-ft"),
    ),
)

#: Options of every format: placing by control points.
COMMON_OPTIONS = (
    LoadOption(
        "control",
        str,
        "",
        N_("CSV or XLSX beside the file with control points: x, y, z, to_x, to_y, to_z."),
    ),
    LoadOption(
        "control_fit",
        str,
        "4",
        N_("4: shift, turn and scale on the map; 3: without scale; 7: in space."),
        ("3", "4", "7"),
    ),
)

#: Option of city models, which hold their objects in several levels of detail.
LOD_OPTION = LoadOption(
    "lod",
    str,
    "highest",
    N_("Level of detail: highest, or one of the file, e.g. 1 or 2.2."),
)

#: Formats that no open software reads well, and the way out: what to export instead.
FOREIGN: dict[str, tuple[str, str]] = {
    ".rvt": ("Revit", N_("Export it from Revit as IFC4.")),
    ".rfa": ("Revit", N_("Export it from Revit as IFC4.")),
    ".dwg": ("DWG", N_("Save it as DXF, e.g. in AutoCAD, ZWCAD or with the ODA File Converter.")),
    ".dgn": ("MicroStation DGN", N_("Export it from MicroStation as DXF or IFC.")),
    ".skp": ("SketchUp", N_("Export it from SketchUp as glTF, OBJ or IFC.")),
    ".3dm": ("Rhino", N_("Export it from Rhino as OBJ, PLY or glTF.")),
    ".max": ("3ds Max", N_("Export it from 3ds Max as glTF or OBJ.")),
    ".blend": ("Blender", N_("Export it from Blender as glTF or OBJ.")),
    ".stp": ("STEP", N_("Export it as IFC, STL or glTF, e.g. from FreeCAD.")),
    ".step": (
        "STEP",
        N_("Export it as IFC, STL or glTF, e.g. from FreeCAD."),
    ),
    ".igs": ("IGES", N_("Export it as IFC, STL or glTF, e.g. from FreeCAD.")),
    ".iges": (
        "IGES",
        N_("Export it as IFC, STL or glTF, e.g. from FreeCAD."),
    ),
    ".catpart": ("CATIA", N_("Export it from CATIA as STL or IFC.")),
    ".catproduct": ("CATIA", N_("Export it from CATIA as STL or IFC.")),
    ".nwd": ("Navisworks", N_("Export the models behind it as IFC.")),
    ".nwc": ("Navisworks", N_("Export the models behind it as IFC.")),
    ".pln": ("ArchiCAD", N_("Export it from ArchiCAD as IFC4.")),
    ".b3dm": ("3D Tiles", N_("Open the tileset.json that names it.")),
    ".i3dm": ("3D Tiles", N_("Open the tileset.json that names it.")),
    ".pnts": ("3D Tiles", N_("Open the tileset.json that names it.")),
    ".cmpt": ("3D Tiles", N_("Open the tileset.json that names it.")),
    ".rcp": ("ReCap", N_("Export the cloud from ReCap as E57.")),
    ".rcs": ("ReCap", N_("Export the cloud from ReCap as E57.")),
    ".fls": ("FARO", N_("Export the scan from FARO SCENE as E57.")),
    ".gdb": ("File Geodatabase", N_("Export its layers as GeoPackage.")),
    ".mdb": ("Access", N_("Export its layers as GeoPackage.")),
    ".tab": ("MapInfo", N_("Save it as GeoPackage, e.g. in QGIS.")),
    ".mif": ("MapInfo", N_("Save it as GeoPackage, e.g. in QGIS.")),
}

LOADERS: tuple[LoaderSpec, ...] = (
    LoaderSpec("obj", "Wavefront OBJ", (".obj",), "plumbline.io.obj:load_obj", MESH_OPTIONS),
    LoaderSpec("ply", "PLY", (".ply",), "plumbline.io.ply:load_ply", MESH_OPTIONS),
    LoaderSpec("stl", "STL", (".stl",), "plumbline.io.stl:load_stl", MESH_OPTIONS),
    LoaderSpec("gltf", "glTF", (".gltf", ".glb"), "plumbline.io.gltf:load_gltf", MESH_OPTIONS),
    LoaderSpec("fbx", "FBX", (".fbx",), "plumbline.io.assimp:load_assimp", MESH_OPTIONS),
    LoaderSpec("collada", "COLLADA", (".dae",), "plumbline.io.assimp:load_assimp", MESH_OPTIONS),
    LoaderSpec("3ds", "3DS", (".3ds",), "plumbline.io.assimp:load_assimp", MESH_OPTIONS),
    LoaderSpec(
        "osgb",
        "OSGB",
        (".osgb",),
        "plumbline.io.osgb_tiles:load_osgb",
        OSGB_OPTIONS,
        shared=(".xml",),
        mark=rb"<ModelMetadata\b",
    ),
    LoaderSpec(
        "3dtiles",
        "3D Tiles",
        (),
        "plumbline.io.tiles3d:load_tileset",
        shared=(".json",),
        mark=rb'"geometricError"\s*:',
    ),
    LoaderSpec(
        "3dtiles-archive",
        "3D Tiles (.3tz)",
        (".3tz",),
        "plumbline.io.tiles3d:load_archive",
        shared=(".zip",),
        mark=rb"tileset\.json|3dtilesIndex1",
    ),
    LoaderSpec("address", "URL", (".url",), "plumbline.io.address:load_address"),
    LoaderSpec("las", "LAS/LAZ", (".las", ".laz"), "plumbline.io.pointcloud:load_las"),
    LoaderSpec(
        "ept",
        "EPT",
        (),
        "plumbline.io.ept:load_ept",
        shared=(".json",),
        mark=rb'"hierarchyType"\s*:',
    ),
    LoaderSpec("e57", "E57", (".e57",), "plumbline.io.e57:load_e57"),
    LoaderSpec("pcd", "PCD", (".pcd",), "plumbline.io.pcd:load_pcd"),
    LoaderSpec(
        "xyz",
        "XYZ",
        (".xyz", ".pts", ".txt"),
        "plumbline.io.xyz:load_xyz",
        (
            LoadOption(
                "columns",
                str,
                "auto",
                N_("What the columns are, e.g. x,y,z,-,r,g,b; - leaves one out; auto to find out."),
            ),
        ),
    ),
    LoaderSpec("ifc", "IFC", (".ifc",), "plumbline.io.ifc:load_ifc", IFC_OPTIONS),
    LoaderSpec("ifczip", "IFCZIP", (".ifczip",), "plumbline.io.ifc_zip:load_ifczip", IFC_OPTIONS),
    LoaderSpec(
        "shapefile",
        "Shapefile",
        (".shp",),
        "plumbline.io.vector:load_shapefile",
        (
            LoadOption("encoding", str, "auto", N_("Encoding of the texts: auto, UTF-8, GBK, …")),
            *JOIN_OPTIONS,
        ),
    ),
    LoaderSpec(
        "geopackage",
        "GeoPackage",
        (".gpkg",),
        "plumbline.io.vector:load_geopackage",
        JOIN_OPTIONS,
    ),
    LoaderSpec(
        "spatialite",
        "SpatiaLite",
        (".sqlite", ".db"),
        "plumbline.io.vector:load_spatialite",
        JOIN_OPTIONS,
    ),
    LoaderSpec(
        "flatgeobuf",
        "FlatGeobuf",
        (".fgb",),
        "plumbline.io.vector:load_flatgeobuf",
        JOIN_OPTIONS,
    ),
    LoaderSpec(
        "cityjson",
        "CityJSON",
        (".jsonl",),
        "plumbline.io.cityjson:load_cityjson",
        (LOD_OPTION,),
        shared=(".json", ".geojson"),
        mark=rb'"type"\s*:\s*"CityJSON"|"CityObjects"',
    ),
    LoaderSpec(
        "citygml",
        "CityGML",
        (".citygml", ".xml"),
        "plumbline.io.citygml:load_citygml",
        (LOD_OPTION,),
        shared=(".gml",),
        mark=rb"<(?:\w+:)?CityModel\b",
    ),
    LoaderSpec(
        "geojson",
        "GeoJSON",
        (".geojson", ".json"),
        "plumbline.io.vector:load_geojson",
        JOIN_OPTIONS,
    ),
    LoaderSpec("kml", "KML", (".kml", ".kmz"), "plumbline.io.exchange:load_kml"),
    LoaderSpec("gml", "GML", (".gml",), "plumbline.io.exchange:load_gml"),
    LoaderSpec(
        "dxf",
        "DXF",
        (".dxf",),
        "plumbline.io.exchange:load_dxf",
        (LoadOption("scale", float, 1.0, N_("Metres per unit of the file.")),),
    ),
    LoaderSpec(
        "csv",
        "CSV",
        (".csv",),
        "plumbline.io.exchange:load_csv",
        (
            LoadOption("x", str, "", N_("Column of the easting or the longitude.")),
            LoadOption("y", str, "", N_("Column of the northing or the latitude.")),
            LoadOption("z", str, "", N_("Column of the height.")),
        ),
    ),
    LoaderSpec(
        "geotiff", "GeoTIFF", (".tif", ".tiff"), "plumbline.io.raster:load_raster", RASTER_OPTIONS
    ),
    LoaderSpec("asc", "ASC", (".asc",), "plumbline.io.raster:load_raster", RASTER_OPTIONS),
    LoaderSpec("img", "IMG", (".img",), "plumbline.io.raster:load_raster", RASTER_OPTIONS),
    LoaderSpec("mbtiles", "MBTiles", (".mbtiles",), "plumbline.io.raster:load_raster"),
)


def loaders() -> tuple[LoaderSpec, ...]:
    """Return every loader."""
    return LOADERS


def loader_for(path: Path) -> LoaderSpec:
    """Return the loader for a file by its extension, and by its content where several share one.

    Raises
    ------
    InputError
        If no loader reads such files.
    """
    suffix = path.suffix.lower()
    for spec in LOADERS:
        if suffix in spec.shared and re.search(spec.mark, _ends(path)):
            return spec
    for spec in LOADERS:
        if suffix in spec.extensions:
            return spec
    if suffix in FOREIGN:
        title, way_out = FOREIGN[suffix]
        raise InputError(
            tr("“{name}” is a {format} file, which Plumbline does not read.", name=path.name,
               format=title),
            tr(way_out),
        )  # fmt: skip
    known = ", ".join(e for spec in LOADERS for e in spec.extensions)
    raise InputError(
        tr(
            "“{name}” cannot be read: no loader for {suffix}.", name=path.name, suffix=suffix or "–"
        ),
        tr("Formats that can be read: {known}.", known=known),
    )


#: The file by which a folder of tiles is opened.
ENTRANCES = ("metadata.xml", "tileset.json", "ept.json")


def entrance(path: Path) -> Path:
    """Return the file by which a folder of tiles is opened; any other path as it is.

    A production without ``metadata.xml`` is opened by its first tile, with the option ``whole``.
    """
    if path.is_dir():
        found = next((path / name for name in ENTRANCES if (path / name).is_file()), None)
        tops = (file for file in sorted(path.glob("Data/*/*.osgb")) if _is_top(file))
        return found or next(tops, path)
    return path


def _is_top(file: Path) -> bool:
    return file.stem == file.parent.name


def _ends(path: Path) -> bytes:
    """Return the beginning and the end of a file; nothing when it cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_LOOK)
            stream.seek(max(len(head), path.stat().st_size - _LOOK))
            return head + b"\n" + stream.read(_LOOK)
    except OSError:
        return b""


def load(
    path: Path | str,
    options: Mapping[str, Any] | None = None,
    feedback: Feedback | None = None,
    *,
    crs: str | None = None,
    target_crs: CRS | None = None,
    layer_id: str = "",
    sublayer: str = "",
    cache: Path | None = None,
    digest: bool = True,
    stored: bool = False,
    tiles: tuple[Path, ...] = (),
) -> list[Layer]:
    """Read a file into layers.

    Parameters
    ----------
    path : Path
        The file; or an address on the local network, for which a shortcut is kept in `tiles`.
    options : mapping, optional
        Options of the loader, as text or values.
    feedback : Feedback, optional
        Progress and cancelling.
    crs : str, optional
        CRS that the user states; replaces what the file says.
    target_crs : CRS, optional
        Project CRS; layers in another CRS are reprojected, every vertex in float64.
    layer_id : str, optional
        Id for the layer; the name of the file otherwise.
    sublayer : str, optional
        Only this layer of a file that holds several.
    digest : bool
        Compute the SHA-256 of the file; of what is too large for that, its fingerprint.
    stored : bool
        Large clouds may stay in their file: for analyses that stream them.
    tiles : tuple of Path
        Folders for what is tiled once, as large clouds are: the first takes it, all are looked in.

    Returns
    -------
    list of Layer
        Never empty.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, mislabelled or of no known format.
    MissingCrsError
        If a project CRS is wanted and neither the file nor the user states the file's.
    """
    if is_address(path):
        path = shortcut(str(path), tiles)
    given = Path(path).expanduser().absolute()
    path = entrance(given)
    if given.is_dir() and path.suffix.lower() == ".osgb":
        options = {"whole": True, **(options or {})}
    feedback = feedback or Feedback()
    spec = loader_for(path)
    _check_file(path)
    parsed = _parse_options(spec, options or {})
    context = LoadContext(parsed, feedback.part(0.0, 0.85), sublayer, cache, stored, tiles)
    layers = spec.resolve()(path, context)
    _join(layers, path, parsed)
    if parsed["control"]:
        from plumbline.io.control import place_by_control

        for layer in layers:
            place_by_control(layer, path.parent, str(parsed["control"]), str(parsed["control_fit"]))
    feedback.step(85, 100, tr("Placing {name}", name=path.name))
    stated = parse_crs(crs) if crs else None
    source = Source(
        path,
        spec.id,
        options={o.name: parsed[o.name] for o in _options_of(spec) if parsed[o.name] != o.default},
        crs=crs,
        sha256=file_sha256(path) if digest and path.stat().st_size <= WHOLE else "",
        size=path.stat().st_size,
        fingerprint=fingerprint(path, spec.id) if digest else "",
    )
    for n, layer in enumerate(layers):
        inner = str(layer.metadata.get("layer", "") or (layer.name if len(layers) > 1 else ""))
        layer.source = replace(source, sublayer=inner)
        if layer_id:
            layer.id = layer_id if len(layers) == 1 else f"{layer_id}_{layer.name}"
        if stated is not None:
            _state_crs(layer, stated)
        if target_crs is not None:
            _place(layer, target_crs, feedback.part(0.85 + 0.15 * n / len(layers), 1.0))
    feedback.step(1, 1)
    return layers


def _join(layers: list[Layer], path: Path, options: Mapping[str, Any]) -> None:
    """Add the columns of a table to features; meshes take theirs while they are read."""
    if options.get("table") and "key" in options:
        from plumbline.io.table import join_features

        for layer in layers:
            if isinstance(layer.data, VectorData):
                join_features(layer, path.parent, str(options["table"]), str(options["key"]))


def _place(layer: Layer, target: CRS, feedback: Feedback) -> None:
    """Bring a layer into the project CRS; the readers of it are imported only when needed."""
    from plumbline.io.reproject import reproject_layer

    reproject_layer(layer, target, feedback)


def _state_crs(layer: Layer, crs: CRS) -> None:
    """Take the CRS that the user states instead of what the file says."""
    layer.crs = crs
    layer.metadata["crs_source"] = "user"
    if layer.metadata.get("z_factor_source") == "plane":
        # The unit of heights was taken from the CRS that the user has just replaced.
        for key in ("z_factor", "z_factor_source", "vertical_units", "units"):
            layer.metadata.pop(key, None)
    if isinstance(layer.data, RasterData):
        layer.data.crs = crs
    elif isinstance(layer.data, VectorData):
        layer.data.features = layer.data.features.set_crs(crs, allow_override=True)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(
            tr("“{name}” is a folder, not a file.", name=path.name), tr("Name the file in it.")
        )
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise InputError(
            tr("There is no file “{path}”.", path=path), tr("Check the path and the disk.")
        ) from error
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be opened: {why}.", path=path, why=error.strerror or error),
            tr("Check that you may read it."),
        ) from error
    if size == 0:
        raise InputError(
            tr("“{name}” is empty.", name=path.name), tr("Copy or export the file again.")
        )


def _options_of(spec: LoaderSpec) -> tuple[LoadOption, ...]:
    return (*spec.options, *COMMON_OPTIONS)


def _parse_options(spec: LoaderSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {option.name: option for option in _options_of(spec)}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UsageError(
            tr("The {format} loader has no option “{name}”.", format=spec.title, name=unknown[0]),
            tr("Its options are: {names}.", names=", ".join(known) or "–"),
        )
    return {n: o.parse(given[n]) if n in given else o.default for n, o in known.items()}
