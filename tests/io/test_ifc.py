"""IFC: elements, storeys, materials and numbers are those of the file; damage is refused."""

from __future__ import annotations

import csv
import json
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ifc_text import House

from plumbline.core.data import BimData
from plumbline.core.errors import CancelledError, InputError
from plumbline.core.feedback import Feedback
from plumbline.core.layer import Layer, LayerKind
from plumbline.io import load
from plumbline.io.ifc import check_step

HERE = Path(__file__).parent
FZK = "ifc/web-ifc/AC20-FZK-Haus.ifc"
DUPLEX = "ifc/georef/Duplex_A_20110907_georeferenced.ifc"


def model(path: Path, **options: Any) -> tuple[Layer, BimData]:
    """Load a model."""
    (layer,) = load(path, digest=False, **options)
    assert isinstance(layer.data, BimData)
    return layer, layer.data


def volume(vertices: Any, triangles: Any) -> float:
    """Return the signed volume of a closed mesh (divergence theorem)."""
    a, b, c = (vertices[triangles[:, i]] - vertices[triangles[0, 0]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3_ADD2"])
def test_every_schema(tmp_path: Path, schema: str) -> None:
    """A wall of 4 x 2 x 3 m is one, in every schema, from a path with spaces and Chinese."""
    path = House(schema=schema, at=(10.0, 20.0, 0.0)).write(tmp_path / "一 栋楼.ifc")
    layer, data = model(path)
    assert layer.kind is LayerKind.BIM
    assert layer.metadata["format"] == f"IFC ({schema})"
    assert layer.crs is None
    assert layer.warnings == []
    assert data.bounds is not None
    np.testing.assert_allclose(data.bounds.as_list(), [8, 19, 0, 12, 21, 3], atol=1e-9)
    assert volume(data.vertices, data.triangles) == pytest.approx(24.0, rel=1e-9)
    assert layer.counts == {
        "products": 4,
        "elements": 1,
        "products_with_geometry": 1,
        "elements_with_geometry": 1,
        "spaces": 0,
        "storeys": 1,
        "vertices": len(data.vertices),
        "triangles": 12,
    }


def test_near_edition_is_read_as_its_successor(tmp_path: Path) -> None:
    """Exporters name editions that no reader knows by name; they are read, with a word."""
    layer, data = model(House(schema="IFC4X3").write(tmp_path / "a.ifc"), cache=tmp_path / "c")
    assert volume(data.vertices, data.triangles) == pytest.approx(24.0)
    assert any("IFC4X3_ADD2" in w for w in layer.warnings)
    assert {f.suffix for f in entry(tmp_path / "c").iterdir()} == {".npy", ".json"}


def test_elements_know_their_place(tmp_path: Path) -> None:
    """Every product is an element with class, storey and parent; storeys have metres."""
    _, data = model(House(unit="mm").write(tmp_path / "a.ifc"))
    by_class = {element.cls: element for element in data.elements}
    wall, storey = by_class["IfcWall"], by_class["IfcBuildingStorey"]
    assert (wall.name, wall.storey, wall.parent) == ("W", "一层", storey.id)
    assert data.spatial[storey.id] == by_class["IfcBuilding"].id
    assert data.storeys[0].elevation == pytest.approx(0.003)
    assert data.storeys[0].building == "B"
    assert data.element_index is not None
    assert {data.elements[i].cls for i in data.element_index} == {"IfcWall"}
    assert data.bounds is not None
    assert data.bounds.zmax == pytest.approx(0.003)


def test_properties_quantities_and_colors(tmp_path: Path) -> None:
    """Property sets, quantities, attributes, types, materials and surface colours arrive."""
    extra = """
#100=IFCPROPERTYSINGLEVALUE('FireRating',$,IFCLABEL('F90'),$);
#101=IFCPROPERTYSINGLEVALUE('IsExternal',$,IFCBOOLEAN(.T.),$);
#102=IFCPROPERTYSET('0000000000000000000020',$,'Pset_WallCommon',$,(#100,#101));
#103=IFCRELDEFINESBYPROPERTIES('0000000000000000000021',$,$,$,(#40),#102);
#104=IFCQUANTITYVOLUME('NetVolume',$,$,24.,$);
#105=IFCELEMENTQUANTITY('0000000000000000000022',$,'Qto_WallBaseQuantities',$,$,(#104));
#106=IFCRELDEFINESBYPROPERTIES('0000000000000000000023',$,$,$,(#40),#105);
#107=IFCMATERIAL('Beton',$,$);
#108=IFCRELASSOCIATESMATERIAL('0000000000000000000024',$,$,$,(#40),#107);
#109=IFCWALLTYPE('0000000000000000000025',$,'W240',$,$,$,$,$,$,.STANDARD.);
#110=IFCRELDEFINESBYTYPE('0000000000000000000026',$,$,$,(#40),#109);
#111=IFCCOLOURRGB($,0.25,0.5,0.75);
#112=IFCSURFACESTYLERENDERING(#111,0.4,$,$,$,$,$,$,.NOTDEFINED.);
#113=IFCSURFACESTYLE('Glas',.BOTH.,(#112));
#114=IFCSTYLEDITEM(#44,(#113),$);"""
    _, data = model(House(extra=extra).write(tmp_path / "a.ifc"))
    wall = next(e for e in data.elements if e.cls == "IfcWall")
    assert wall.properties["Pset_WallCommon"] == {"FireRating": "F90", "IsExternal": True}
    assert wall.properties["Qto_WallBaseQuantities"]["NetVolume"] == 24.0
    assert (wall.material, wall.type_name) == ("Beton", "W240")
    assert data.material_index is not None
    used = {data.materials[i] for i in data.material_index}
    assert {m.name for m in used} == {"Glas"}
    np.testing.assert_allclose(used.pop().color, [0.25, 0.5, 0.75, 0.6], atol=1e-7)


def test_product_that_fails_is_named_and_the_rest_loads(tmp_path: Path) -> None:
    """A product whose body cannot be built is a warning; the others are there."""
    extra = """
#100=IFCWALL('0000000000000000000030',$,'broken',$,$,#41,#101,$,$);
#101=IFCPRODUCTDEFINITIONSHAPE($,$,(#102));
#102=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#103));
#103=IFCEXTRUDEDAREASOLID(#104,#11,#46,3.);
#104=IFCRECTANGLEPROFILEDEF(.AREA.,$,#47,0.,0.);"""
    layer, data = model(House(extra=extra).write(tmp_path / "a.ifc"))
    assert volume(data.vertices, data.triangles) == pytest.approx(24.0)
    assert [w for w in layer.warnings if "0000000000000000000030" in w and "broken" in w]
    assert layer.counts["elements"] == 2


def test_broken_properties_cost_only_themselves(tmp_path: Path) -> None:
    """A property set that leads nowhere is a warning about its element; the model loads."""
    extra = """
#102=IFCPROPERTYSET('0000000000000000000020',$,'Pset_WallCommon',$,(#999));
#103=IFCRELDEFINESBYPROPERTIES('0000000000000000000021',$,$,$,(#40),#999);
#104=IFCRELDEFINESBYPROPERTIES('0000000000000000000022',$,$,$,(#40),#102);
#105=IFCRELDEFINESBYPROPERTIES('0000000000000000000023',$,$,$,(#40),#12);"""
    layer, data = model(House(extra=extra).write(tmp_path / "a.ifc"))
    assert volume(data.vertices, data.triangles) == pytest.approx(24.0)
    assert any("0000000000000000000009" in w for w in layer.warnings)
    assert [e.cls for e in data.elements].count("IfcWall") == 1


def test_openings_are_cut_and_rooms_are_hidden_at_first(tmp_path: Path) -> None:
    """A hole is cut out of its wall and has no triangles; rooms do, but are not shown."""
    extra = """
#100=IFCOPENINGELEMENT('0000000000000000000030',$,'hole',$,$,#41,#101,$,$);
#101=IFCPRODUCTDEFINITIONSHAPE($,$,(#102));
#102=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#103));
#103=IFCEXTRUDEDAREASOLID(#104,#11,#46,1.);
#104=IFCRECTANGLEPROFILEDEF(.AREA.,$,#47,1.,10.);
#105=IFCRELVOIDSELEMENT('0000000000000000000031',$,$,$,#40,#100);
#110=IFCSPACE('0000000000000000000032',$,'R',$,$,#41,#111,'Room',.ELEMENT.,.INTERNAL.,$);
#111=IFCPRODUCTDEFINITIONSHAPE($,$,(#112));
#112=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#113));
#113=IFCEXTRUDEDAREASOLID(#104,#11,#46,2.);"""
    layer, data = model(House(extra=extra).write(tmp_path / "a.ifc"))
    assert data.element_index is not None
    names = [element.name for element in data.elements]
    assert "hole" in names
    wall = data.element_index == names.index("W")
    assert not (data.element_index == names.index("hole")).any()
    assert (data.element_index == names.index("R")).sum() == 12
    assert volume(data.vertices, data.triangles[wall]) == pytest.approx(24 - 1 * 2 * 1)
    assert "IfcSpace" in layer.style.hidden_classes
    assert (layer.counts["spaces"], layer.counts["elements"]) == (1, 2)


def test_repeated_global_ids_are_made_unique(tmp_path: Path) -> None:
    """Two products with one GlobalId stay two elements."""
    extra = "#100=IFCWALL('0000000000000000000009',$,'twin',$,$,#41,#42,$,$);"
    layer, data = model(House(extra=extra).write(tmp_path / "a.ifc"))
    ids = [element.id for element in data.elements]
    assert len(set(ids)) == len(ids) == 5
    assert any("GlobalId" in w for w in layer.warnings)


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04" + bytes(100), "ZIP"),
        (b'<?xml version="1.0"?><ifcXML/>', "XML"),
        (b"solid cube\n", "signature"),
        (b"ISO-10303-21;\nHEADER;\nENDSEC;", "schema"),
        (b"ISO-10303-21;HEADER;FILE_SCHEMA(('IFC4'));ENDSEC;DATA;", "cut off"),
        (b"ISO-10303-21;HEADER;FILE_SCHEMA(('AP214'));ENDSEC;", "AP214"),
        (b"ISO-10303-21;HEADER;FILE_SCHEMA(('IFC2X2_FINAL'));ENDSEC;", "IFC2X2_FINAL"),
        (b"ISO-10303-21;HEADER;FILE_SCHEMA(('IFC4X3_RC3'));ENDSEC;", "draft"),
    ],
)
def test_refused_before_a_child_starts(
    tmp_path: Path, content: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no readable IFC is refused from its first bytes."""
    monkeypatch.setattr("plumbline.io.ifc.run_in_child", lambda *a, **k: pytest.fail("started"))
    path = tmp_path / "a.ifc"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        load(path)


def test_model_without_products(tmp_path: Path) -> None:
    """An IFC file without anything in it is refused."""
    text = House().text()
    path = tmp_path / "a.ifc"
    path.write_text(re.sub(r"DATA;.*ENDSEC;", "DATA;\nENDSEC;", text, flags=re.DOTALL))
    with pytest.raises(InputError, match="no building elements"):
        load(path)


def test_cancel_while_tessellating(tmp_path: Path, real_data: Path) -> None:
    """Cancelling ends within two seconds and leaves nothing behind, not in the cache either."""
    feedback, caught, begun = Feedback(), [], threading.Event()

    def report(fraction: float, text: str) -> None:
        if "shapes" in text:
            begun.set()

    def work() -> None:
        try:
            load(real_data / FZK, feedback=Feedback(report, feedback._cancel), cache=tmp_path)
        except CancelledError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    started = time.monotonic()
    feedback.cancel()
    thread.join(20)
    assert time.monotonic() - started < 2
    assert len(caught) == 1
    assert list((tmp_path / "ifc").iterdir()) == []


# -- cache ----------------------------------------------------------------------------------------


def entry(cache: Path) -> Path:
    """Return the one entry of the cache."""
    (folder,) = (cache / "ifc").iterdir()
    return folder


def same(a: BimData, b: BimData) -> bool:
    """Tell whether two models are the same."""
    return (
        np.array_equal(a.vertices, b.vertices)
        and np.array_equal(a.triangles, b.triangles)
        and (a.elements, a.materials, a.storeys) == (b.elements, b.materials, b.storeys)
    )


def test_second_opening_comes_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same content under any name is the same entry, and no child starts for it."""
    first = model(House().write(tmp_path / "a.ifc"), cache=tmp_path / "c")[1]
    monkeypatch.setattr("plumbline.io.ifc.run_in_child", lambda *a, **k: pytest.fail("started"))
    second = model(House().write(tmp_path / "b.ifc"), cache=tmp_path / "c")[1]
    assert same(first, second)


def test_other_content_or_options_are_other_entries(tmp_path: Path) -> None:
    """What changes the result changes the entry."""
    cache = tmp_path / "c"
    model(House().write(tmp_path / "a.ifc"), cache=cache)
    model(tmp_path / "a.ifc", cache=cache, options={"tolerance": "0.01"})
    _, data = model(House(at=(1.0, 0.0, 0.0)).write(tmp_path / "a.ifc"), cache=cache)
    assert data.bounds is not None
    assert data.bounds.xmin == pytest.approx(-1)
    assert len(list((cache / "ifc").iterdir())) == 3


@pytest.mark.parametrize("name", ["vertices.npy", "document.json", "seal.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damaged_entry_is_built_again(tmp_path: Path, name: str, damage: str) -> None:
    """A damaged cache is never an error and never a wrong model."""
    cache = tmp_path / "c"
    path = House().write(tmp_path / "a.ifc")
    first = model(path, cache=cache)[1]
    victim = entry(cache) / name
    content = victim.read_bytes()
    if damage == "gone":
        victim.unlink()
    elif damage == "cut":
        victim.write_bytes(content[: len(content) // 2])
    else:
        victim.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    assert same(first, model(path, cache=cache)[1])
    assert same(first, model(path, cache=cache)[1])
    assert (entry(cache) / name).exists()


def test_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """A file where the folder should be: the model loads all the same."""
    (tmp_path / "c").write_text("in the way")
    assert model(House().write(tmp_path / "a.ifc"), cache=tmp_path / "c")[1].products == 4


def test_cache_holds_no_pickles(tmp_path: Path) -> None:
    """An entry with a pickled array is refused, not run."""
    cache = tmp_path / "c"
    path = House().write(tmp_path / "a.ifc")
    first = model(path, cache=cache)[1]
    from zlib import crc32

    folder = entry(cache)
    np.save(folder / "vertices.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    seal = json.loads((folder / "seal.json").read_text())
    seal["vertices.npy"] = crc32((folder / "vertices.npy").read_bytes())
    (folder / "seal.json").write_text(json.dumps(seal))
    assert same(first, model(path, cache=cache)[1])


# -- damage ---------------------------------------------------------------------------------------


def load_or_refuse(path: Path) -> Layer | None:
    """Load; a refusal is fine as long as it is one clear line."""
    try:
        return load(path, digest=False)[0]
    except InputError as error:
        refusal = str(error)
    assert "\n" not in refusal
    return None


def test_truncation_is_refused(tmp_path: Path, real_data: Path) -> None:
    """A model cut off anywhere is an error."""
    data = (real_data / "ifc/pcert_sample_scene/Building-Structural.ifc").read_bytes()
    path = tmp_path / "cut.ifc"
    for end in np.linspace(1, len(data) - 40, 20).astype(int):
        path.write_bytes(data[:end])
        assert load_or_refuse(path) is None, end


def test_lost_lines_never_crash(tmp_path: Path) -> None:
    """A file with its end but a piece of the middle missing ends in a layer or one clear line."""
    lines = House(conversion="500000.,4000000.,0.,1.,0.,1.").text().splitlines()
    path = tmp_path / "hole.ifc"
    begin = lines.index("DATA;") + 1
    for lost in range(begin, len(lines) - 2, 8):
        path.write_text("\n".join([*lines[:lost], *lines[lost + 1 :]]))
        load_or_refuse(path)


def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    """Damaged bytes end in a layer or in one clear line."""
    flip(tmp_path, House(conversion="500000.,4000000.,0.,1.,0.,1.").text().encode(), 8)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_flipped_bytes_never_crash_at_length(tmp_path: Path) -> None:
    """The same, two thousand times."""
    flip(tmp_path, House(conversion="500000.,4000000.,0.,1.,0.,1.").text().encode(), 2000)


def flip(folder: Path, data: bytes, times: int) -> None:
    """Flip bytes and load."""
    rng = random.Random(5)
    path = folder / "flipped.ifc"
    begin = data.index(b"DATA;")
    for _ in range(times):
        broken = bytearray(data)
        for _ in range(rng.choice((1, 3, 10))):
            broken[rng.randrange(begin, len(data))] = rng.randrange(256)
        path.write_bytes(broken)
        layer = load_or_refuse(path)
        assert layer is None or layer.counts["products"] > 0


# -- real files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            FZK,
            {"products": 127, "elements": 102, "products_with_geometry": 121, "storeys": 2,
             "spaces": 7},
        ),
        (DUPLEX, {"products": 295, "products_with_geometry": 286, "storeys": 4, "spaces": 21}),
        ("ifc/pcert_sample_scene/Building-Architecture.ifc", {"products_with_geometry": 14}),
        ("ifc/pcert_sample_scene/Building-Structural.ifc", {"products_with_geometry": 16}),
    ],
)  # fmt: skip
def test_real_counts(real_layer: Callable[..., Layer], file: str, expected: dict[str, int]) -> None:
    """The facts of the real files."""
    layer = real_layer(file)
    data = layer.data
    assert isinstance(data, BimData)
    assert {name: layer.counts[name] for name in expected} == expected
    assert len({element.id for element in data.elements}) == layer.counts["products"]
    assert not [w for w in layer.warnings if "left out" in w]


def test_real_order_is_always_the_same(real_data: Path) -> None:
    """Threads finish in any order; the arrays do not show it."""
    path = real_data / "ifc/pcert_sample_scene/Building-Architecture.ifc"
    first = model(path)[1]
    for _ in range(2):
        again = model(path)[1]
        assert same(first, again)
        np.testing.assert_array_equal(first.element_index, again.element_index)
        np.testing.assert_array_equal(first.material_index, again.material_index)


def test_real_retired_schema(real_data: Path) -> None:
    """A retired draft is refused with the reason and the way out."""
    with pytest.raises(InputError, match="IFC4X3_RC3") as caught:
        load(real_data / "ifc/infraroom/Tin-1.ifc")
    assert "IFC4X3_ADD2" in caught.value.hint


def test_real_volumes_and_boxes(real_data: Path, real_layer: Callable[..., Layer]) -> None:
    """Each product of the house has the box and volume that another program found."""
    data = real_layer(FZK).data
    assert isinstance(data, BimData)
    assert data.element_index is not None
    own = {element.id: n for n, element in enumerate(data.elements)}
    table = (real_data / "reference/ifc_quantities/AC20-FZK-Haus.csv").read_text("utf-8")
    compared = 0
    for row in csv.DictReader(table.splitlines()):
        triangles = data.triangles[data.element_index == own[row["GlobalId"]]]
        if len(triangles) == 0:
            continue
        corners = data.vertices[triangles.ravel()]
        box = [float(row[k]) for k in ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")]
        np.testing.assert_allclose([*corners.min(axis=0), *corners.max(axis=0)], box, atol=2e-3)
        if row["closed"] == "True":
            expected = float(row["mesh_volume_m3"])
            found = volume(data.vertices, triangles)
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-5), row["name"]
        compared += 1
    assert compared == 90


def test_real_second_opening_is_ten_times_faster(real_data: Path, tmp_path: Path) -> None:
    """The cache is worth it."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        model(real_data / DUPLEX, cache=tmp_path)
        seconds.append(time.perf_counter() - started)
    assert seconds[0] > 10 * seconds[1]


def test_loading_imports_no_reader_into_this_process(tmp_path: Path) -> None:
    """ifcopenshell lives in the child only: it would stall and could take the window with it."""
    path = House().write(tmp_path / "a.ifc")
    code = (
        "import sys; from plumbline.io import load; load(sys.argv[1]);"
        "sys.exit('ifcopenshell' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0


def test_check_step_accepts_a_byte_order_mark(tmp_path: Path) -> None:
    """Some editors put one in front."""
    path = tmp_path / "a.ifc"
    path.write_bytes(b"\xef\xbb\xbf" + House().text().encode())
    assert check_step(path) == "IFC4"
