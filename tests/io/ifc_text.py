"""Small IFC files as text, so that tests know every number in them by construction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SI = {"m": "$", "mm": ".MILLI."}
#: Metres per unit.
METRES = {"m": 1.0, "mm": 0.001, "ft": 0.3048}


@dataclass
class House:
    """One wall, 4 x 2 x 3 units, its centre at `at`, in one storey of one building.

    `conversion` is the rest of the attributes of IfcMapConversion as text; in IFC2x3 pairs of
    property name and typed value.
    """

    schema: str = "IFC4"
    unit: str = "m"
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    site: tuple[float, float, float] = (0.0, 0.0, 0.0)
    world: tuple[float, float, float] = (0.0, 0.0, 0.0)
    conversion: str = ""
    crs: str = "EPSG:4549"
    map_unit: str = ""
    properties: str = ""
    lat_lon: str = "$,$"
    extra: str = ""
    size: tuple[float, float, float] = (4.0, 2.0, 3.0)

    def write(self, path: Path) -> Path:
        """Write the file."""
        path.write_text(self.text(), encoding="utf-8")
        return path

    def text(self) -> str:
        """Return the file."""
        head = (
            "ISO-10303-21;\nHEADER;\n"
            "FILE_DESCRIPTION(('ViewDefinition [CoordinationView]'),'2;1');\n"
            "FILE_NAME('house.ifc','2026-11-20T00:00:00',(''),(''),'','','');\n"
            f"FILE_SCHEMA(('{self.schema}'));\nENDSEC;\nDATA;\n"
        )
        body = "\n".join([*self._base(), *self._wall(), *self._georeference(), self.extra])
        return f"{head}{body}\nENDSEC;\nEND-ISO-10303-21;\n"

    def _base(self) -> list[str]:
        return [
            "#1=IFCPROJECT('0000000000000000000001',$,'P',$,$,$,$,(#10),#5);",
            "#5=IFCUNITASSIGNMENT((#6));",
            *self._unit(6, self.unit),
            "#10=IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-05,#13,#14);",
            "#11=IFCAXIS2PLACEMENT3D(#12,$,$);",
            "#12=IFCCARTESIANPOINT((0.,0.,0.));",
            "#13=IFCAXIS2PLACEMENT3D(#15,$,$);",
            f"#15=IFCCARTESIANPOINT({numbers(self.world)});",
            "#14=IFCDIRECTION((0.5,0.8660254037844386));",
            f"#19=IFCCARTESIANPOINT({numbers(self.site)});",
            "#18=IFCAXIS2PLACEMENT3D(#19,$,$);",
            "#30=IFCLOCALPLACEMENT($,#18);",
            "#20=IFCSITE('0000000000000000000002',$,'S',$,$,#30,$,$,.ELEMENT.,"
            f"{self.lat_lon},$,$,$);",
            "#31=IFCLOCALPLACEMENT(#30,#11);",
            "#21=IFCBUILDING('0000000000000000000003',$,'B',$,$,#31,$,$,.ELEMENT.,$,$,$);",
            # \\X2\\ ... \\X0\\ is how STEP writes 一层.
            "#22=IFCBUILDINGSTOREY('0000000000000000000004',$,'\\X2\\4E005C42\\X0\\',$,$,#31,$,$,"
            ".ELEMENT.,3.);",
            "#23=IFCRELAGGREGATES('0000000000000000000005',$,$,$,#1,(#20));",
            "#24=IFCRELAGGREGATES('0000000000000000000006',$,$,$,#20,(#21));",
            "#25=IFCRELAGGREGATES('0000000000000000000007',$,$,$,#21,(#22));",
            "#26=IFCRELCONTAINEDINSPATIALSTRUCTURE('0000000000000000000008',$,$,$,(#40),#22);",
            f"#40=IFCWALL('0000000000000000000009',$,'W',$,$,#41,#42,$"
            f"{'' if self.schema == 'IFC2X3' else ',$'});",
        ]

    def _wall(self) -> list[str]:
        dx, dy, dz = self.size
        return [
            "#41=IFCLOCALPLACEMENT(#31,#49);",
            "#49=IFCAXIS2PLACEMENT3D(#50,$,$);",
            f"#50=IFCCARTESIANPOINT({numbers(self.at)});",
            "#42=IFCPRODUCTDEFINITIONSHAPE($,$,(#43));",
            "#43=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#44));",
            f"#44=IFCEXTRUDEDAREASOLID(#45,#11,#46,{dz!r});",
            f"#45=IFCRECTANGLEPROFILEDEF(.AREA.,$,#47,{dx!r},{dy!r});",
            "#46=IFCDIRECTION((0.,0.,1.));",
            "#47=IFCAXIS2PLACEMENT2D(#48,$);",
            "#48=IFCCARTESIANPOINT((0.,0.));",
        ]

    def _unit(self, number: int, unit: str) -> list[str]:
        if unit != "ft":
            return [f"#{number}=IFCSIUNIT(*,.LENGTHUNIT.,{SI[unit]},.METRE.);"]
        n = number * 1000
        return [
            f"#{n}=IFCDIMENSIONALEXPONENTS(1,0,0,0,0,0,0);",
            f"#{n + 1}=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);",
            f"#{n + 2}=IFCMEASUREWITHUNIT(IFCLENGTHMEASURE(0.3048),#{n + 1});",
            f"#{number}=IFCCONVERSIONBASEDUNIT(#{n},.LENGTHUNIT.,'FOOT',#{n + 2});",
        ]

    def _georeference(self) -> list[str]:
        if self.properties:
            return self._property_sets()
        if not self.conversion:
            return []
        unit = "#7" if self.map_unit else "$"
        return [
            *(self._unit(7, self.map_unit) if self.map_unit else []),
            f"#8=IFCPROJECTEDCRS('{self.crs}',$,$,$,$,$,{unit});",
            f"#9=IFCMAPCONVERSION(#10,#8,{self.conversion});",
        ]

    def _property_sets(self) -> list[str]:
        lines, members = [], []
        for n, pair in enumerate(self.properties.split(";"), start=70):
            name, value = pair.split("=")
            lines.append(f"#{n}=IFCPROPERTYSINGLEVALUE('{name}',$,{value},$);")
            members.append(f"#{n}")
        return [
            *lines,
            "#60=IFCPROPERTYSET('0000000000000000000010',$,'ePSet_MapConversion',$,"
            f"({','.join(members)}));",
            "#61=IFCRELDEFINESBYPROPERTIES('0000000000000000000011',$,$,$,(#20),#60);",
            f"#62=IFCPROPERTYSINGLEVALUE('Name',$,IFCLABEL('{self.crs}'),$);",
            "#63=IFCPROPERTYSET('0000000000000000000012',$,'ePSet_ProjectedCRS',$,(#62));",
            "#64=IFCRELDEFINESBYPROPERTIES('0000000000000000000013',$,$,$,(#20),#63);",
        ]


def numbers(values: tuple[float, ...]) -> str:
    """Return STEP text of a list of numbers."""
    return "(" + ",".join(repr(float(v)) for v in values) + ")"
