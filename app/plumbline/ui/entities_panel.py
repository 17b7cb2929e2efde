"""Entities in the window: built from footprints, listed, tinted, taken out of meshes and clouds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QWidget

from plumbline.analysis.entities import Built, Table, build, plan
from plumbline.analysis.entity_layer import overlay_layer
from plumbline.analysis.extract import extracted_layer, part_of_entity
from plumbline.api import N_, Layer, MeshData, Scene, UserError, VectorData, tr
from plumbline.api import Table as Rows
from plumbline.core.city import CityEntity
from plumbline.core.entities import table_columns
from plumbline.core.selection import part_of
from plumbline.io.obj_writer import write_part
from plumbline.io.table import read_table
from plumbline.io.writers import write_ply
from plumbline.ui.session import Session
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.fields import ComboBox, UnitSpinBox
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Panel, Section
from plumbline.ui_kit.result_table import ResultTable

COLUMNS = {
    "id": N_("Id from"),
    "name": N_("Name from"),
    "height": N_("Height from"),
    "storeys": N_("Storeys from"),
    "documents": N_("Documents from"),
}
WORDS = {
    "id": N_("Id"),
    "name": N_("Name"),
    "height": N_("Height"),
    "storeys": N_("Storeys"),
    "parts": N_("Parts"),
}


class EntitiesPanel(Panel):
    """One action makes entities of footprints; a row of the list selects one."""

    def __init__(self, scene: Scene, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(icon="layers", parent=parent)
        self._scene, self._session = scene, session
        self._tables: list[tuple[Path, Table, ComboBox]] = []
        self._list: ResultTable | None = None
        self._make()
        for event in (scene.tree_changed, scene.layer_renamed):
            follow(self, event, self._list_layers)
        follow(self, scene.entities_changed, self._show_entities)
        follow(self, scene.selection_changed, self._selection_changed)
        self.run_requested.connect(self.build)
        self.retranslate()

    # -- building --------------------------------------------------------------------------

    def _make(self) -> None:
        self.footprints = ComboBox()
        self.columns = {name: ComboBox() for name in COLUMNS}
        self.margin = UnitSpinBox("m", step=0.1)
        self.margin.set_value(0.0)
        self.tint = QCheckBox()
        self.count = label("", "heading", wrap=True)
        self._from, self._things = Section(), Section()
        self.add(self._from)
        self.add(self._things)
        holder = QWidget()
        form = QFormLayout(holder)
        form.setContentsMargins(0, 0, 0, 0)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._titles = [label("") for _ in range(2 + len(COLUMNS))]
        fields = [self.footprints, *self.columns.values(), self.margin]
        for title, field in zip(self._titles, fields, strict=True):
            form.addRow(title, field)
        self._form = form
        self._from.add(holder)
        self.add_table = button("", "ghost", icon="table", clicked=self._ask_table)
        self._from.add(self.add_table)
        self._from.add(self.tint)
        self.take_out = button("", icon="layer-mesh", clicked=self.extract)
        self.export = button("", icon="export", clicked=self.ask_export)
        self.forget = button(
            "", "ghost", icon="trash", clicked=lambda: self._scene.set_entities(())
        )
        for part in (self.count, self.take_out, self.export, self.forget):
            self._things.add(part)
        self.footprints.currentIndexChanged.connect(lambda _n: self._list_columns())

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self.set_title(tr("Entities"))
        self.set_instruction(
            tr("Footprints join what stands above them: meshes, clouds, models and table rows.")
        )
        self._from.set_title(tr("Build from footprints"))
        self._things.set_title(tr("Entities of the project"))
        names = [
            tr("Footprints"),
            *(tr(text) for text in COLUMNS.values()),
            tr("Widen outlines by"),
        ]
        for title, text in zip(self._titles, names, strict=True):
            title.setText(text)
        self.add_table.setText(tr("Join a table…"))
        self.tint.setText(tr("Tint the mesh building by building"))
        self.take_out.setText(tr("Take the selected one out as a layer"))
        self.export.setText(tr("Export the selected one…"))
        self.forget.setText(tr("Forget all entities"))
        self.set_primary(tr("Build entities"), icon="play")
        self._list_layers()
        self._show_entities()

    def _list_layers(self) -> None:
        # Polygons with heights are buildings sooner than others: they are proposed.
        layers = [one for one in self._scene if _has_polygons(one)]
        layers.sort(key=lambda one: not self._scene.style(one.id).extrude)
        known = [(one.id, one.name) for one in layers]
        self.footprints.set_choices(known)
        self.primary.setEnabled(bool(known))
        self._list_columns()

    def _list_columns(self) -> None:
        layer_id = self.footprints.currentData()
        names = table_columns(self._scene[layer_id]) if layer_id in self._scene else []
        for box in self.columns.values():
            box.set_choices([("", tr("by habit")), *((name, name) for name in names)])

    def _ask_table(self) -> None:
        answer = self._session.answers.get("entity_table")
        if answer is None:
            answer, _ = QFileDialog.getOpenFileName(
                self, tr("Join a table"), "", tr("Tables") + " (*.csv *.xlsx)"
            )
        if not answer:
            return
        path = Path(answer)
        try:
            header, rows = read_table(path)
        except UserError as error:
            self._session.notifier.error(error)
            return
        key = ComboBox()
        for name in header:
            key.addItem(name, name)
        table: Table = (path.name, tuple(header), tuple(map(tuple, rows)), header[0])
        self._tables.append((path, table, key))
        self._form.addRow(label(tr("{name} by", name=path.name), wrap=True), key)

    def build(self) -> None:
        """Build the entities in a worker; they replace those that there are."""
        scene, tint = self._scene, self.tint.isChecked()
        tables = [(name, head, rows, str(key.currentData()))
                  for _, (name, head, rows, _key), key in self._tables]  # fmt: skip
        try:
            inputs = plan(
                scene,
                self.footprints.currentData(),
                columns={n: b.currentData() for n, b in self.columns.items() if b.currentData()},
                tables=tables,
                margin=self._margin(),
            )
        except UserError as error:
            self._session.notifier.error(error)
            return

        def done(found: Built) -> None:
            with scene.history.step(tr("Build entities")):
                scene.set_entities(found.entities)
                if tint:
                    layer_id = scene.unique_id("entities")
                    scene.add(overlay_layer(found.entities, scene.georeference.crs, layer_id))
            for warning in found.warnings:
                self._session.notifier.warning(warning)
            self._session.notifier.info(tr("{n} entities", n=len(found.entities)))

        self._session.tasks.submit(
            tr("Building entities"), lambda feedback: build(inputs, feedback), done
        )

    def _margin(self) -> float:
        """Return the margin in units of the CRS."""
        from plumbline.geometry.geodesy import crs_units

        unit = crs_units(self._scene.georeference.crs).horizontal
        return (self.margin.value() or 0.0) / (unit or 1.0)

    # -- using -----------------------------------------------------------------------------

    def _show_entities(self) -> None:
        found = self._scene.entities
        self.count.setText(tr("{n} entities", n=len(found)))
        if self._list is not None:
            self._list.hide()
            self._list.deleteLater()
            self._list = None
        if found:
            rows = tuple(
                (e.id, e.name, e.height, e.storeys, len(e.parts) + len(e.surfaces)) for e in found
            )
            told = Rows(tuple(WORDS), rows, {"height": "m"})
            self._list = ResultTable(told, lambda name: tr(WORDS[name]))
            self._list.setMinimumHeight(260)
            self._list.row_chosen.connect(lambda row: self.choose(str(row["id"])))
            self._things.add(self._list)
        self._selection_changed()

    def _forget(self) -> None:
        self._scene.set_entities(())

    def choose(self, ident: str) -> None:
        """Select an entity by its id."""
        one = self._scene.entity_book.by_id.get(ident)
        ref = part_of(self._scene, one) if one is not None else None
        if ref is not None and ref not in self._scene.selection:
            self._scene.select([ref])

    def _selection_changed(self) -> None:
        some = self.chosen is not None
        self.take_out.setEnabled(some)
        self.export.setEnabled(some)
        self.forget.setEnabled(bool(self._scene.entities))

    @property
    def chosen(self) -> CityEntity | None:
        """The entity that is selected."""
        refs = self._scene.selection
        return self._scene.entity_book.of(refs[-1]) if refs else None

    def _source(self, one: CityEntity) -> Layer | None:
        """Return the layer that an entity is taken out of: a mesh, else a model, else a cloud."""
        meshes = [part.layer for part in one.surfaces if part.what == "triangles"]
        others = [ref.layer for ref in one.parts[1:]] + [part.layer for part in one.surfaces]
        known = [i for i in (*meshes, *others) if i in self._scene]
        if not known:
            self._session.notifier.warning(
                tr("“{name}” is a footprint and nothing else.", name=one.title)
            )
            return None
        return self._scene[known[0]]

    def extract(self) -> None:
        """Add the selected entity's part of a mesh or a cloud as a layer; the source stays."""
        scene, one = self._scene, self.chosen
        layer = None if one is None else self._source(one)
        if one is None or layer is None:
            return
        layer_id = scene.unique_id(f"{layer.id}.{one.id}")
        self._session.tasks.submit(
            tr("Taking out {name}", name=one.title),
            lambda feedback: extracted_layer(layer, one, layer_id, feedback),
            lambda made: scene.add(made),
        )

    def ask_export(self) -> None:
        """Ask for a file and write the selected entity's part of a mesh or a cloud."""
        one = self.chosen
        layer = None if one is None else self._source(one)
        if one is None or layer is None:
            return
        kinds = "OBJ (*.obj);;PLY (*.ply)" if isinstance(layer.data, MeshData) else "PLY (*.ply)"
        answer = self._session.answers.get("entity_export")
        if answer is None:
            answer, _ = QFileDialog.getSaveFileName(self, tr("Export"), one.id, kinds)
        if not answer:
            return
        path = Path(answer)

        def work(feedback: Any) -> None:
            part = part_of_entity(layer, one, feedback=feedback)
            if isinstance(part, MeshData):
                write_part(part, path)
            else:
                write_ply(path, part.points, colors=part.attributes.get("rgb"))

        notifier = self._session.notifier
        self._session.tasks.submit(
            tr("Export"), work, lambda _none: notifier.info(tr("Saved: {path}", path=path))
        )


def _has_polygons(layer: Layer) -> bool:
    data = layer.data
    own = "overlay" in layer.metadata  # drawn from entities
    return (
        isinstance(data, VectorData)
        and not own
        and bool(data.features.geom_type.dropna().str.contains("Polygon").any())
    )
