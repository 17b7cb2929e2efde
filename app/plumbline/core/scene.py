"""The scene: what the project shows, in one place, changed on one thread.

Edits go through the methods here; each is a step that undo takes back and announces itself by a
typed event. The scene knows no widget and no actor: windows and renderers listen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from psygnal import Signal

from plumbline.core.city import CityEntity, EntityBook
from plumbline.core.clipping import Clipping
from plumbline.core.crs import crs_label, same_crs
from plumbline.core.data import Bounds, LayerData
from plumbline.core.errors import UsageError
from plumbline.core.filters import Filters
from plumbline.core.georeference import Georeference
from plumbline.core.history import History
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer, LayerEntry, LayerStyle, LayerView
from plumbline.core.pick import EntityRef
from plumbline.core.report_plan import ReportPlan
from plumbline.core.scheme import Clearing, Phase, Scheme

__all__ = [
    "Camera",
    "Clearing",
    "Group",
    "Phase",
    "Record",
    "Scene",
    "Scheme",
    "Viewpoint",
    "WrongThreadError",
]


@dataclass(frozen=True)
class Camera:
    """A view of the scene; points in the project CRS, float64.

    `view_angle` is the vertical field of view in degrees; `parallel_scale` is half of the height
    of the view in metres and counts when `parallel` is set.
    """

    position: tuple[float, float, float]
    focal_point: tuple[float, float, float]
    view_up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    parallel: bool = False
    parallel_scale: float = 100.0
    view_angle: float = 30.0


@dataclass(frozen=True)
class Viewpoint:
    """A named camera, saved with the project; with what was shown, where that was more than all."""

    name: str
    camera: Camera
    clipping: Clipping | None = None


@dataclass(frozen=True)
class Group:
    """A folder of the layer tree; `layers` are ids from top to bottom."""

    id: str
    name: str
    layers: tuple[str, ...] = ()
    visible: bool = True


@dataclass(frozen=True)
class Record:
    """A result kept in the project, e.g. a measurement: what was asked, what came out.

    Attributes
    ----------
    request : dict
        The analysis request as plain data (``analysis``, ``version``, ``params``).
    values : dict
        Name to ``{"value", "unit", "uncertainty"}``.
    points : tuple of (x, y, z)
        What the canvas draws for it, project CRS.
    label : str
        The number that matters with its SI unit.
    headline : str
        Name of that number in `values`; the canvas writes it beside the points.
    created : str
        ISO 8601 time with offset.
    """

    id: str
    name: str
    request: dict[str, Any]
    values: dict[str, dict[str, Any]]
    points: tuple[tuple[float, float, float], ...] = ()
    label: str = ""
    created: str = ""
    operator: str = ""
    visible: bool = True
    provenance: dict[str, Any] = field(default_factory=dict)
    headline: str = ""


class WrongThreadError(RuntimeError):
    """The scene was changed off its thread: a defect, never the user's fault."""


class Scene:
    """Ordered layers with styles and views, selection, schemes, viewpoints, records.

    Parameters
    ----------
    georeference : Georeference, optional
        CRS and origin of the project; without one the first layer's are taken.
    """

    georeference_changed = Signal()
    layer_added = Signal(str)
    layer_removed = Signal(str)
    #: Data of a layer were replaced (reloaded).
    layer_changed = Signal(str)
    layer_renamed = Signal(str)
    style_changed = Signal(str)
    #: Visibility or opacity of a layer, its group or the active scheme.
    view_changed = Signal(str)
    #: Order or grouping.
    tree_changed = Signal()
    #: Layers of the project whose data are not there.
    absent_changed = Signal()
    selection_changed = Signal()
    viewpoints_changed = Signal()
    records_changed = Signal()
    schemes_changed = Signal()
    report_changed = Signal()
    entities_changed = Signal()
    clipping_changed = Signal()
    modified_changed = Signal(bool)

    def __init__(self, georeference: Georeference | None = None) -> None:
        self.georeference = georeference or Georeference()
        self.history = History()
        self._georeferenced = georeference is not None
        self._layers: dict[str, Layer] = {}
        self._styles: dict[str, LayerStyle] = {}
        self._views: dict[str, LayerView] = {}
        self._tree: list[str | Group] = []
        self._absent: tuple[LayerEntry, ...] = ()
        self._selection: tuple[EntityRef, ...] = ()
        self._viewpoints: tuple[Viewpoint, ...] = ()
        self._records: tuple[Record, ...] = ()
        self._book = EntityBook()
        self._filters = Filters()
        self._schemes: tuple[Scheme, ...] = ()
        self._report = ReportPlan()
        self._active_scheme = ""
        self._day = ""
        self._clipping = Clipping()
        self._modified = False
        self._thread = threading.get_ident()

    # -- reading ---------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Layer]:
        """Iterate over layers from the top of the tree to its bottom."""
        return (self._layers[i] for i in self.layer_ids)

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, layer_id: object) -> bool:
        return layer_id in self._layers

    def __getitem__(self, layer_id: str) -> Layer:
        """Return a layer.

        Raises
        ------
        UsageError
            If there is none of that id; the message lists those that are.
        """
        if layer_id not in self._layers:
            raise UsageError(
                tr("The scene has no layer “{id}”.", id=layer_id),
                tr("Its layers are: {ids}.", ids=", ".join(self.layer_ids) or "–"),
            )
        return self._layers[layer_id]

    @property
    def layer_ids(self) -> list[str]:
        """Ids from the top of the tree to its bottom."""
        ids: list[str] = []
        for item in self._tree:
            ids += [item] if isinstance(item, str) else item.layers
        return ids

    @property
    def tree(self) -> tuple[str | Group, ...]:
        """Top level of the tree: layer ids and groups."""
        return tuple(self._tree)

    @property
    def absent(self) -> tuple[LayerEntry, ...]:
        """Layers of the project whose data are not there: loading, moved or unreadable."""
        return self._absent

    @property
    def full_tree(self) -> tuple[str | Group, ...]:
        """The tree with the absent layers in their places, as the project file keeps it."""
        tree = list(self._tree)
        for entry in self._absent:
            tree = _with_entry(tree, entry)
        return tuple(tree)

    def style(self, layer_id: str) -> LayerStyle:
        """Return the style of a layer."""
        return self._styles[self[layer_id].id]

    def view(self, layer_id: str) -> LayerView:
        """Return a layer's own visibility and opacity."""
        return self._views[self[layer_id].id]

    def group_of(self, layer_id: str) -> Group | None:
        """Return the group that holds a layer."""
        for item in self._tree:  # asked for every layer at every change: no list is made
            if isinstance(item, Group) and layer_id in item.layers:
                return item
        return None

    @property
    def groups(self) -> list[Group]:
        """All groups."""
        return [item for item in self._tree if isinstance(item, Group)]

    def is_visible(self, layer_id: str) -> bool:
        """Tell whether a layer is to be drawn: its own switch, its group's and the scheme's."""
        group = self.group_of(layer_id)
        shown = self.view(layer_id).visible and (group is None or group.visible)
        if not shown or not any(layer_id in scheme.layers for scheme in self._schemes):
            return shown
        scheme = self.active_scheme
        return scheme is not None and layer_id in scheme.layers

    def hidden_entities(self, layer_id: str) -> frozenset[str]:
        """Return the entities of a layer that the active scheme removes."""
        scheme = self.active_scheme
        refs = scheme.hidden if scheme else ()
        return frozenset(ref.entity for ref in refs if ref.layer == layer_id)

    def left_out(self, layer_id: str) -> frozenset[str]:
        """Return the entities of a layer that the filter of its view hides."""
        return self._filters.left_out(self[layer_id], self.view(layer_id).filter)

    def not_drawn(self, layer_id: str) -> frozenset[str]:
        """Return the entities of a layer that scheme or filter keep out of the picture."""
        return self.hidden_entities(layer_id) | self.left_out(layer_id)

    def filter_problem(self, layer_id: str) -> str:
        """Return why the filter of a layer's view cannot be used, empty where it can."""
        return self._filters.problem(self[layer_id], self.view(layer_id).filter)

    @property
    def selection(self) -> tuple[EntityRef, ...]:
        """Selected entities, in the order of selecting."""
        return self._selection

    @property
    def viewpoints(self) -> tuple[Viewpoint, ...]:
        """Named cameras."""
        return self._viewpoints

    @property
    def records(self) -> tuple[Record, ...]:
        """Kept results."""
        return self._records

    @property
    def entities(self) -> tuple[CityEntity, ...]:
        """Things whose parts lie in several layers."""
        return self._book.entities

    @property
    def entity_book(self) -> EntityBook:
        """The entities, to be found by what was picked."""
        return self._book

    @property
    def report(self) -> ReportPlan:
        """What goes into the report of the project."""
        return self._report

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """All schemes."""
        return self._schemes

    @property
    def active_scheme(self) -> Scheme | None:
        """The scheme that is shown, as it is on the day; None for the baseline with everything."""
        scheme = next((s for s in self._schemes if s.id == self._active_scheme), None)
        return None if scheme is None else scheme.at(self._day)

    @property
    def day(self) -> str:
        """The day on which schemes with phases are shown, ISO 8601; empty for their end."""
        return self._day

    def scheme(self, scheme_id: str) -> Scheme:
        """Return a scheme with all its phases.

        Raises
        ------
        UsageError
            If there is none of that id; the message lists those that are.
        """
        found = next((s for s in self._schemes if s.id == scheme_id), None)
        if found is None:
            raise UsageError(
                tr("The project has no scheme “{id}”.", id=scheme_id),
                tr("Its schemes are: {ids}.", ids=", ".join(s.id for s in self._schemes) or "–"),
            )
        return found

    def under(self, scheme_id: str, day: str = "") -> Scene:
        """Return a twin for reading that shows a scheme, whatever this scene shows now.

        An empty id stands for the baseline with everything in it, an empty day for the end of all
        phases.

        Raises
        ------
        UsageError
            If there is no such scheme.
        """
        if scheme_id:
            self.scheme(scheme_id)
        twin = copy(self)
        twin._active_scheme, twin._day = scheme_id, day
        return twin

    @property
    def clipping(self) -> Clipping:
        """What of the scene is shown; numbers do not depend on it."""
        return self._clipping

    @property
    def modified(self) -> bool:
        """Whether something changed since the last save."""
        return self._modified

    @property
    def bounds(self) -> Bounds | None:
        """Box around all layers."""
        return Bounds.union(layer.bounds for layer in self)

    # -- changing --------------------------------------------------------------------------

    def set_georeference(self, georeference: Georeference) -> None:
        """Replace CRS and origin; only while the scene is empty, since layers are in that CRS."""
        self._assert_thread()
        if self._layers and not same_crs(georeference.crs, self.georeference.crs):
            raise UsageError(
                tr("The project CRS cannot change while the project has layers."),
                tr("Start a new project in that CRS and add the files to it."),
            )
        self.georeference = georeference
        self._georeferenced = True
        self.georeference_changed.emit()
        self.mark_modified()

    def unique_id(self, wanted: str) -> str:
        """Return `wanted`, with a number after it where a layer has that id already."""
        base = wanted.strip() or "layer"
        taken = {*self._layers, *(entry.id for entry in self._absent)}
        candidates = (base if n == 1 else f"{base}_{n}" for n in range(1, len(taken) + 2))
        return next(c for c in candidates if c not in taken)

    def add(
        self,
        layer: Layer,
        *,
        style: LayerStyle | None = None,
        view: LayerView | None = None,
        group: str = "",
    ) -> None:
        """Add a layer at the top of the tree (or of a group).

        The first layer of a scene without a georeference gives it its CRS and origin.

        Raises
        ------
        UsageError
            If the id is taken, or the layer is not in the project CRS.
        """
        self._assert_thread()
        if layer.id in self._layers or layer.id in {entry.id for entry in self._absent}:
            raise UsageError(tr("The scene already has a layer “{id}”.", id=layer.id))
        self._adopt_georeference(layer)
        self._check_crs(layer)
        style, view = style or layer.style, view or LayerView()

        def redo() -> None:
            self._insert(layer, style, view, group)

        def undo() -> None:
            self._take_out(layer.id)

        self._edit(tr("Add layer"), redo, undo)

    def set_absent(self, entries: Iterable[LayerEntry]) -> None:
        """Replace the entries of layers whose data are not there; no edit that undo takes back."""
        self._assert_thread()
        self._set_absent(entries)

    def remove_absent(self, layer_id: str) -> None:
        """Drop a layer whose data are not there from the project; undo brings it back."""
        gone = [entry for entry in self._absent if entry.id == layer_id]

        def redo() -> None:
            self._set_absent(entry for entry in self._absent if entry.id != layer_id)

        self._edit(tr("Remove layer"), redo, lambda: self._set_absent([*self._absent, *gone]))

    def arrive(self, layer: Layer) -> None:
        """Put a layer whose data were absent into its place; not an edit that undo takes back.

        Raises
        ------
        UsageError
            If the layer is not in the project CRS.
        """
        self._assert_thread()
        entry = next(e for e in self._absent if e.id == layer.id)
        self._check_crs(layer)
        self._absent = tuple(e for e in self._absent if e.id != layer.id)
        self._layers[layer.id] = layer
        self._styles[layer.id], self._views[layer.id] = entry.style, entry.view
        self._tree = _with_entry(self._tree, entry)
        self.absent_changed.emit()
        self.layer_added.emit(layer.id)
        self.tree_changed.emit()

    def remove(self, layer_id: str) -> None:
        """Remove a layer; undo brings it back where it was."""
        self._assert_thread()
        layer, tree = self[layer_id], list(self._tree)
        style, view, selection = self.style(layer_id), self.view(layer_id), self._selection

        def undo() -> None:
            self._insert(layer, style, view, "")
            self._set_tree(tree)
            self._set("_selection", selection, self.selection_changed)

        self._edit(tr("Remove layer"), lambda: self._take_out(layer_id), undo)

    def replace_data(self, layer: Layer) -> None:
        """Put newly loaded data under an existing id; not an edit that undo takes back."""
        self._assert_thread()
        self[layer.id]
        self._layers[layer.id] = layer
        self.layer_changed.emit(layer.id)
        self.mark_modified()

    def set_data(
        self, layer_id: str, data: LayerData, metadata: dict[str, Any] | None = None, key: str = ""
    ) -> None:
        """Replace what a layer holds, as an edit that undo takes back.

        Parameters
        ----------
        metadata : dict, optional
            Replaces that of the layer too.
        key : str
            Edits of one key that follow each other quickly are one step (a dragged face).
        """
        self._assert_thread()
        old = self[layer_id]
        new = replace(old, data=data, metadata=old.metadata if metadata is None else metadata)

        def apply(layer: Layer) -> None:
            # A name that was given meanwhile stays.
            self._layers[layer_id] = replace(layer, name=self[layer_id].name)
            self.layer_changed.emit(layer_id)

        self._edit(tr("Edit layer"), lambda: apply(new), lambda: apply(old), key)

    def rename(self, layer_id: str, name: str) -> None:
        """Change the name that people see; the id stays."""
        self._assert_thread()
        old = self[layer_id].name

        def apply(value: str) -> None:
            self[layer_id].name = value
            self.layer_renamed.emit(layer_id)

        self._edit(tr("Rename layer"), lambda: apply(name), lambda: apply(old))

    def set_style(self, layer_id: str, style: LayerStyle) -> None:
        """Replace the style of a layer."""
        old = self.style(layer_id)

        def apply(value: LayerStyle) -> None:
            self._styles[layer_id] = value
            self.style_changed.emit(layer_id)

        self._edit(
            tr("Change style"), lambda: apply(style), lambda: apply(old), f"style {layer_id}"
        )

    def set_view(self, layer_id: str, *, key: str = "", **changes: object) -> None:
        """Change visibility or opacity: ``set_view("roads", visible=False)``."""
        old = self.view(layer_id)
        new = LayerView.model_validate({**old.model_dump(), **changes})

        def apply(value: LayerView) -> None:
            self._views[layer_id] = value
            self.view_changed.emit(layer_id)

        merge = f"view {layer_id} {sorted(changes)}" if "opacity" in changes else ""
        self._edit(tr("Change visibility"), lambda: apply(new), lambda: apply(old), key or merge)

    def add_group(self, name: str, layers: Iterable[str] = ()) -> str:
        """Put layers into a new group where the first of them was; return its id."""
        members = [i for i in self.layer_ids if i in set(layers)]
        taken = {g.id for g in self.groups}
        group_id = next(f"group_{n}" for n in range(1, 10_000) if f"group_{n}" not in taken)
        old = list(self._tree)
        place = next((n for n, item in enumerate(old) if item in members), 0)
        rest = _without(old, members)
        place = min(place, len(rest))
        new = [*rest[:place], Group(group_id, name, tuple(members)), *rest[place:]]
        self._edit(tr("Group layers"), lambda: self._set_tree(new), lambda: self._set_tree(old))
        return group_id

    def update_group(
        self, group_id: str, *, name: str | None = None, visible: bool | None = None
    ) -> None:
        """Rename, show or hide a group."""
        old = list(self._tree)
        changes: dict[str, Any] = {"name": name, "visible": visible}
        changes = {k: v for k, v in changes.items() if v is not None}
        new = [
            replace(item, **changes) if isinstance(item, Group) and item.id == group_id else item
            for item in old
        ]
        self._edit(tr("Change group"), lambda: self._set_tree(new), lambda: self._set_tree(old))

    def ungroup(self, group_id: str) -> None:
        """Dissolve a group; its layers stay where it was."""
        old = list(self._tree)
        new: list[str | Group] = []
        for item in old:
            new += item.layers if isinstance(item, Group) and item.id == group_id else [item]
        self._edit(tr("Ungroup"), lambda: self._set_tree(new), lambda: self._set_tree(old))

    def set_tree(self, tree: Iterable[str | Group]) -> None:
        """Reorder and regroup in one step (a drag in the tree); every layer must be in it once."""
        new, old = list(tree), list(self._tree)
        ids = [i for item in new for i in ([item] if isinstance(item, str) else item.layers)]
        if sorted(ids) != sorted(self._layers):
            raise ValueError("the new tree does not hold every layer exactly once")
        self._edit(tr("Reorder layers"), lambda: self._set_tree(new), lambda: self._set_tree(old))

    def select(self, refs: Iterable[EntityRef]) -> None:
        """Replace the selection; not an edit that undo takes back."""
        self._assert_thread()
        selection = tuple(dict.fromkeys(refs))
        if selection != self._selection:
            self._set("_selection", selection, self.selection_changed)

    def set_viewpoints(self, viewpoints: Iterable[Viewpoint]) -> None:
        """Replace the list of named cameras."""
        self._edit_field(
            N_("Change viewpoints"), "_viewpoints", tuple(viewpoints), self.viewpoints_changed
        )

    def set_records(self, records: Iterable[Record]) -> None:
        """Replace the list of kept results."""
        self._edit_field(N_("Change results"), "_records", tuple(records), self.records_changed)

    def set_entities(self, entities: Iterable[CityEntity]) -> None:
        """Replace the list of entities."""
        book = EntityBook(entities)
        if book.entities != self._book.entities:
            self._edit_field(N_("Change entities"), "_book", book, self.entities_changed)

    def set_schemes(self, schemes: Iterable[Scheme]) -> None:
        """Replace the list of schemes."""
        self._edit_field(N_("Change schemes"), "_schemes", tuple(schemes), self.schemes_changed)

    def set_report(self, plan: ReportPlan) -> None:
        """Replace what goes into the report."""
        self._edit_field(N_("Change the report"), "_report", plan, self.report_changed)

    def activate_scheme(self, scheme_id: str) -> None:
        """Show one scheme, or the baseline with ``""``."""
        self._edit_field(N_("Switch scheme"), "_active_scheme", scheme_id, self.schemes_changed)

    def update_scheme(self, scheme_id: str, **changes: Any) -> None:
        """Replace fields of a scheme.

        Raises
        ------
        UsageError
            If there is no such scheme, or it is locked and stays so.
        """
        old = self.scheme(scheme_id)
        if old.locked and changes.get("locked", True):
            raise UsageError(
                tr("Scheme “{name}” is locked.", name=old.name), tr("Unlock it to edit it.")
            )
        new = replace(old, **changes)
        self.set_schemes(new if one is old else one for one in self._schemes)

    def show_day(self, day: str) -> None:
        """Show schemes as they are on a day (ISO 8601), at their end with ``""``; no edit."""
        self._assert_thread()
        if day != self._day:
            self._set("_day", day, self.schemes_changed)

    def set_clipping(self, clipping: Clipping, *, live: bool = False) -> None:
        """Replace what is shown of the scene; live changes in a row are one step of undo."""
        old = self._clipping
        if clipping != old:
            self._edit(
                tr("Change what is shown"),
                lambda: self._set("_clipping", clipping, self.clipping_changed),
                lambda: self._set("_clipping", old, self.clipping_changed),
                "clipping" if live else "",
            )

    def mark_modified(self, modified: bool = True) -> None:
        """Note that there is something to save, or that it was saved."""
        if modified != self._modified:
            self._modified = modified
            self.modified_changed.emit(modified)

    # -- inside ----------------------------------------------------------------------------

    def _assert_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise WrongThreadError("the scene was changed off the thread that made it")

    def _edit(
        self, label: str, redo: Callable[[], None], undo: Callable[[], None], key: str = ""
    ) -> None:
        self._assert_thread()

        def marked(apply: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                apply()
                self.mark_modified()

            return run

        self.history.do(label, marked(redo), marked(undo), key)

    def _edit_field(self, label: str, name: str, value: Any, event: Any) -> None:
        old = getattr(self, name)
        if value != old:
            self._edit(
                tr(label),
                lambda: self._set(name, value, event),
                lambda: self._set(name, old, event),
            )

    def _set(self, name: str, value: Any, event: Any) -> None:
        setattr(self, name, value)
        event.emit()

    def _set_absent(self, entries: Iterable[LayerEntry]) -> None:
        kept = tuple(entry for entry in entries if entry.id not in self._layers)
        self._set("_absent", kept, self.absent_changed)

    def _set_tree(self, tree: list[str | Group]) -> None:
        # An undone edit may know a tree from before some layers arrived: they stay, on top.
        named = {i for item in tree for i in ([item] if isinstance(item, str) else item.layers)}
        self._tree = [*(i for i in self.layer_ids if i not in named), *tree]
        self.tree_changed.emit()

    def _insert(self, layer: Layer, style: LayerStyle, view: LayerView, group: str) -> None:
        self._layers[layer.id] = layer
        self._styles[layer.id] = style
        self._views[layer.id] = view
        for n, item in enumerate(self._tree):
            if isinstance(item, Group) and item.id == group:
                self._tree[n] = replace(item, layers=(layer.id, *item.layers))
                break
        else:
            self._tree.insert(0, layer.id)
        self.layer_added.emit(layer.id)
        self.tree_changed.emit()

    def _take_out(self, layer_id: str) -> None:
        kept = tuple(ref for ref in self._selection if ref.layer != layer_id)
        if kept != self._selection:
            self._set("_selection", kept, self.selection_changed)
        self._tree = _without(self._tree, [layer_id])
        for table in (self._layers, self._styles, self._views):
            del table[layer_id]
        self.layer_removed.emit(layer_id)
        self.tree_changed.emit()

    def _check_crs(self, layer: Layer) -> None:
        if not same_crs(layer.crs, self.georeference.crs):
            raise UsageError(
                tr(
                    "Layer “{name}” is in {crs}, the project in {project}.",
                    name=layer.name,
                    crs=crs_label(layer.crs),
                    project=crs_label(self.georeference.crs),
                ),
                tr("Load it with the project CRS as target."),
            )

    def _adopt_georeference(self, layer: Layer) -> None:
        if self._georeferenced or self._layers:
            return
        box = layer.bounds
        # Whole hundreds of metres: easy to read, and exact in float32 offsets.
        center = (0.0, 0.0, 0.0) if box is None else tuple(float(v) for v in box.center.round(-2))
        self.georeference = Georeference(layer.crs, (center[0], center[1], 0.0))
        self._georeferenced = True
        self.georeference_changed.emit()


def _without(tree: list[str | Group], ids: Iterable[str]) -> list[str | Group]:
    """Return a tree without some layers; groups stay, even empty ones."""
    gone = set(ids)
    return [
        replace(item, layers=tuple(i for i in item.layers if i not in gone))
        if isinstance(item, Group)
        else item
        for item in tree
        if not (isinstance(item, str) and item in gone)
    ]


def _with_entry(tree: list[str | Group], entry: LayerEntry) -> list[str | Group]:
    """Return a tree with an absent layer below what stood above it, in its group if that exists."""

    def placed(ids: list[str]) -> int:
        present = [ids.index(i) for i in entry.above if i in ids]
        return max(present, default=-1) + 1

    new = list(tree)
    for n, item in enumerate(new):
        if isinstance(item, Group) and item.id == entry.group:
            members = list(item.layers)
            members.insert(placed(members), entry.id)
            new[n] = replace(item, layers=tuple(members))
            return new
    new.insert(placed([i if isinstance(i, str) else i.id for i in new]), entry.id)
    return new
