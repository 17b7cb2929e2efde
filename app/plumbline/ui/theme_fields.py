"""Fields of the layer panel for themes of attributes: classes of numbers, palette, tubes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtWidgets import QFormLayout, QSpinBox

from plumbline.api import N_, Layer, LayerStyle, MeshData, PointCloudData, VectorData, tr
from plumbline.core.classify import METHODS, MOST_CLASSES, class_breaks
from plumbline.core.data import FloatArray
from plumbline.render.legend import legend_rows
from plumbline.render.theme import RenderTheme
from plumbline.render.themes import as_numbers, element_values
from plumbline.ui_kit.fields import ColorButton, ComboBox, inset

#: Palettes that survive colour blindness and print, by their names in matplotlib.
PALETTES = {
    "viridis": N_("Green to violet"),
    "cividis": N_("Blue to yellow"),
    "YlOrRd": N_("Yellow to red"),
    "YlGnBu": N_("Yellow to blue"),
    "Greys": N_("Greys"),
    "RdYlBu": N_("Red to blue, two-sided"),
}
CLASSES = 5
Change = Callable[..., None]


def add_theme(
    form: QFormLayout, style: LayerStyle, numbers: FloatArray | None, change: Change
) -> None:
    """Add the fields that say how the numbers of the style's attribute become colours.

    Parameters
    ----------
    numbers : (N,) float64, optional
        Of the attribute; what is none has no classes.
    change : callable
        Sets fields of the style by name.
    """
    if numbers is None or style.color_by != "attribute":
        return
    now = method_of(numbers, style.breaks)
    count = len(style.breaks) + 1 if style.breaks else CLASSES
    methods = ComboBox()
    methods.addItem(tr("Continuous"), "")
    for key, text in METHODS.items():
        methods.addItem(tr(text), key)
    if now is None:
        methods.addItem(tr("As given"), None)
    methods.setCurrentIndex(methods.findData(now))
    classes = QSpinBox()
    inset(classes)
    classes.setRange(2, MOST_CLASSES)
    classes.setKeyboardTracking(False)
    classes.setValue(count)
    classes.setEnabled(bool(now))
    palette = ComboBox()
    for key, text in PALETTES.items():
        palette.addItem(tr(text), key)
    palette.setCurrentIndex(palette.findData(style.palette))

    def classify() -> None:
        method = methods.currentData()
        if method is not None:
            breaks = class_breaks(numbers, method, classes.value()) if method else ()
            change(breaks=breaks, class_colors={})

    methods.currentIndexChanged.connect(lambda _n: classify())
    classes.valueChanged.connect(lambda _value: classify())
    palette.currentIndexChanged.connect(lambda _n: change(palette=palette.currentData()))
    form.addRow(tr("Classes"), methods)
    form.addRow(tr("How many"), classes)
    form.addRow(tr("Palette"), palette)


def add_class_colors(
    form: QFormLayout, layer: Layer, style: LayerStyle, change: Change, theme: RenderTheme
) -> None:
    """Add a colour to click on for each class of the legend."""
    rows = [row for row in legend_rows(layer, style, theme) if row.key]
    # Unnamed categories share out a cycle of colours: naming one alone would change the others.
    cycled = not style.breaks and not isinstance(layer.data, PointCloudData)
    held = {row.key: row.color for row in rows} if cycled else {}

    def take(key: str, color: str) -> None:
        change(class_colors={**held, **style.class_colors, key: color})

    for row in rows:
        swatch = ColorButton(row.color)
        swatch.setToolTip(tr("Colour of {name}", name=row.text))
        swatch.color_changed.connect(lambda color, key=row.key: take(key, color))
        form.addRow(row.text, swatch)


def numbers_of(data: VectorData | MeshData, column: str) -> FloatArray | None:
    """Return an attribute of features or elements as numbers, None where it holds others."""
    if isinstance(data, MeshData):
        return as_numbers(element_values(data, column))
    frame = data.features
    if column not in frame.columns or frame[column].dtype.kind not in "iuf":
        return None
    return frame[column].to_numpy(dtype=np.float64)


def method_of(numbers: FloatArray, breaks: tuple[float, ...]) -> str | None:
    """Return how breaks came about: "" for none, None where no method gives them."""
    if not breaks:
        return ""
    for method in METHODS:
        for count in dict.fromkeys((len(breaks) + 1, *range(2, MOST_CLASSES + 1))):
            if method != "round" and count != len(breaks) + 1:
                continue
            if class_breaks(numbers, method, count) == breaks:
                return method
    return None


def add_elements(form: QFormLayout, style: LayerStyle, data: MeshData, change: Change) -> None:
    """Add the fields that colour the elements of a model by an attribute of theirs."""
    groups = (group for element in data.elements for group in element.properties.values())
    names = list(dict.fromkeys(name for group in groups for name in group))
    if not names:
        return
    attribute = ComboBox()
    attribute.set_choices([("", tr("None")), *((name, name) for name in names)])
    by = style.attribute if style.color_by == "attribute" else ""
    attribute.setCurrentIndex(max(0, attribute.findData(by)))

    def take() -> None:
        name = attribute.currentData()
        mode = "attribute" if name else "auto"
        change(attribute=name, color_by=mode, breaks=(), class_colors={})

    attribute.currentIndexChanged.connect(lambda _n: take())
    form.addRow(tr("Attribute"), attribute)
    if by:
        add_theme(form, style, numbers_of(data, by), change)


def add_tubes(form: QFormLayout, style: LayerStyle, data: VectorData, change: Change) -> None:
    """Add the fields that make tubes of lines."""
    frame = data.features
    columns = [str(c) for c in frame.columns if frame[c].dtype.kind in "iuf"]
    none: list[tuple[Any, str]] = [("", tr("None"))]
    tube, unit, depth = ComboBox(), ComboBox(), ComboBox()
    fields: list[tuple[str, ComboBox, list[tuple[Any, str]], str, Any]] = [
        (N_("Tubes from"), tube, none + [(c, c) for c in columns], "tube", style.tube),
        (N_("Diameter in"), unit, [(1.0, "m"), (0.01, "cm"), (0.001, "mm")], "tube_unit",
         style.tube_unit),
    ]  # fmt: skip
    if not data.has_z:
        choices = none + [(c, c) for c in columns]
        fields.append((N_("Depth from"), depth, choices, "depth", style.depth))
    for title, box, choices, name, value in fields:
        for key, text in choices:
            box.addItem(text, key)
        box.setCurrentIndex(max(0, box.findData(value)))
        box.setEnabled(name == "tube" or bool(style.tube))
        box.currentIndexChanged.connect(
            lambda _n, name=name, box=box: change(**{name: box.currentData()})
        )
        form.addRow(tr(title), box)
