"""Trees of tiles in archives and on the local network: the same tiles, and no way out."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import trimesh
from tests.io.gltf_files import Glb

from plumbline.core.data import MeshData
from plumbline.core.errors import InputError, UsageError
from plumbline.core.layer import Layer
from plumbline.core.tiles import Tile, TilesData
from plumbline.io import load, stores
from plumbline.io.info import describe
from plumbline.io.stores import FolderStore, HttpStore, ZipStore

HALF = {"box": [0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 5]}


def box_glb() -> bytes:
    raw = trimesh.Scene(trimesh.creation.box()).export(file_type="glb")
    assert isinstance(raw, bytes)
    return raw


def files_of_a_set() -> dict[str, bytes]:
    """Return an external tileset, a box in a folder, and a square with its buffer outside."""
    glb = Glb()
    primitive = glb.square()
    square = glb.bytes([primitive], buffers=[{"byteLength": len(glb.binary), "uri": "b.bin"}])
    inner = {"asset": {"version": "1.1"}, "geometricError": 1, "root": {
        "boundingVolume": HALF, "geometricError": 1, "children": [
            {"boundingVolume": HALF, "geometricError": 0, "content": {"uri": "a%20b.glb"}},
            {"boundingVolume": HALF, "geometricError": 0, "content": {"uri": "../data/s.glb"}},
        ]}}  # fmt: skip
    root = {"boundingVolume": HALF, "geometricError": 9, "content": {"uri": "in/tileset.json"}}
    outer = {"asset": {"version": "1.1"}, "geometricError": 9, "root": root}
    return {
        "tileset.json": json.dumps(outer).encode(),
        "in/tileset.json": gzip.compress(json.dumps(inner).encode()),
        "in/a b.glb": gzip.compress(box_glb()),
        "data/s.glb": square,
        "data/b.bin": glb.binary,
    }


def to_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder


def to_zip(path: Path, files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return path


def triangles(layer: Layer) -> int:
    assert isinstance(layer.data, TilesData)
    return len(layer.data.mesh().mesh.triangles)


# -- archives --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["set.3tz", "set.zip"])
def test_an_archive_is_read_like_its_folder(tmp_path: Path, name: str) -> None:
    files = files_of_a_set()
    (plain,) = load(to_folder(tmp_path / "set", files))
    (packed,) = load(to_zip(tmp_path / name, files))
    assert plain.warnings == packed.warnings == []
    assert triangles(plain) == triangles(packed) == 12 + 2
    assert plain.counts == packed.counts == {"tiles": 2}
    assert packed.source is not None
    assert packed.source.sha256 != ""
    ids = [
        [e.id for e in layer.data.mesh().mesh.elements]
        for layer in (plain, packed)
        if isinstance(layer.data, TilesData)
    ]
    assert ids[0] == ids[1]
    assert ids[0][0].startswith(("in/a b.glb#", "data/s.glb#"))


def test_a_bomb_in_an_archive_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "SMALL", 10_000)
    files = files_of_a_set() | {"data/b.bin": bytes(20_000_000)}
    (layer,) = load(to_zip(tmp_path / "set.3tz", files))
    assert triangles(layer) == 12
    assert any("s.glb" in note for note in layer.data.source.notes)  # type: ignore[union-attr]
    store = ZipStore(tmp_path / "set.3tz")
    with pytest.raises(ValueError, match="far more"):
        store.read("data/b.bin")


def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path: Path) -> None:
    path = to_zip(tmp_path / "set.3tz", {"tileset.json": bytes(30_000_000)})
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 100)  # the size that the directory states
    path.write_bytes(raw)
    with pytest.raises(InputError):
        load(path)


def test_gzip_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from plumbline.io import tiles3d_content

    monkeypatch.setattr(tiles3d_content, "MAX_BYTES", 1_000_000)
    files = files_of_a_set() | {"in/a b.glb": gzip.compress(bytes(50_000_000))}
    (layer,) = load(to_folder(tmp_path / "set", files))
    assert triangles(layer) == 2
    assert isinstance(layer.data, TilesData)
    assert any("unpacks" in note for note in layer.data.source.notes)


@pytest.mark.parametrize(
    "files",
    [{}, {"readme.txt": b"x"}, {"tileset.json": b"{"}, {"tileset.json": b'{"root": 5}'},
     {"../tileset.json": b"{}"}, {"a/tileset.json": b'{"asset": [], "root": {}}'}],
)  # fmt: skip
def test_archives_without_a_tree_are_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(InputError):
        load(to_zip(tmp_path / "set.3tz", files))


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = to_zip(tmp_path / "set.3tz", files_of_a_set())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError):
        load(path)


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    ["../a", "a/../../b", "/etc/passwd", "\\\\host\\share", "C:\\a", "file:///etc/passwd",
     "http://example.org/a", "..%2F..%2Fa", "", "%00", "in/..\\..\\..\\a"],
)  # fmt: skip
def test_no_name_leads_out(tmp_path: Path, uri: str) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(ValueError, match="not in the folder"):
        store.resolve("", uri)


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "set").mkdir()
    try:
        (tmp_path / "set/a").symlink_to(tmp_path / "secret")
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(ValueError, match="not in the folder"):
        FolderStore(tmp_path / "set").read("a")


# -- the local network -----------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Serves files, and misbehaves where a test asks for it."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    other = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(self.path)
        if path.startswith("/moved/"):
            self._moved(path.replace("/moved/", "/set/"))
        elif path == "/set/away.glb":
            self._moved(f"http://{self.other}/set/tileset.json")
        elif path == "/set/up.glb":
            self._moved("/secret/tileset.json")
        elif path == "/set/circle.glb":
            self._moved("/set/circle.glb")
        elif path == "/set/endless.glb":
            self._endless()
        elif path == "/set/short.glb":
            self._answer(b"x" * 10, 1000)
        elif path == "/set/huge.glb":
            self._answer(b"x", 1 << 40)
        else:
            name = path.removeprefix("/set/").replace("%20", " ")
            raw = self.files.get(name) if path.startswith("/set/") else b"secret"
            if raw is None:
                self.send_error(404)
            else:
                self._answer(raw, len(raw))

    def _answer(self, raw: bytes, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(raw)

    def _moved(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.end_headers()

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Handler.files, Handler.other = files_of_a_set(), "localhost:1"
    Handler.asked.clear()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_is_read_like_a_folder_and_kept_as_a_shortcut(host: str, tmp_path: Path) -> None:
    (layer,) = load(f"{host}/set/tileset.json?key=1", tiles=(tmp_path / "p.tiles",))
    assert triangles(layer) == 12 + 2
    assert layer.warnings == []
    assert all(path.endswith("?key=1") for path in Handler.asked)
    assert layer.source is not None
    assert layer.source.path.parent == tmp_path / "p.tiles"
    assert layer.source.path.suffix == ".url"
    # The shortcut is a file like any other.
    (again,) = load(layer.source.path)
    assert triangles(again) == 14
    (entry,) = describe(f"{host}/set/tileset.json", tiles=(tmp_path,))
    assert entry["counts"] == {"tiles": 2}


def test_redirects_stay_on_the_host_and_below_the_folder(host: str) -> None:
    store = HttpStore(f"{host}/set/tileset.json")
    for name, words in [("away.glb", "another place"), ("up.glb", "another place"),
                        ("circle.glb", "from one place"), ("gone.glb", "404")]:  # fmt: skip
        with pytest.raises(OSError, match=words):
            store.read(name)
    assert "/secret/tileset.json" not in Handler.asked
    assert HttpStore(f"{host}/set/tileset.json").read("data/b.bin") == Handler.files["data/b.bin"]
    with pytest.raises(OSError, match="another place"):
        # Beside the folder is outside of it, even on the same host.
        HttpStore(f"{host}/moved/tileset.json").read("tileset.json")


def test_endless_short_and_huge_answers_end(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "DEADLINE", 0.3)
    store = HttpStore(f"{host}/set/tileset.json")
    with pytest.raises(OSError, match="too long"):
        store.read("endless.glb")
    with pytest.raises(OSError, match=r"cut off|something else"):
        store.read("short.glb")
    with pytest.raises(ValueError, match="1 GiB"):
        store.read("huge.glb")


def test_a_silent_host_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = HttpStore(f"http://127.0.0.1:{silent.getsockname()[1]}/tileset.json")
        with pytest.raises(OSError, match="timed out"):
            store.read("tileset.json")


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/tileset.json", "https://[2001:4860:4860::8888]/tileset.json",
            "http://0.0.0.0/tileset.json", "http://", "http://224.0.0.1/a/tileset.json"],
)  # fmt: skip
def test_hosts_on_the_internet_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load(url, tiles=(tmp_path,))


@pytest.mark.parametrize("text", ["", "[InternetShortcut]", "URL=file:///etc/passwd", "\0" * 100])
def test_shortcuts_to_nowhere_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.url"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        load(path)


def test_an_address_needs_a_place_for_its_shortcut() -> None:
    with pytest.raises(UsageError):
        load("http://127.0.0.1/tileset.json")


# -- hostile trees ---------------------------------------------------------------------------------


def all_tiles(data: TilesData, tile: Tile | None = None) -> list[Tile]:
    below = data.source.roots() if tile is None else data.source.children(tile)
    return [t for one in below for t in (one, *all_tiles(data, one))]


def tileset(folder: Path, root: dict[str, Any], **sets: dict[str, Any]) -> TilesData:
    files = {"a.glb": box_glb(), "tileset.json": json.dumps({"root": root}).encode()}
    files |= {f"{name}.json": json.dumps({"root": body}).encode() for name, body in sets.items()}
    (layer,) = load(to_folder(folder, files))
    assert isinstance(layer.data, TilesData)
    return layer.data


def leaf(**more: Any) -> dict[str, Any]:
    return {"boundingVolume": HALF, "geometricError": 0, "content": {"uri": "a.glb"}, **more}


def outer(uri: str, error: float = 5) -> dict[str, Any]:
    return {"boundingVolume": HALF, "geometricError": error, "content": {"uri": uri}}


def test_tilesets_in_a_circle_end(tmp_path: Path) -> None:
    root = {"boundingVolume": HALF, "geometricError": 9, "children": [outer("one.json"), leaf()]}
    data = tileset(tmp_path, root, one=outer("two.json"), two=outer("./one.json"))
    assert len(data.mesh().mesh.triangles) == 12
    assert any("refers to itself" in note for note in data.source.notes)


def test_a_tree_that_names_itself_over_and_over_is_cut(tmp_path: Path) -> None:
    """Two sets that each name the other twice would be 2 to the power of their depth."""
    twice = {"boundingVolume": HALF, "geometricError": 5,
             "children": [outer("one.json"), outer("one.json")]}  # fmt: skip
    data = tileset(tmp_path, twice, one={**twice, "children": [leaf(), outer("tileset.json")]})
    assert len([t for t in all_tiles(data) if t.has_content]) == 2


def test_negative_and_rising_errors_end(tmp_path: Path) -> None:
    body = leaf()
    for error in (-1, 1e300, float("nan"), 7, 3):
        body = {"boundingVolume": HALF, "geometricError": error, "content": {"uri": "a.glb"},
                "children": [body]}  # fmt: skip
    data = tileset(tmp_path, body)
    found = all_tiles(data)
    assert len(found) == 6
    assert all(0 <= tile.error < 1e9 for tile in found)
    assert len(data.mesh().mesh.triangles) == 12


def test_absurd_bounds_of_a_branch_leave_the_others(tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"box": [0] * 11}, {"box": [1e200] * 12}, {"sphere": [0, 0, 0, float("inf")]},
        {"sphere": [0, 0]}, {"region": [0, 1]}, {"region": ["a"] * 6}, {}, {"box": None},
    ]  # fmt: skip
    for n, volume in enumerate(wrong):
        root = {"boundingVolume": HALF, "geometricError": 9,
                "children": [{**leaf(), "boundingVolume": volume}, leaf()]}  # fmt: skip
        data = tileset(tmp_path / str(n), root)
        assert len(data.mesh().mesh.triangles) == 12, volume
        assert data.source.notes, volume


def test_nesting_without_end_is_cut(tmp_path: Path) -> None:
    body = leaf()
    for _ in range(400):
        body = {"boundingVolume": HALF, "geometricError": 1, "children": [body]}
    data = tileset(tmp_path, {"boundingVolume": HALF, "geometricError": 1,
                              "children": [body, leaf()]})  # fmt: skip
    assert len(data.mesh().mesh.triangles) == 12
    assert any("nested too deep" in note for note in data.source.notes)


def test_children_that_are_no_tiles_are_left_out(tmp_path: Path) -> None:
    for n, wrong in enumerate([5, "x", None, [], {"boundingVolume": 3}, {"content": 4}]):
        root = {"boundingVolume": HALF, "geometricError": 9, "children": [leaf(), wrong]}
        data = tileset(tmp_path / str(n), root)
        assert len(data.mesh().mesh.triangles) == 12, wrong


def test_metadata_of_tiles_and_groups_are_attributes(tmp_path: Path) -> None:
    document = {
        "asset": {"version": "1.1"},
        "schema": {"classes": {"t": {"properties": {"flown": {"type": "STRING"}}}}},
        "groups": [{"class": "t", "properties": {"district": "南山"}}],
        "root": leaf(content={"uri": "a.glb", "group": 0, "metadata": {
            "class": "t", "properties": {"flown": "2026-05-01"}}},
            metadata={"class": "t", "properties": {"level": 3}}),
    }  # fmt: skip
    files = {
        "a.glb": box_glb(),
        "tileset.json": json.dumps(document | {"geometricError": 1}).encode(),
    }
    (layer,) = load(to_folder(tmp_path, files))
    assert isinstance(layer.data, TilesData)
    content = layer.data.source.content(layer.data.source.roots()[0])
    assert isinstance(content, MeshData)
    assert content.elements[0].properties["Tile"] == {
        "district": "南山", "level": 3, "flown": "2026-05-01",
    }  # fmt: skip
    assert np.ptp(content.vertices, axis=0) == pytest.approx([1, 1, 1])
