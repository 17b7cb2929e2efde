"""Two planning schemes for the cleared old quarter, as IFC4 models.

Scheme A puts slabs and one tall tower on the site; its local axes follow the streets, so that the
map conversion turns it. Scheme B closes four courtyards with six storeys; its axes follow the grid
and its buildings are turned instead.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.demo.frame import CRS, ORIGIN, Floats
from plumbline.demo.model import District
from plumbline.demo.streets import COLUMNS, ROWS, quad
from plumbline.demo.terrain import sample

WALL, SLAB, ROOF = 0.25, 0.15, 0.2
"""Thickness in m of outer walls, floors and roofs."""
SILL = 0.9
"""Height in m of the window sills above the floor."""
CONVERGENCE = 0.2239
"""Angle in degrees from true north to grid north at the site, clockwise."""
TIME = "2026-01-01T00:00:00"


@dataclass(frozen=True)
class Block:
    """A building of a scheme in the site frame: x along the streets, y up the hill, in m."""

    name: str
    use: str
    x: float
    y: float
    length: float
    depth: float
    storeys: int
    storey: float
    dwellings: int = 0
    """Per storey."""
    wing: float = 0.0
    """Depth in m of the wings around a court; 0 for a solid block."""
    bay: float = 3.6
    """Distance in m from window to window."""

    @property
    def rings(self) -> list[Floats]:
        """Outline and court, each with the building on its left, relative to the centre."""
        half = np.array([self.length, self.depth]) / 2
        square = np.array([[-1.0, -1.0], [1, -1], [1, 1], [-1, 1]])
        if not self.wing:
            return [square * half]
        return [square * half, square[::-1] * (half - self.wing)]

    @property
    def height(self) -> float:
        """Height in m of the roof above the ground floor."""
        return self.storeys * self.storey

    @property
    def footprint(self) -> float:
        """Area in m²."""
        court = (self.length - 2 * self.wing) * (self.depth - 2 * self.wing) if self.wing else 0.0
        return self.length * self.depth - court


SCHEMES: dict[str, tuple[str, tuple[Block, ...]]] = {
    "A": (
        "方案A 板塔结合",
        (
            Block("A1 塔楼", "住宅", 100, 36, 30, 18, 33, 3.0, 6),
            Block("A2 板楼", "住宅", -118, 34, 56, 13, 18, 3.0, 6),
            Block("A3 板楼", "住宅", -50, 34, 56, 13, 18, 3.0, 6),
            Block("A4 板楼", "住宅", -84, -12, 60, 13, 15, 3.0, 6),
            Block("A5 板楼", "住宅", 84, -8, 60, 13, 15, 3.0, 6),
            Block("A6 商业裙房", "商业", 84, -46, 100, 18, 2, 4.5, bay=6.0),
        ),
    ),
    "B": (
        "方案B 低层围合",
        (
            Block("B1 围合院", "住宅", -119, -4, 58, 88, 6, 3.0, 18, wing=12.0, bay=6.0),
            Block("B2 围合院", "住宅", -49, -4, 58, 88, 6, 3.0, 18, wing=12.0, bay=6.0),
            Block("B3 围合院", "住宅", 49, -2, 58, 84, 6, 3.0, 18, wing=12.0, bay=6.0),
            Block("B4 围合院", "住宅", 118, -2, 58, 84, 6, 3.0, 18, wing=12.0, bay=6.0),
        ),
    ),
}


def site(district: District) -> list[Any]:
    """Return the cleared land, two shapely polygons (west, east) in local m."""
    import shapely

    streets = shapely.union_all([s.polygon for s in district.streets if s.grade != "巷道"])
    return [quad(COLUMNS[c], COLUMNS[c + 1], ROWS[2], ROWS[3]).difference(streets) for c in (2, 3)]


def frame(district: District) -> tuple[Floats, float]:
    """Return the origin (local m) and the direction in rad of the site frame."""
    west, east = (np.array(p.centroid.coords[0]) for p in site(district))
    across = east - west
    return (west + east) / 2, float(np.arctan2(across[1], across[0]))


def outline(district: District, block: Block) -> Any:
    """Return the footprint of a scheme building as shapely polygon in local m."""
    import shapely

    origin, angle = frame(district)
    turn = _turn(angle)
    rings = [(ring + np.array([block.x, block.y])) @ turn + origin for ring in block.rings]
    return shapely.Polygon(rings[0], rings[1:])


def base(district: District, block: Block) -> float:
    """Return the height in m of the ground floor: the mean ground under the corners."""
    points = np.asarray(outline(district, block).exterior.coords)[:-1]
    return round(float(sample(district.ground, points[:, 0], points[:, 1]).mean()), 2)


def _turn(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def write(district: District, name: str, path: Path) -> dict[str, Any]:
    """Write one scheme and return its indicators by construction."""
    title, blocks = SCHEMES[name]
    writer = _Writer(district, name, title)
    for block in blocks:
        writer.building(block)
    writer.finish(path)
    return indicators(district, name)


def indicators(district: District, name: str) -> dict[str, Any]:
    """Return areas in m², heights in m, ratios and counts of one scheme by construction."""
    blocks = SCHEMES[name][1]
    site_area = sum(p.area for p in site(district))
    footprint = sum(b.footprint for b in blocks)
    floor = sum(b.footprint * b.storeys for b in blocks)
    return {
        "title": SCHEMES[name][0],
        "site_area": site_area,
        "footprint_area": footprint,
        "floor_area": floor,
        "far": floor / site_area,
        "density": footprint / site_area,
        "height_max": max(b.height for b in blocks),
        "dwellings": sum(b.dwellings * b.storeys for b in blocks),
        "volume": sum(b.footprint * b.height for b in blocks),
        "buildings": [
            {
                "name": b.name,
                "use": b.use,
                "storeys": b.storeys,
                "storey_height": b.storey,
                "height": b.height,
                "base": base(district, b),
                "footprint_area": b.footprint,
                "floor_area": b.footprint * b.storeys,
                "volume": b.footprint * b.height,
                "dwellings": b.dwellings * b.storeys,
                "centre": [
                    float(k) + o
                    for k, o in zip(outline(district, b).centroid.coords[0], ORIGIN, strict=True)
                ],
                "windows": sum(len(w) for w in _windows(b)) * b.storeys,
            }
            for b in blocks
        ],
    }


def _windows(block: Block) -> list[list[float]]:
    """Return for every edge of the outline the distances in m of its windows along it."""
    found = []
    for number, ring in enumerate(block.rings):
        for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            length = float(np.hypot(*(b - a)))
            gable = not block.wing and length < 20 and length == block.depth and number == 0
            count = 1 if gable else max(1, int((length - 1.2) // block.bay))
            found.append([(k + 0.5) / count * length for k in range(count)])
    return found


class _Writer:
    """Builds one IFC4 file."""

    def __init__(self, district: District, name: str, title: str) -> None:
        import ifcopenshell
        import ifcopenshell.api.aggregate
        import ifcopenshell.api.context
        import ifcopenshell.api.root
        import ifcopenshell.api.unit

        self.district, self.name = district, name
        self.api = ifcopenshell.api
        self.file = ifcopenshell.file(schema="IFC4")
        self.project = self.api.root.create_entity(self.file, ifc_class="IfcProject", name=title)
        units = [
            self.api.unit.add_si_unit(self.file, unit_type=kind)
            for kind in ("LENGTHUNIT", "AREAUNIT", "VOLUMEUNIT")
        ]
        # Set by hand, as below: the API keeps the units in no fixed order.
        self.project.UnitsInContext = self.file.create_entity("IfcUnitAssignment", units)
        self.model = self.api.context.add_context(self.file, context_type="Model")
        self.body = self.api.context.add_context(
            self.file,
            context_type="Model",
            context_identifier="Body",
            target_view="MODEL_VIEW",
            parent=self.model,
        )
        self._georeference()
        self._materials()
        self.site = self.api.root.create_entity(self.file, ifc_class="IfcSite", name="老城改造地块")
        self.site.ObjectPlacement = self._placement(None, (0, 0, 0), 0.0)
        self.site.RefElevation = 0.0
        self.api.aggregate.assign_object(
            self.file, products=[self.site], relating_object=self.project
        )
        self.houses: list[Any] = []
        self.windows: dict[tuple[float, float], Any] = {}
        self.of_material: dict[str, list[Any]] = {}

    def _georeference(self) -> None:
        """Scheme A turns the model onto the streets; scheme B only moves it."""
        import ifcopenshell.api.georeference as georeference

        origin, angle = frame(self.district)
        self.datum = round(float(sample(self.district.ground, origin[:1], origin[1:])[0]), 1)
        if self.name == "A":
            self.turned, self.shift = 0.0, np.zeros(2)
            anchor, turn = origin, angle
        else:
            self.turned, self.shift = angle, np.array([180.0, 90.0])
            anchor, turn = origin - self.shift, 0.0
        easting, northing = (round(float(a + o), 3) for a, o in zip(anchor, ORIGIN, strict=True))
        # The file has the origin in whole millimetres; the buildings make up for the rest.
        self.rest = (anchor + ORIGIN - [easting, northing]) @ _turn(turn).T
        georeference.add_georeferencing(self.file)
        georeference.edit_georeferencing(
            self.file,
            projected_crs={"Name": CRS, "Description": "CGCS2000 / 3-degree Gauss-Kruger CM 120E"},
            coordinate_operation={
                "Eastings": easting,
                "Northings": northing,
                "OrthogonalHeight": self.datum,
                "XAxisAbscissa": float(np.cos(turn)),
                "XAxisOrdinate": float(np.sin(turn)),
                "Scale": 1.0,
            },
        )
        # True north lies anticlockwise of grid north, and the model's axes are turned by `turn`.
        north = np.radians(CONVERGENCE) - turn
        self.model.TrueNorth = self.file.create_entity(
            "IfcDirection", (-float(np.sin(north)), float(np.cos(north)))
        )

    def _materials(self) -> None:

        self.materials = {}
        for name, colour, alpha in (
            ("外墙涂料", (0.86, 0.80, 0.70) if self.name == "A" else (0.78, 0.58, 0.44), 0.0),
            ("钢筋混凝土", (0.72, 0.72, 0.70), 0.0),
            ("玻璃", (0.32, 0.48, 0.58), 0.35),
            ("屋面", (0.60, 0.60, 0.58) if self.name == "A" else (0.62, 0.32, 0.24), 0.0),
        ):
            material = self.api.material.add_material(self.file, name=name)
            style = self.api.style.add_style(self.file, name=name)
            red, green, blue = colour
            self.api.style.add_surface_style(
                self.file,
                style=style,
                ifc_class="IfcSurfaceStyleShading",
                attributes={
                    "SurfaceColour": {"Name": None, "Red": red, "Green": green, "Blue": blue},
                    "Transparency": alpha,
                },
            )
            self.api.style.assign_material_style(
                self.file, material=material, style=style, context=self.body
            )
            self.materials[name] = material

    # --- geometry -------------------------------------------------------------------------

    def _placement(self, parent: Any, at: Any, angle: float) -> Any:
        make = self.file.create_entity
        point = make("IfcCartesianPoint", tuple(float(k) for k in at))
        axis = make("IfcDirection", (0.0, 0.0, 1.0))
        along = make("IfcDirection", (float(np.cos(angle)), float(np.sin(angle)), 0.0))
        return make("IfcLocalPlacement", parent, make("IfcAxis2Placement3D", point, axis, along))

    def _extrusion(self, rings: list[Floats], low: float, height: float) -> Any:
        """Return a body: the area within the first ring, less the others, pulled up."""
        make = self.file.create_entity
        curves = [
            make(
                "IfcPolyline",
                [make("IfcCartesianPoint", (float(x), float(y))) for x, y in [*ring, ring[0]]],
            )
            for ring in rings
        ]
        kind = "IfcArbitraryProfileDefWithVoids" if curves[1:] else "IfcArbitraryClosedProfileDef"
        extra = (curves[1:],) if curves[1:] else ()
        profile = make(kind, "AREA", None, curves[0], *extra)
        point = make("IfcCartesianPoint", (0.0, 0.0, float(low)))
        solid = make(
            "IfcExtrudedAreaSolid",
            profile,
            make("IfcAxis2Placement3D", point),
            make("IfcDirection", (0.0, 0.0, 1.0)),
            float(height),
        )
        return make("IfcShapeRepresentation", self.body, "Body", "SweptSolid", [solid])

    def _product(
        self, kind: str, name: str, placement: Any, shape: Any, material: str = "", **more: Any
    ) -> Any:
        shapes = self.file.create_entity("IfcProductDefinitionShape", None, None, [shape])
        product = self.file.create_entity(
            kind,
            GlobalId=_PLACEHOLDER,
            Name=name,
            ObjectPlacement=placement,
            Representation=shapes,
            **more,
        )
        if material:
            self.of_material.setdefault(material, []).append(product)
        return product

    def _window_shape(self, width: float, height: float) -> Any:
        """Return the shared shape of a window: a pane that stands 2 cm before the wall."""
        key = (width, height)
        if key not in self.windows:
            x = width / 2
            ring = np.array([[-x, -0.02], [x, -0.02], [x, 0.08], [-x, 0.08]])
            origin = self.file.create_entity(
                "IfcAxis2Placement3D", self.file.create_entity("IfcCartesianPoint", (0.0, 0.0, 0.0))
            )
            self.windows[key] = self.file.create_entity(
                "IfcRepresentationMap", origin, self._extrusion([ring], 0.0, height)
            )
        make = self.file.create_entity
        target = make(
            "IfcCartesianTransformationOperator3D",
            LocalOrigin=make("IfcCartesianPoint", (0.0, 0.0, 0.0)),
        )
        item = make("IfcMappedItem", self.windows[key], target)
        return make("IfcShapeRepresentation", self.body, "Body", "MappedRepresentation", [item])

    # --- data -----------------------------------------------------------------------------

    def _pset(self, product: Any, name: str, values: dict[str, tuple[str, Any]]) -> None:
        make = self.file.create_entity
        single = [
            make("IfcPropertySingleValue", key, None, make(kind, value), None)
            for key, (kind, value) in values.items()
        ]
        made = make("IfcPropertySet", _PLACEHOLDER, None, name, None, single)
        make("IfcRelDefinesByProperties", _PLACEHOLDER, None, None, None, [product], made)

    def _quantities(self, product: Any, name: str, values: dict[str, tuple[str, float]]) -> None:
        make = self.file.create_entity
        single = [
            make(f"IfcQuantity{kind}", key, None, None, float(value), None)
            for key, (kind, value) in values.items()
        ]
        made = make("IfcElementQuantity", _PLACEHOLDER, None, name, None, None, single)
        make("IfcRelDefinesByProperties", _PLACEHOLDER, None, None, None, [product], made)

    # --- buildings ------------------------------------------------------------------------

    def building(self, block: Block) -> None:
        """Add one building with its storeys."""
        make = self.file.create_entity
        level = base(self.district, block) - self.datum
        at = np.array([block.x, block.y]) @ _turn(self.turned) + self.shift + self.rest
        house = self.api.root.create_entity(self.file, ifc_class="IfcBuilding", name=block.name)
        house.ObjectPlacement = self._placement(
            self.site.ObjectPlacement, (*at, level), self.turned
        )
        house.ElevationOfRefHeight = float(level + self.datum)
        self.houses.append(house)
        self._pset(
            house,
            "Pset_BuildingCommon",
            {
                "NumberOfStoreys": ("IfcInteger", block.storeys),
                "OccupancyType": ("IfcLabel", block.use),
                "IsLandmarked": ("IfcLogical", False),
            },
        )
        self._quantities(
            house,
            "Qto_BuildingBaseQuantities",
            {
                "Height": ("Length", block.height),
                "FootprintArea": ("Area", block.footprint),
                "GrossFloorArea": ("Area", block.footprint * block.storeys),
                "GrossVolume": ("Volume", block.footprint * block.height),
            },
        )
        if block.dwellings:
            self._pset(house, "规划指标", {"户数": ("IfcInteger", block.dwellings * block.storeys)})
        storeys = [self._storey(block, house, k) for k in range(block.storeys)]
        make("IfcRelAggregates", _PLACEHOLDER, None, None, None, house, storeys)

    def _storey(self, block: Block, house: Any, number: int) -> Any:
        make = self.file.create_entity
        top = number == block.storeys - 1
        elevation = number * block.storey
        placement = self._placement(house.ObjectPlacement, (0, 0, elevation), 0.0)
        storey = make(
            "IfcBuildingStorey",
            GlobalId=_PLACEHOLDER,
            Name=f"{number + 1}F",
            ObjectPlacement=placement,
            CompositionType="ELEMENT",
            Elevation=elevation,
        )
        mark = f"{block.name.split()[0]}-{number + 1:02d}"
        clear = block.storey - (ROOF if top else SLAB)
        inner = _inset(block.rings, WALL)
        net = _area(inner)
        slab = self._product(
            "IfcSlab",
            f"{mark} 楼板",
            placement,
            self._extrusion(inner, -SLAB, SLAB),
            "钢筋混凝土",
            PredefinedType="FLOOR" if number else "BASESLAB",
        )
        self._quantities(
            slab,
            "Qto_SlabBaseQuantities",
            {
                "Depth": ("Length", SLAB),
                "GrossArea": ("Area", net),
                "NetArea": ("Area", net),
                "GrossVolume": ("Volume", net * SLAB),
                "NetVolume": ("Volume", net * SLAB),
            },
        )
        elements = [
            slab,
            *self._walls(block, placement, mark, block.storey - (ROOF if top else 0.0)),
        ]
        elements += self._storey_windows(block, placement, mark)
        if top:
            shape = self._extrusion(block.rings, block.storey - ROOF, ROOF)
            roof = self._product(
                "IfcSlab", f"{mark} 屋面", placement, shape, "屋面", PredefinedType="ROOF"
            )
            area = _area(block.rings)
            self._quantities(
                roof,
                "Qto_SlabBaseQuantities",
                {
                    "Depth": ("Length", ROOF),
                    "GrossArea": ("Area", area),
                    "NetArea": ("Area", area),
                    "GrossVolume": ("Volume", area * ROOF),
                    "NetVolume": ("Volume", area * ROOF),
                },
            )
            elements.append(roof)
        space = self._product(
            "IfcSpace",
            f"{mark} {'居住层' if block.dwellings else '营业厅'}",
            placement,
            self._extrusion(inner, 0.0, clear),
            LongName=block.use,
            PredefinedType="INTERNAL",
        )
        self._quantities(
            space,
            "Qto_SpaceBaseQuantities",
            {
                "Height": ("Length", clear),
                "GrossFloorArea": ("Area", block.footprint),
                "NetFloorArea": ("Area", net),
                "NetVolume": ("Volume", net * clear),
            },
        )
        self._pset(space, "Pset_SpaceCommon", {"IsExternal": ("IfcBoolean", False)})
        make("IfcRelContainedInSpatialStructure", _PLACEHOLDER, None, None, None, elements, storey)
        make("IfcRelAggregates", _PLACEHOLDER, None, None, None, storey, [space])
        return storey

    def _walls(self, block: Block, placement: Any, mark: str, height: float) -> list[Any]:
        found = []
        for number, ring in enumerate(block.rings):
            trim = WALL if number == 0 else -WALL
            for side, (a, b) in enumerate(zip(ring, np.roll(ring, -1, axis=0), strict=True)):
                along = (b - a) / np.hypot(*(b - a))
                inward = np.array([-along[1], along[0]]) * WALL
                start = a + along * trim
                shape = self._extrusion(
                    [np.array([start, b, b + inward, start + inward])], 0.0, height
                )
                name = f"{mark} {'外墙' if number == 0 else '院墙'}{'南东北西'[side]}"
                wall = self._product(
                    "IfcWall", name, placement, shape, "外墙涂料", PredefinedType="STANDARD"
                )
                length = float(np.hypot(*(b - start)))
                self._quantities(
                    wall,
                    "Qto_WallBaseQuantities",
                    {
                        "Length": ("Length", length),
                        "Width": ("Length", WALL),
                        "Height": ("Length", height),
                        "GrossSideArea": ("Area", length * height),
                        "GrossFootprintArea": ("Area", length * WALL),
                        "GrossVolume": ("Volume", length * height * WALL),
                        "NetVolume": ("Volume", length * height * WALL),
                    },
                )
                self._pset(
                    wall,
                    "Pset_WallCommon",
                    {"IsExternal": ("IfcBoolean", True), "LoadBearing": ("IfcBoolean", True)},
                )
                found.append(wall)
        return found

    def _storey_windows(self, block: Block, placement: Any, mark: str) -> list[Any]:
        found = []
        width = 1.8 if block.bay < 5 else 2.4
        height = 1.5 if block.storey < 4 else 2.6
        edges = [
            e for ring in block.rings for e in zip(ring, np.roll(ring, -1, axis=0), strict=True)
        ]
        for side, ((a, b), spots) in enumerate(zip(edges, _windows(block), strict=True)):
            along = (b - a) / np.hypot(*(b - a))
            angle = float(np.arctan2(along[1], along[0]))
            for k, spot in enumerate(spots):
                at = self._placement(placement, (*(a + along * spot), SILL), angle)
                name = f"{mark}-{'SENW'[side % 4]}{'' if side < 4 else 'i'}{k + 1:02d} 窗"
                found.append(
                    self._product(
                        "IfcWindow",
                        name,
                        at,
                        self._window_shape(width, height),
                        "玻璃",
                        OverallHeight=height,
                        OverallWidth=width,
                    )
                )
        return found

    def finish(self, path: Path) -> None:
        """Give every object its repeatable identifier and a fixed date, and write the file."""
        import ifcopenshell.guid

        # Related by hand: the API keeps the members of a relation in no fixed order.
        self.file.create_entity(
            "IfcRelAggregates", _PLACEHOLDER, None, None, None, self.site, self.houses
        )
        for name, products in self.of_material.items():
            self.file.create_entity(
                "IfcRelAssociatesMaterial",
                _PLACEHOLDER,
                None,
                None,
                None,
                products,
                self.materials[name],
            )
        space = uuid.uuid5(uuid.NAMESPACE_URL, f"plumbline-demo-{self.district.seed}-{self.name}")
        for root in sorted(self.file.by_type("IfcRoot"), key=lambda e: e.id()):
            root.GlobalId = ifcopenshell.guid.compress(uuid.uuid5(space, str(root.id())).hex)
        header = self.file.header
        header.file_name.name = path.name
        header.file_name.time_stamp = TIME
        header.file_name.author = ("Plumbline",)
        header.file_name.organization = ("Plumbline",)
        header.file_name.preprocessor_version = "Plumbline demo"
        header.file_name.originating_system = "Plumbline demo"
        self.file.write(str(path))


_PLACEHOLDER = "0" * 22


def _inset(rings: list[Floats], by: float) -> list[Floats]:
    """Return rectangles moved inwards (the outline) or outwards (the court) by `by` m."""
    found = []
    for number, ring in enumerate(rings):
        found.append(ring - np.sign(ring) * (by if number == 0 else -by))
    return found


def _area(rings: list[Floats]) -> float:
    sizes = [float(np.prod(np.ptp(ring, axis=0))) for ring in rings]
    return sizes[0] - sum(sizes[1:])
