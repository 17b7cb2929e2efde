"""Icons: drawn in one style, safe to load, and not empty at the sizes they are used in."""

from __future__ import annotations

import re

import numpy as np
import pytest
from defusedxml import ElementTree
from PySide6.QtCore import QSize
from PySide6.QtGui import QAction, QColor, QIcon, QImage, QPixmap
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from plumbline.core.layer import LayerKind
from plumbline.core.resources import resource
from plumbline.ui_kit.icons import app_icon, icon, icon_names, pixmap, set_icon
from plumbline.ui_kit.theme import apply_theme, load_theme, recoloured_icon

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {"path", "circle", "rect"}
ATTRIBUTES = {
    "d", "cx", "cy", "r", "x", "y", "width", "height", "rx", "fill", "fill-opacity", "stroke",
    "stroke-width", "stroke-opacity", "stroke-dasharray",
}  # fmt: skip


def pixels(picture: QPixmap) -> np.ndarray:
    """Return the pixels as rows of blue, green, red, alpha (0 to 255)."""
    image = picture.toImage().convertToFormat(QImage.Format.Format_ARGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(-1, 4).astype(int)


def ink(picture: QPixmap) -> int:
    """Count the pixels that are not nearly transparent."""
    return int((pixels(picture)[:, 3] > 40).sum())


def test_drawings() -> None:
    names = icon_names()
    assert len(names) > 100
    for name in names:
        check_drawing(name)


def check_drawing(name: str) -> None:
    root = ElementTree.parse(resource("icons", f"{name}.svg")).getroot()
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox") == "0 0 20 20"
    assert root.get("stroke") == "currentColor"
    assert root.get("stroke-width") == "1.5"
    assert (root.get("stroke-linecap"), root.get("stroke-linejoin")) == ("round", "round")
    assert len(root) > 0
    for shape in root:
        assert shape.tag.removeprefix(SVG) in SHAPES
        assert set(shape.attrib) <= ATTRIBUTES
        assert len(shape) == 0
        for paint in ("fill", "stroke"):
            assert shape.get(paint, "none") in ("none", "currentColor")


@pytest.mark.parametrize("size", [16, 20, 32])
def test_not_empty_and_not_full(themed: QApplication, size: int) -> None:
    for name in icon_names():
        picture = icon(name).pixmap(QSize(size, size), 1.0)
        assert picture.size() == QSize(size, size), name
        # A dash at 16 px is the least; a filled frame is the most.
        assert size * 0.5 <= ink(picture) <= size * size * 0.7, name


def test_sharp_on_a_dense_screen(themed: QApplication) -> None:
    picture = pixmap("save", 20, ratio=1.5)
    assert picture.size() == QSize(30, 30)
    assert picture.devicePixelRatio() == 1.5


def test_every_kind_of_layer_has_an_icon() -> None:
    assert {f"layer-{kind}" for kind in LayerKind} <= set(icon_names())


def test_named_icons_exist() -> None:
    """Every icon that the code names by a literal is drawn."""
    root = resource().parent / "app" / "plumbline"
    named = set()
    for file in [*root.glob("ui_kit/*.py"), *root.glob("ui/**/*.py")]:
        text = file.read_text(encoding="utf-8")
        named |= set(re.findall(r"\bicon=\"([a-z0-9-]+)\"", text))
        named |= set(re.findall(r"\btool_button\(\s*\"([a-z0-9-]+)\"", text))
        named |= set(re.findall(r"\b(?:icon|pixmap)\(\s*\"([a-z0-9-]+)\"", text))
        named |= set(re.findall(r"\bset_icon\(\s*[\w.]+, \"([a-z0-9-]+)\"", text))
    assert len(named) > 10
    assert named - set(icon_names()) == set()


def test_unknown_icon_and_role(themed: QApplication) -> None:
    with pytest.raises(KeyError):
        icon("no-such-icon")
    with pytest.raises(KeyError):
        icon("../themes/light")
    with pytest.raises(KeyError):
        icon("save", role="paper")


def strongest(picture: QPixmap) -> QColor:
    """Return the colour of the most opaque pixel."""
    found = pixels(picture)
    blue, green, red, alpha = found[found[:, 3].argmax()]
    return QColor(red, green, blue, alpha)


def drawn(
    source: QIcon, mode: QIcon.Mode = QIcon.Mode.Normal, state: QIcon.State = QIcon.State.Off
) -> QColor:
    return strongest(source.pixmap(QSize(40, 40), 1.0, mode, state))


def near(one: QColor, other: str) -> bool:
    wanted = QColor(other)
    parts = ("red", "green", "blue")
    return all(abs(getattr(one, p)() - getattr(wanted, p)()) <= 3 for p in parts)


def test_icons_follow_the_theme(themed: QApplication, qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    button, menu, label = QToolButton(window), QMenu(window), QLabel(window)
    action = menu.addAction("x")
    set_icon(button, "save")
    set_icon(action, "trash", role="bad")
    set_icon(label, "info", size=32)
    assert near(drawn(button.icon()), load_theme("light").text)
    apply_theme(themed, "dark")
    dark = load_theme("dark")
    assert near(drawn(button.icon()), dark.text)
    assert near(drawn(button.icon(), QIcon.Mode.Disabled), dark.disabled)
    assert near(drawn(action.icon()), dark.bad)
    assert near(strongest(label.pixmap()), dark.text)


def test_checked_button_shows_the_accent(themed: QApplication) -> None:
    assert near(drawn(icon("measure"), state=QIcon.State.On), load_theme("light").link)


def test_actions_without_a_window_are_left_alone(themed: QApplication) -> None:
    action = QAction("x")
    set_icon(action, "save")
    apply_theme(themed, "dark")
    assert not action.icon().isNull()


def test_cache_is_written_again_when_damaged(themed: QApplication) -> None:
    path = recoloured_icon("save", "#123456")
    assert path.read_text(encoding="utf-8").count("#123456") == 1
    path.write_text("<svg", encoding="utf-8")
    from plumbline.ui_kit import theme

    theme._recoloured_icon.cache_clear()
    assert recoloured_icon("save", "#123456") == path
    assert path.read_text(encoding="utf-8").count("#123456") == 1


def test_app_icon(themed: QApplication) -> None:
    assert ink(app_icon().pixmap(QSize(64, 64), 1.0)) > 2000
    source = resource("icons", "app.svg").read_text(encoding="utf-8")
    assert "http" not in source.replace("http://www.w3.org/2000/svg", "")
