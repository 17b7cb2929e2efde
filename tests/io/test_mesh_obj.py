"""OBJ: precision, polygons, materials, textures, colours, objects, and what may not be followed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.io.mesh_files import area, load_mesh, write

from plumbline.core.errors import CancelledError, InputError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.io import load, obj

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (255, 0, 0)).save(path)
    return path


def test_photogrammetry_has_the_facts_of_its_readme(real_data: Path) -> None:
    mesh, layer = load_mesh(real_data / "mesh/photogrammetry_obj/tile_013_L18/tile_013_L18.obj")
    assert layer.counts["vertices"] == 29_687
    assert layer.counts["triangles"] == 20_454
    assert sum(m.texture is not None for m in mesh.materials) == 8
    assert area(mesh) == pytest.approx(32_100.21, abs=0.01)
    assert layer.bounds is not None
    expected = [-0.145, 1299.9, -1.218, 100.1, 1400.1, 48.475]
    assert layer.bounds.as_list() == pytest.approx(expected, abs=1e-3)
    assert mesh.uv is not None
    assert len(mesh.uv) == 29_687
    assert layer.warnings == []
    assert layer.crs is None


def test_city_model_has_its_objects(real_data: Path) -> None:
    mesh, layer = load_mesh(real_data / "mesh/3dfier_output/testarea.obj")
    assert layer.counts == {"vertices": 14_760, "triangles": 28_619, "elements": 570}
    assert {m.name for m in mesh.materials} >= {"Building", "Terrain", "Road", "Water"}
    building = next(m for m in mesh.materials if m.name == "Building")
    assert building.color == pytest.approx((0.87, 0.26, 0.28, 1.0))
    assert mesh.element_index is not None
    assert mesh.element_index.min() == 0


def test_coordinates_keep_every_digit(tmp_path: Path) -> None:
    text = "v 534000.1234567 4003999.7654321 12.0000001\nv 534001 4004000 0\nv 534002 4004001 1\n"
    mesh, _ = load_mesh(write(tmp_path / "a.obj", text + "f 1 2 3\n"))
    assert mesh.vertices[0].tolist() == [534000.1234567, 4003999.7654321, 12.0000001]


@pytest.mark.parametrize(
    "faces",
    [
        "f 1 2 3\nf 1 3 4\n",
        "f 1 2 3 4\n",
        "f -4 -3 -2 -1\n",
        "f 1/1 2/2 3/3 4/4\n",
        "f 1//1 2//2 3//3 4//4\n",
        "f 1/1/1 2/2/2 3/3/3 4/4/4\n",
        "f 1/1/ 2/2/ 3/3/ 4/4/ \n",
        "f 1/1/1 2//2 3/3 4\n",
        "f 1 \\\n2 3 4\n",
        "  f 1 2 3 4  # a comment\n",
        "f\t1\t2\t3\t4\r\n",
    ],
)
def test_every_way_of_writing_a_face(tmp_path: Path, faces: str) -> None:
    text = SQUARE + "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\nvn 0 0 1\nvn 0 0 1\nvn 0 0 1\n"
    mesh, layer = load_mesh(write(tmp_path / "a.obj", text + faces))
    assert layer.counts == {"vertices": 4, "triangles": 2}
    assert area(mesh) == pytest.approx(1.0)
    assert layer.warnings == []


def test_concave_polygon_keeps_its_area_and_its_side(tmp_path: Path) -> None:
    # An arrow head, area 2 by the shoelace formula; a fan from its first corner would cover 4.
    text = "v 0 0 5\nv 2 -2 5\nv 0 2 5\nv -2 -2 5\nf 4 1 2 3\n"
    mesh, _ = load_mesh(write(tmp_path / "a.obj", text))
    assert area(mesh) == pytest.approx(4.0)
    corners = mesh.vertices[mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).all()


def test_concave_polygon_with_many_corners(tmp_path: Path) -> None:
    # A comb of 20 teeth standing upright; its area by the shoelace formula.
    ring = [(0.0, 0.0)] + [(i + 0.5 * (i % 2), 1.0 + i % 2) for i in range(41)] + [(41.0, 0.0)]
    x, y = np.array(ring).T
    expected = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    text = "".join(f"v {a} 7 {b}\n" for a, b in ring)
    text += "f " + " ".join(str(n + 1) for n in range(len(ring))) + "\n"
    mesh, _ = load_mesh(write(tmp_path / "a.obj", text))
    assert len(mesh.triangles) == len(ring) - 2
    assert area(mesh) == pytest.approx(expected)


def test_a_seam_doubles_vertices_only_where_it_runs(tmp_path: Path) -> None:
    text = SQUARE + "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvt .5 .25\n"
    mesh, layer = load_mesh(write(tmp_path / "a.obj", text + "f 1/1 2/2 3/3\nf 1/5 3/3 4/4\n"))
    assert layer.counts["vertices"] == 5
    assert mesh.uv is not None
    assert mesh.uv[mesh.triangles[0]].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert mesh.uv[mesh.triangles[1]].tolist() == [[0.5, 0.25], [1, 1], [0, 1]]
    assert mesh.vertices[mesh.triangles[1, 0]].tolist() == [0, 0, 0]


def test_vertex_colours_from_zero_to_one_and_to_255(tmp_path: Path) -> None:
    rows = ["v 0 0 0 1 0 0", "v 1 0 0 0 1 0", "v 0 1 0 0 0 0.5"]
    mesh, _ = load_mesh(write(tmp_path / "a.obj", "\n".join([*rows, "f 1 2 3\n"])))
    assert mesh.colors is not None
    assert mesh.colors.tolist() == [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 128, 255]]
    rows = ["v 0 0 0 200 0 0", "v 1 0 0", "v 0 1 0 0 0 100"]
    mesh, _ = load_mesh(write(tmp_path / "b.obj", "\n".join([*rows, "f 1 2 3\n"])))
    assert mesh.colors is not None
    assert mesh.colors.tolist() == [[200, 0, 0, 255], [255] * 4, [0, 0, 100, 255]]


def test_groups_are_elements_when_no_object_is_named(tmp_path: Path) -> None:
    text = SQUARE + "g 一号楼\nf 1 2 3\ng wall roof\nf 1 3 4\n"
    mesh, _ = load_mesh(write(tmp_path / "a.obj", text))
    assert [e.id for e in mesh.elements] == ["一号楼", "wall roof"]
    assert mesh.element_index is not None
    assert mesh.element_index.tolist() == [0, 1]


def test_faces_before_the_first_object_belong_to_none(tmp_path: Path) -> None:
    mesh, _ = load_mesh(write(tmp_path / "a.obj", SQUARE + "f 1 2 3\no tower\nf 1 3 4\n"))
    assert [e.id for e in mesh.elements] == ["tower"]
    assert mesh.element_index is not None
    assert mesh.element_index.tolist() == [-1, 0]


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_names_with_spaces_and_chinese(tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "三维 模型"
    picture(folder / "贴图 目录" / "墙 面.png")
    mtl = "newmtl 砖 墙\nKd 1 1 1\nmap_Kd -s 1 1 1 贴图 目录\\墙 面.png\n"
    write(folder / "材质 一.mtl", mtl.encode(encoding))
    text = f"mtllib 材质 一.mtl\n{SQUARE}usemtl 砖 墙\nf 1 2 3\n"
    mesh, layer = load_mesh(write(folder / "模型 甲.obj", text.encode(encoding)))
    assert layer.warnings == []
    assert layer.id == "模型 甲"
    assert mesh.materials[0].name == "砖 墙"
    texture = mesh.materials[0].texture
    assert texture is not None
    assert texture.path is not None
    assert texture.path.name == "墙 面.png"


def test_several_libraries_in_one_statement(tmp_path: Path) -> None:
    write(tmp_path / "a.mtl", "newmtl one\nKd 1 0 0\n")
    write(tmp_path / "b.mtl", "newmtl two\nKd 0 1 0\nd 0.25\n")
    text = f"mtllib a.mtl b.mtl\n{SQUARE}usemtl one\nf 1 2 3\nusemtl two\nf 1 3 4\n"
    mesh, _ = load_mesh(write(tmp_path / "m.obj", text))
    assert [m.color for m in mesh.materials] == [(1, 0, 0, 1), (0, 1, 0, 0.25)]
    assert mesh.material_index is not None
    assert mesh.material_index.tolist() == [0, 1]


def test_a_missing_texture_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "a.mtl", "newmtl m\nKd 1 1 1\nmap_Kd gone.jpg\n")
    text = f"mtllib a.mtl\n{SQUARE}usemtl m\nf 1 2 3\n"
    mesh, layer = load_mesh(write(tmp_path / "a.obj", text))
    assert mesh.materials[0].texture is None
    assert any("gone.jpg" in warning for warning in layer.warnings)


def test_a_missing_library_is_a_warning(tmp_path: Path) -> None:
    text = f"mtllib gone.mtl\n{SQUARE}usemtl m\nf 1 2 3\n"
    _, layer = load_mesh(write(tmp_path / "a.obj", text))
    assert any("gone.mtl" in warning for warning in layer.warnings)


@pytest.mark.parametrize("name", ["../secret.png", "{outside}", "..\\secret.png", "link.png"])
def test_textures_outside_of_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    outside = picture(tmp_path / "secret.png")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.png").symlink_to(outside)
    write(folder / "a.mtl", f"newmtl m\nmap_Kd {name.format(outside=outside)}\n")
    text = f"mtllib a.mtl\n{SQUARE}usemtl m\nf 1 2 3\n"
    mesh, layer = load_mesh(write(folder / "a.obj", text))
    assert mesh.materials[0].texture is None
    assert len(layer.warnings) == 1


def test_a_path_of_another_machine_finds_the_file_beside_the_model(tmp_path: Path) -> None:
    picture(tmp_path / "Wall.PNG")
    write(tmp_path / "a.mtl", "newmtl m\nmap_Kd D:\\work\\tex\\wall.png\n")
    text = f"mtllib C:\\work\\a.mtl\n{SQUARE}usemtl m\nf 1 2 3\n"
    mesh, layer = load_mesh(write(tmp_path / "a.obj", text))
    texture = mesh.materials[0].texture
    assert texture is not None
    assert texture.path == tmp_path / "Wall.PNG"
    assert layer.warnings == []


def test_a_texture_that_is_no_image_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "t.jpg", b"\xff\xd8 not at all")
    write(tmp_path / "a.mtl", "newmtl m\nmap_Kd t.jpg\n")
    text = f"mtllib a.mtl\n{SQUARE}usemtl m\nf 1 2 3\n"
    mesh, layer = load_mesh(write(tmp_path / "a.obj", text))
    assert mesh.materials[0].texture is None
    assert "not an image" in layer.warnings[0]


def test_faces_with_corners_that_are_not_there_are_counted(tmp_path: Path) -> None:
    text = SQUARE + "f 1 2 3\nf 1 2 99\nf 0 1 2\nf -9 1 2\nf 1 2\n"
    _, layer = load_mesh(write(tmp_path / "a.obj", text))
    assert layer.counts["triangles"] == 1
    assert layer.warnings == ["4 faces name corners that are not there; they were left out."]


def test_vertices_without_a_position_are_left_out(tmp_path: Path) -> None:
    text = SQUARE + "v nan 0 0\nv inf 0 0\nf 1 2 3\nf 1 2 5\nf 1 2 6\n"
    mesh, layer = load_mesh(write(tmp_path / "a.obj", text))
    assert layer.counts == {"vertices": 4, "triangles": 1}
    assert np.isfinite(mesh.vertices).all()
    assert len(layer.warnings) == 1


def test_options_scale_up_and_offset(tmp_path: Path) -> None:
    path = write(tmp_path / "a.obj", "v 0 0 0\nv 1000 0 0\nv 0 1000 0\nf 1 2 3\n")
    mesh, layer = load_mesh(path, {"scale": "0.001", "up": "y", "offset": "500000,4000000,10"})
    expected = [[500000, 4000000, 10], [500001, 4000000, 10], [500000, 4000000, 11]]
    assert mesh.vertices.tolist() == expected
    assert layer.source is not None
    assert layer.source.options == {"scale": 0.001, "up": "y", "offset": "500000,4000000,10"}


@pytest.mark.parametrize(
    "options",
    [{"scale": "0"}, {"scale": "x"}, {"offset": "1,2"}, {"offset": "a,b,c"}, {"up": "x"}, {"q": 1}],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, str]) -> None:
    path = write(tmp_path / "a.obj", SQUARE + "f 1 2 3\n")
    with pytest.raises(UsageError):
        load(path, options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PK\x03\x04\0\0\0", "not what its name says"),
        ("<html><body>404</body></html>\n", "not what its name says"),
        ("v 1 2 3\n", "no triangles"),
        ("v 1 2\nf 1 1 1\n", "fewer than three"),
        ("v 1 2 x3\nf 1 1 1\n", "“x3” is no number"),
        (SQUARE + "f 1 2 3.5\n", "“3.5” is no number"),
        (SQUARE + "f 1 2 9\n", "no triangles"),
    ],
)
def test_what_is_no_obj_is_refused_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load(write(tmp_path / "a.obj", text))
    assert "\n" not in str(caught.value)


def test_chunks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    points = rng.normal(size=(300, 3)).round(6)
    lines = []
    for n, (x, y, z) in enumerate(points.tolist()):
        lines.append(f"v {x} {y} {z}")
        lines.append(f"vt {n / 300} 0.5")
        if n % 10 == 0:
            lines.append(f"o part {n // 10}")
        if n >= 2:
            lines.append(f"f -3/-3 -2/-2 {n + 1}/-1")
    path = write(tmp_path / "a.obj", "\n".join(lines))
    whole, _ = load_mesh(path)
    monkeypatch.setattr(obj, "CHUNK", 97)
    pieces, layer = load_mesh(path)
    assert layer.counts == {"vertices": 300, "triangles": 298, "elements": 30}
    assert (pieces.vertices == points).all()
    assert (pieces.triangles == whole.triangles).all()
    assert (pieces.element_index == whole.element_index).all()
    assert pieces.triangles[17].tolist() == [17, 18, 19]


def test_reading_reports_and_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(obj, "CHUNK", 1000)
    path = write(tmp_path / "a.obj", SQUARE + "f 1 2 3\nf 1 3 4\n" * 2000)
    seen: list[float] = []
    feedback = Feedback(lambda fraction, text: seen.append(fraction))
    load(path, feedback=feedback)
    assert len(seen) > 20
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    stopped = Feedback(lambda fraction, text: stopped.cancel() if fraction > 0.3 else None)
    with pytest.raises(CancelledError):
        load(path, feedback=stopped)
