"""Themes: same tokens, readable, apart for colour-blind eyes, and a style sheet without holes."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from plumbline.core.resources import resource
from plumbline.ui_kit import theme as themes
from plumbline.ui_kit.theme import Theme, apply_theme, current_theme, load_theme, style_sheet

NAMES = ("light", "dark")

# Machado, Oliveira, Fernandes 2009: full protan-, deuter- and tritanopia, linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(color: str) -> np.ndarray:
    share = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(color: str, vision: str) -> np.ndarray:
    seen = np.clip(np.array(VISION[vision]) @ linear(color), 0, 1)
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(matrix) @ seen / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_formula() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_same_tokens() -> None:
    light, dark = (
        json.loads(resource("themes", f"{name}.json").read_text(encoding="utf-8")) for name in NAMES
    )
    assert list(light) == list(dark)
    assert list(light["analysis"]) == list(dark["analysis"])
    assert (light["dark"], dark["dark"]) == (False, True)
    # A colour of an analysis means the same in both.
    assert light["analysis"] == dark["analysis"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("front", "grounds", "least"),
    [
        ("text", "surface raised sunken hover pressed selected info_soft bad_soft", 4.5),
        ("muted", "surface raised sunken hover", 4.5),
        ("link", "surface raised info_soft selected", 4.5),
        ("good", "surface raised good_soft", 4.5),
        ("warn", "surface raised warn_soft", 4.5),
        ("bad", "surface raised bad_soft", 4.5),
        ("accent_text", "accent accent_hover accent_pressed", 4.5),
        ("bad_text", "bad bad_hover bad_pressed", 4.5),
        ("selected_text", "selected", 4.5),
        ("tooltip_text", "tooltip", 4.5),
        ("focus", "surface raised", 3.0),
    ],
)
def test_contrast(name: str, front: str, grounds: str, least: float) -> None:
    theme = load_theme(name)
    for ground in grounds.split():
        ratio = contrast(theme.token(front), theme.token(ground))
        assert ratio >= least, f"{name}: {front} on {ground} is {ratio:.2f}"


@pytest.mark.parametrize("vision", VISION)
def test_categories_stay_apart(vision: str) -> None:
    colors = load_theme("light").categorical
    assert len(colors) == 10
    for one, other in combinations(colors, 2):
        distance = np.linalg.norm(lab(one, vision) - lab(other, vision))
        assert distance > 15, f"{one} and {other}: {distance:.1f}"


@pytest.mark.parametrize("vision", VISION)
def test_analysis_pairs_stay_apart(vision: str) -> None:
    colors = load_theme("light").analysis
    for group in ("visible hidden", "lit shade", "cut fill", "new gone changed"):
        for one, other in combinations(group.split(), 2):
            pair = lab(getattr(colors, one), vision), lab(getattr(colors, other), vision)
            assert np.linalg.norm(pair[0] - pair[1]) > 25, f"{one} and {other}"


def test_sequence_darkens_evenly_even_in_grey() -> None:
    lightness = [lab(color, "normal")[0] for color in load_theme("light").sequential]
    steps = -np.diff(lightness)
    assert steps.min() > 4
    assert lightness[0] > 90
    assert lightness[-1] < 30


@pytest.mark.parametrize("name", NAMES)
def test_style_sheet_has_no_holes(themed: QApplication, name: str) -> None:
    sheet = style_sheet(load_theme(name))
    assert not re.search(r"\{[a-z_:-]+\}", sheet)
    assert sheet.count("{") == sheet.count("}")
    urls = re.findall(r'url\("([^"]+)"\)', sheet)
    assert len(urls) > 15
    for url in urls:
        assert "currentColor" not in Path(url).read_text(encoding="utf-8")


def test_no_colour_outside_of_the_tokens() -> None:
    template = resource("themes", "app.qss").read_text(encoding="utf-8")
    assert re.findall(r"#[0-9A-Fa-f]{3,8}\b", template) == []


def test_unknown_token() -> None:
    for name in ("paper", "name", "categorical", "token"):
        with pytest.raises(KeyError):
            load_theme("light").token(name)


def test_rejects_a_theme_with_a_bad_colour() -> None:
    data = json.loads(resource("themes", "light.json").read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="surface"):
        Theme.model_validate(data | {"surface": "red; }"})
    with pytest.raises(ValueError, match="glow"):
        Theme.model_validate(data | {"glow": "#FFFFFF"})


def test_apply_reaches_widgets_and_tells(themed: QApplication, qtbot: QtBot) -> None:
    label = QLabel("x")
    button = QPushButton("x")
    button.setProperty("kind", "primary")
    qtbot.addWidget(label)
    qtbot.addWidget(button)
    told: list[str] = []

    def listen(theme: Theme) -> None:
        told.append(theme.name)

    themes.theme_changed.connect(listen)
    try:
        for name in ("dark", "light"):
            apply_theme(themed, name)  # type: ignore[arg-type]
            label.ensurePolished()
            button.ensurePolished()
            assert current_theme().name == name
            text = label.palette().color(label.foregroundRole()).name().upper()
            assert text == load_theme(name).text
            middle = button.grab().toImage().pixelColor(3, button.height() // 2)
            assert middle.name().upper() == load_theme(name).accent
    finally:
        themes.theme_changed.disconnect(listen)
    assert told == ["dark", "light"]


def test_system_mode_is_one_of_the_two(themed: QApplication) -> None:
    assert apply_theme(themed, "system").name in NAMES
    assert themes.current_mode() == "system"
