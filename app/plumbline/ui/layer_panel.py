"""Style and information of one layer, on the right side of the window."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from plumbline.api import (
    N_,
    GridData,
    Layer,
    LayerKind,
    MeshData,
    RasterData,
    Scene,
    VectorData,
    tr,
)
from plumbline.core.data import PointCloudData
from plumbline.core.decisions import KEYS, decisions
from plumbline.core.units import group_digits
from plumbline.services.project import accept_source
from plumbline.services.project.content import CHANGED_FROM
from plumbline.ui.attributes import value_text
from plumbline.ui.render_theme import render_theme
from plumbline.ui.theme_fields import (
    add_class_colors,
    add_elements,
    add_theme,
    add_tubes,
    numbers_of,
)
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.fields import ComboBox, inset
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Panel, Section
from plumbline.ui_kit.theme import current_theme

COLOR_BY = {
    "auto": N_("Automatic"),
    "solid": N_("One colour"),
    "texture": N_("Texture"),
    "material": N_("Material"),
    "class": N_("Class"),
    "storey": N_("Storey"),
    "rgb": N_("RGB"),
    "elevation": N_("Elevation"),
    "intensity": N_("Intensity"),
    "attribute": N_("Attribute"),
    "scalar": N_("Computed value"),
}
COUNTS = {
    "points": N_("Points"),
    "vertices": N_("Vertices"),
    "triangles": N_("Triangles"),
    "features": N_("Features"),
    "elements": N_("Elements"),
    "products": N_("Products"),
    "elements_with_geometry": N_("Elements with geometry"),
    "products_with_geometry": N_("Products with geometry"),
    "storeys": N_("Storeys"),
    "spaces": N_("Spaces"),
    "cells": N_("Cells"),
    "bands": N_("Bands"),
    "buildings": N_("Buildings"),
    "tiles": N_("Tiles"),
}
METADATA = {
    "format": N_("Format"),
    "fields": N_("Fields"),
    "encoding": N_("Encoding"),
    "encoding_source": N_("Encoding from"),
    "crs_source": N_("CRS from"),
    "geometry": N_("Geometry"),
    "geometry_types": N_("Geometry"),
    "units": N_("Units"),
    "classes": N_("Classes"),
    "reprojected": N_("Reprojected"),
    "schema": N_("Schema"),
    "shift": N_("Shift"),
}


def color_modes(layer: Layer) -> list[str]:
    """Return the ways in which a layer can be coloured."""
    if layer.kind == LayerKind.POINTCLOUD and isinstance(layer.data, PointCloudData):
        have = layer.data.attribute_names
        modes = ["rgb"] if "rgb" in have else []
        modes += ["class"] if "classification" in have else []
        modes += ["elevation"] + (["intensity"] if "intensity" in have else [])
        return ["auto", *modes, "solid"]
    if layer.kind == LayerKind.BIM:
        return ["auto", "material", "class", "storey", "solid"]
    if layer.kind == LayerKind.VECTOR:
        return ["auto", "solid", "attribute"]
    if isinstance(layer.data, RasterData):
        return ["auto", "elevation", "solid"] if layer.data.role == "terrain" else []
    if isinstance(layer.data, GridData):
        return ["auto", "class", "solid"]
    computed = ["scalar"] if isinstance(layer.data, MeshData) and layer.data.scalars else []
    themed = ["attribute"] if isinstance(layer.data, MeshData) and layer.data.elements else []
    return ["auto", *computed, *themed, "texture", "material", "solid", "elevation"]


class LayerPanel(Panel):
    """Edits the style of a layer at once; undo takes every edit back."""

    def __init__(self, scene: Scene, layer_id: str, parent: QWidget | None = None) -> None:
        super().__init__(icon="palette", parent=parent)
        self._scene, self._id = scene, layer_id
        self._filling = False
        self._style = Section()
        self._decided = Section()
        self._info = Section()
        self._warnings = Section()
        for section in (self._style, self._decided, self._warnings, self._info):
            self.add(section)
        follow(self, scene.style_changed, self.retranslate)
        follow(self, scene.layer_changed, self.retranslate)
        follow(self, scene.layer_renamed, self.retranslate)
        follow(self, scene.tree_changed, self._close_when_gone)
        self.retranslate()

    def retranslate(self) -> None:
        """Show the layer's state in the current language."""
        if self._id not in self._scene:
            return
        layer = self._scene[self._id]
        self._filling = True
        self.set_title(layer.name)
        self._style.set_title(tr("Style"))
        self._info.set_title(tr("Source and coordinates"))
        self._warnings.set_title(tr("Notes from loading"))
        self._decided.set_title(tr("What was decided, and why"))
        for section in (self._style, self._decided, self._info, self._warnings):
            _clear(section.body)
        self._fill_style(layer)
        self._fill_decided(layer)
        self._fill_info(layer)
        for text in layer.warnings:
            self._warnings.add(label(text, "warn", wrap=True))
        if CHANGED_FROM in layer.metadata:
            self._warnings.add(button(tr("Take the changed file as right"), clicked=self._accept))
        self._warnings.setVisible(bool(layer.warnings))
        self._filling = False

    def _accept(self) -> None:
        """Let the next save record the file as it is now."""
        accept_source(self._scene, self._id)
        self.retranslate()

    def _close_when_gone(self) -> None:
        if self._id not in self._scene:
            self.close_requested.emit()

    # -- style -----------------------------------------------------------------------------

    def _fill_style(self, layer: Layer) -> None:
        style = self._scene.style(self._id)
        form = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Opacity"), self._opacity())
        modes = color_modes(layer)
        if modes:
            names = [(mode, tr(COLOR_BY[mode])) for mode in modes]
            form.addRow(tr("Colour by"), self._combo(names, style.color_by, "color_by"))
        if isinstance(layer.data, VectorData):
            self._fill_vector(form, layer.data)
        if isinstance(layer.data, MeshData) and layer.kind == LayerKind.MESH:
            add_elements(form, style, layer.data, self._set)
        if isinstance(layer.data, MeshData) and layer.data.scalars:
            names = [(name, tr(name)) for name in layer.data.scalars]
            form.addRow(tr("Computed value"), self._combo(names, style.attribute, "attribute"))
        if modes:
            form.addRow(tr("Colour"), self._color())
        add_class_colors(form, layer, style, self._set, render_theme(current_theme()))
        if layer.kind == LayerKind.POINTCLOUD:
            form.addRow(tr("Point size"), self._number("point_size", 1, 20, " px"))
            form.addRow("", self._check("eye_dome", tr("Eye-dome lighting")))
        if layer.kind in (LayerKind.MESH, LayerKind.BIM):
            form.addRow("", self._check("edges", tr("Show edges")))
        form.addRow(tr("Raise by"), self._number("z_offset", -1000, 1000, " m"))
        holder = QWidget()
        holder.setLayout(form)
        form.setContentsMargins(0, 0, 0, 0)
        self._style.add(holder)

    def _fill_vector(self, form: QFormLayout, data: VectorData) -> None:
        style = self._scene.style(self._id)
        frame = data.features
        columns = [str(c) for c in frame.columns if c != frame.geometry.name]
        numbers = [c for c in columns if frame[c].dtype.kind in "iuf"]
        none = [("", tr("None"))]
        form.addRow(
            tr("Attribute"),
            self._combo(none + [(c, c) for c in columns], style.attribute, "attribute"),
        )
        add_theme(form, style, numbers_of(data, style.attribute), self._set)
        types = set(frame.geom_type.dropna())
        if any("Polygon" in t for t in types):
            choices = none + [(c, c) for c in numbers]
            form.addRow(tr("Height from"), self._combo(choices, style.extrude, "extrude"))
            base = [("", tr("Terrain")), *choices[1:]]
            form.addRow(tr("Base from"), self._combo(base, style.base, "base"))
        if not data.has_z:
            form.addRow("", self._check("drape", tr("Lay on the terrain")))
        if any("Line" in t for t in types):
            add_tubes(form, style, data, self._set)
            form.addRow(tr("Line width"), self._number("line_width", 0.5, 20, " px"))
        if any("Point" in t for t in types):
            form.addRow(tr("Point size"), self._number("point_size", 1, 20, " px"))

    def _set(self, **changes: Any) -> None:
        if not self._filling:
            style = self._scene.style(self._id)
            if changes.get("attribute") and isinstance(self._scene[self._id].data, VectorData):
                # Who names an attribute wants to see it; classes of another's numbers say nothing.
                changes |= {"color_by": "attribute", "breaks": (), "class_colors": {}}
            self._scene.set_style(self._id, style.model_validate({**style.model_dump(), **changes}))

    def _opacity(self) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 100)
        slider.setValue(round(self._scene.view(self._id).opacity * 100))
        slider.valueChanged.connect(
            lambda value: self._scene.set_view(self._id, opacity=value / 100)
        )
        return slider

    def _combo(self, choices: list[tuple[str, str]], value: str, name: str) -> ComboBox:
        box = ComboBox()
        for key, text in choices:
            box.addItem(text, key)
        box.setCurrentIndex(max(0, box.findData(value)))
        box.currentIndexChanged.connect(lambda _n: self._set(**{name: box.currentData()}))
        return box

    def _color(self) -> QWidget:
        style = self._scene.style(self._id)
        swatch = button("")
        swatch.setFixedWidth(64)
        swatch.setStyleSheet(f"background: {style.color};")
        swatch.setAccessibleName(tr("Colour"))

        def choose() -> None:
            color = QColorDialog.getColor(QColor(style.color), self, tr("Colour"))
            if color.isValid():
                self._set(color=color.name(), color_by="solid")

        swatch.clicked.connect(lambda _=False: choose())
        return swatch

    def _number(self, name: str, low: float, high: float, suffix: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        inset(box)
        box.setRange(low, high)
        box.setDecimals(1)
        box.setSuffix(suffix)
        box.setKeyboardTracking(False)
        box.setValue(getattr(self._scene.style(self._id), name))
        box.valueChanged.connect(lambda value: self._set(**{name: value}))
        return box

    def _check(self, name: str, text: str) -> QCheckBox:
        box = QCheckBox(text)
        box.setChecked(getattr(self._scene.style(self._id), name))
        box.toggled.connect(lambda value: self._set(**{name: value}))
        return box

    # -- information -----------------------------------------------------------------------

    def _fill_info(self, layer: Layer) -> None:
        rows: list[tuple[str, str]] = []
        source = layer.source
        if source is not None:
            rows += [
                (tr("File"), str(source.path)),
                (tr("Size"), tr("{size} MB", size=f"{source.size / 1e6:.1f}")),
                ("SHA-256", source.sha256 or "–"),
            ]
            if source.fingerprint:
                rows.append((tr("Fingerprint"), source.fingerprint))
        rows += [(tr(COUNTS.get(k, k)), group_digits(str(v))) for k, v in layer.counts.items()]
        box = layer.bounds
        if box is not None:
            size = box.high - box.low
            rows.append((tr("Extent"), " × ".join(f"{v:.1f}" for v in size)))
            rows.append((tr("Heights"), f"{box.zmin:.2f} … {box.zmax:.2f}"))
        rows += [
            (tr(METADATA.get(key, key)), value_text(value))
            for key, value in layer.metadata.items()
            if key != CHANGED_FROM and key not in KEYS
        ]
        self._info.add(_grid(rows))

    def _fill_decided(self, layer: Layer) -> None:
        found = decisions(layer)
        rows = [(one.what, f"{one.taken}\n{one.why}" if one.why else one.taken) for one in found]
        self._decided.add(_grid(rows))


def _grid(rows: list[tuple[str, str]]) -> QWidget:
    """Return names and values under each other; values wrap and can be copied."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(4)
    grid.setColumnStretch(1, 1)
    for n, (name, value) in enumerate(rows):
        text = label(_breakable(value[:400]), wrap=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        title = label(name, "muted", wrap=True)
        title.setMaximumWidth(110)
        grid.addWidget(title, n, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(text, n, 1)
    holder = QWidget()
    holder.setLayout(grid)
    return holder


def _breakable(text: str) -> str:
    """Let paths and digests wrap: a zero-width space after separators and every 16 characters."""
    pieces = text.replace("/", "/\u200b").replace("\\", "\\\u200b").split(" ")
    return " ".join(
        p if len(p) < 32 else "\u200b".join(p[n : n + 16] for n in range(0, len(p), 16))
        for p in pieces
    )


def _clear(layout: QVBoxLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()
