"""The list of system libraries in set-up is the one that the installed wheels really need.

Read from the dynamic section of each shared object, so that an update of Qt or VTK that needs one
more library fails here and not on somebody's fresh machine.
"""

from __future__ import annotations

import importlib.util
import re
import struct
import sys
from pathlib import Path

import pytest

from firstrun import system

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="shared objects of Linux"
)

# In every installation of Linux that runs Python at all.
ALWAYS_THERE = re.compile(
    r"(ld-linux.*|lib(c|m|dl|rt|util|pthread|gcc_s|stdc\+\+|resolv))\.so(\.\d+)?"
)
# What Plumbline loads of Qt: the widgets, the xcb platform and how OpenGL comes to it.
QT_PARTS = (
    "Qt/lib/libQt6Core.so.6",
    "Qt/lib/libQt6Gui.so.6",
    "Qt/lib/libQt6Widgets.so.6",
    "Qt/lib/libQt6OpenGL.so.6",
    "Qt/lib/libQt6OpenGLWidgets.so.6",
    "Qt/lib/libQt6Svg.so.6",
    "Qt/lib/libQt6Network.so.6",
    "Qt/lib/libQt6DBus.so.6",
    "Qt/lib/libQt6XcbQpa.so.6",
    "Qt/plugins/platforms/libqxcb.so",
    "Qt/plugins/platforms/libqoffscreen.so",
    "Qt/plugins/xcbglintegrations/libqxcb-glx-integration.so",
    "Qt/plugins/xcbglintegrations/libqxcb-egl-integration.so",
    "Qt/plugins/platforminputcontexts/libibusplatforminputcontextplugin.so",
)


def package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def needed(file: Path) -> set[str]:
    """Return the DT_NEEDED entries of a 64-bit little-endian ELF file."""
    data = file.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return set()
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    found = set()
    for _, kind, _, _, offset, length, link, *_ in sections:
        if kind == 6:  # SHT_DYNAMIC; `link` is its string table
            strings = sections[link][4]
            for tag, value in struct.iter_unpack("<QQ", data[offset : offset + length]):
                if tag == 1:  # DT_NEEDED
                    start = strings + value
                    found.add(data[start : data.index(b"\0", start)].decode())
    return found


def from_the_system(files: list[Path], shipped: list[Path]) -> set[str]:
    """Return what the files need and neither brings along nor finds everywhere."""
    own = {file.name for folder in shipped for file in folder.rglob("*.so*")}
    every = {library for file in files for library in needed(file)}
    return {name for name in every - own if not ALWAYS_THERE.fullmatch(name)}


def test_the_reader_of_shared_objects() -> None:
    assert "libQt6Gui.so.6" in needed(package("PySide6") / "Qt/lib/libQt6Widgets.so.6")


def test_qt_needs_what_the_list_has() -> None:
    qt = package("PySide6")
    found = from_the_system([qt / part for part in QT_PARTS], [qt])
    assert "libxcb-cursor.so.0" in found
    assert found - system.WINDOW.keys() <= {"libbrotlidec.so.1", "libbrotlicommon.so.1"}


def test_vtk_needs_what_the_list_has() -> None:
    vtk = package("vtkmodules")
    found = from_the_system([*vtk.glob("*.so*")], [vtk, vtk.parent / "vtk.libs"])
    assert found <= system.RENDER.keys()


def test_the_list_is_there_on_this_machine() -> None:
    assert system.missing_libraries(system.WINDOW) == {}
