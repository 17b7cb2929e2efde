"""The picture of a scene in a plotter: actors that follow the scene's events, camera, picking.

Knows no window: the canvas gives a `pyvistaqt.QtInteractor`, the command line an off-screen
`pyvista.Plotter`. All of it runs on the thread that owns the plotter; only `kinds.prepare` may run
elsewhere, through the `prepare_async` that the window passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkRenderer

from plumbline.core.data import BimData, Bounds, GridData, MeshData
from plumbline.core.layer import Layer, LayerStyle
from plumbline.core.pick import EntityRef, Pick
from plumbline.core.records import record_label
from plumbline.core.scene import Camera, Record, Scene
from plumbline.core.units import unit_choice
from plumbline.geometry.rays import Ray
from plumbline.render import camera as moves
from plumbline.render.backdrop import Backdrop
from plumbline.render.clipping import ClipStage
from plumbline.render.effects import Bounds6, Effects
from plumbline.render.entity_marks import EntityMarks
from plumbline.render.grab import grab
from plumbline.render.kinds import is_ground, is_terrain, needs_ground
from plumbline.render.layer_stage import LayerStage, PrepareAsync, run_now
from plumbline.render.live_drape import LiveDrape, lies_on_ground
from plumbline.render.masks import Masks
from plumbline.render.overlays import Drawing, Look, Names, Point, Tags, band_parts, tag
from plumbline.render.pane import WHOLE, Pane, place
from plumbline.render.parts import Drawn, Part, Request, build
from plumbline.render.picking import Candidate, is_hidden, pick
from plumbline.render.region import things_in
from plumbline.render.snapping import KINDS, snap
from plumbline.render.streaming.layer import Stage
from plumbline.render.streaming.layers import TileLayers
from plumbline.render.streaming.scheduler import Settled
from plumbline.render.sun import Sun, Sunlight
from plumbline.render.theme import HARDWARE, LIGHT, SOFTWARE, Budget, RenderTheme, with_quality
from plumbline.render.tools import ToolDrawings
from plumbline.render.transients import Transients
from plumbline.render.view_range import clipping_range, heading, pixel_size, scale_bar

if TYPE_CHECKING:
    import shapely

#: Something draped stands this far before what it lies on, metres; and the next layer before it.
LIFT, LIFT_STEP = 0.3, 0.15
#: Pauses between pictures of tiles that are still coming, in times of a frame.
REDRAW = 4.0
#: Seconds of a camera's way to a new place.
EASE = 0.35


class SceneView:
    """Draws a scene in a plotter and answers what lies under a pixel.

    Parameters
    ----------
    plotter : pyvista.BasePlotter
    scene : Scene
    theme : RenderTheme
    prepare_async : callable, optional
        ``prepare_async(work, done)`` runs `work` elsewhere and calls `done` with its result on
        this thread; without it layers are prepared at once.
    request_render : callable, optional
        Called when the picture is out of date, so that a window can draw once for many events;
        without it the plotter renders at once.
    budget : Budget, optional
        How much to draw; by default what fits the graphics of this machine.
    pixel_ratio : float
        Device pixels for each pixel of the desktop: sizes of text and lines.
    renderer : vtkRenderer, optional
        A renderer of the plotter's window for this view; by default its first one.
    scheme : str, optional
        Id of the scheme that this view shows, "" for the baseline; None follows the scene.
    wake : callable, optional
        Called in another thread when more of a tree of tiles can be shown: `stream` is to be
        called soon, on this thread. Without it every frame waits for its tiles.
    """

    def __init__(
        self,
        plotter: Any,
        scene: Scene,
        theme: RenderTheme = LIGHT,
        *,
        prepare_async: PrepareAsync[Any] | None = None,
        request_render: Callable[[], None] | None = None,
        budget: Budget | None = None,
        pixel_ratio: float = 1.0,
        renderer: vtkRenderer | None = None,
        scheme: str | None = None,
        wake: Callable[[], None] | None = None,
    ) -> None:
        self.plotter = plotter
        self._scheme = scheme
        self._pane = WHOLE
        self._masks = Masks()
        self.scene = scene
        self.theme = theme
        self.pixel_ratio = pixel_ratio
        self._budget = budget
        self._quality = ("auto", (budget or HARDWARE).points)
        prepare_async = prepare_async or run_now
        self.layers = LayerStage(self, prepare_async)
        self._request_render = request_render
        self._marks: list[Drawn] = []
        self._entity_marks = EntityMarks()
        self._moving = False
        self._frame_time = 0.0
        self._covering = False
        self._camera = Camera((0.0, -500.0, 500.0), (0.0, 0.0, 0.0))
        self._renderer: vtkRenderer = renderer or plotter.renderer
        self._sunlight = Sunlight()
        self.clip = ClipStage()
        self.clip.set(scene.clipping, scene.georeference.origin)
        # Edges are smoothed by a pass: the depth passes cannot read a multisampled picture.
        plotter.render_window.SetMultiSamples(0)
        self._overlay = self._add_overlay()
        self._records = Drawing(self._overlay, (), 1.0)
        self._names = Names(self._overlay)
        self._tags = Tags(self._overlay)
        #: What the active tool draws in front of the scene.
        self.tools = ToolDrawings(self._overlay, self._look, self._on_tools)
        self._backdrop = Backdrop(self._renderer)
        self._transients = Transients(
            self._renderer,
            self._request_for,
            prepare_async,
            self.make,
            self._on_transients,
        )
        self._drape = LiveDrape(
            self._backdrop,
            lambda: scene.georeference.origin,
            lambda: self.layers.ground,
            self._draw_drape,
        )
        self._names_state: tuple[Any, ...] = ()
        self._waits = wake is None
        self._undrawn = False
        self._drawn_at = self._tiles_drawn = 0.0
        #: Seconds that a picture waits for trees of tiles; and how far they came the last time.
        self.patience = 60.0 if self._waits else 10.0
        self.settled = Settled(True, 0.0)
        self.tiles = TileLayers(Stage(self._add_tile, self.take_out), lambda: self.budget, wake)
        self._effects = Effects(self._renderer)
        self._effects.set_theme(theme)
        plotter.camera_set = True
        self._connections: list[tuple[Any, Callable[..., None]]] = []
        self._connect()
        try:
            self.layers.restart(scene.layer_ids)
            self._draw_records()
            self.look("iso")
        except Exception:
            self.close()
            raise

    # -- life ------------------------------------------------------------------------------

    def _add_overlay(self) -> vtkRenderer:
        """Return a renderer in front of everything, seen through the same camera."""
        window = self.plotter.render_window
        overlay = vtkRenderer()
        window.SetNumberOfLayers(max(2, window.GetNumberOfLayers()))
        overlay.SetLayer(1)
        overlay.InteractiveOff()
        overlay.SetActiveCamera(self._renderer.GetActiveCamera())
        window.AddRenderer(overlay)
        return overlay

    def _connect(self) -> None:
        scene = self.scene
        for signal, slot in (
            (scene.layer_added, self.layers.start),
            (scene.layer_changed, self.layers.start),
            (scene.style_changed, self.layers.start),
            (scene.layer_removed, self._on_removed),
            (scene.view_changed, self._on_view),
            (scene.tree_changed, self.update),
            (scene.selection_changed, self._on_selection),
            (scene.records_changed, self._on_records),
            (unit_choice.changed, self._on_records),
            (scene.schemes_changed, self._on_schemes),
            (scene.georeference_changed, self._on_georeference),
            (scene.clipping_changed, self._on_clipping),
        ):
            signal.connect(slot)
            self._connections.append((signal, slot))

    def close(self) -> None:
        """Stop listening and release every actor; the plotter stays its owner's."""
        for signal, slot in self._connections:
            signal.disconnect(slot)
        self._connections = []
        self.tools.clear()
        self._clear_marks()
        self._records.remove()
        self._tags.clear()
        self._transients.clear()
        self._sunlight.set(None)
        self._backdrop.close()
        self.tiles.close()
        self.layers.close()
        self._names.clear()
        self._effects.close()
        self.plotter.render_window.RemoveRenderer(self._overlay)

    def set_theme(self, theme: RenderTheme) -> None:
        """Change the colours of sky, text, selection and edges."""
        self.theme = theme
        self._effects.set_theme(theme)
        self._effects.set_sun(self.sun)
        self.tools.redraw()
        self._transients.restart()
        self._on_records()
        self._on_selection()
        self.layers.restart(self.scene.layer_ids)

    # -- scheme and place ------------------------------------------------------------------

    @property
    def scheme(self) -> str | None:
        """The scheme that this view shows whatever the scene shows; None follows the scene."""
        return self._scheme

    def show_scheme(self, scheme_id: str | None) -> None:
        """Show a scheme, the baseline with "", or what the scene shows with None."""
        self._scheme = scheme_id
        self._on_schemes()

    @property
    def seen(self) -> Scene:
        """The scene as this view shows it, for reading."""
        own = self._scheme
        if own is None or (own and own not in {scheme.id for scheme in self.scene.schemes}):
            return self.scene
        return self.scene.under(own, self.scene.day)

    @property
    def pane(self) -> Pane:
        """The part of the window that this view fills."""
        return self._pane

    def set_pane(self, pane: Pane) -> None:
        """Fill another part of the window."""
        self._pane = pane
        for renderer in (self._renderer, self._overlay, self._backdrop.renderer):
            place(renderer, pane)
        self._update_effects()
        self._apply_camera()

    # -- layers ----------------------------------------------------------------------------

    @property
    def budget(self) -> Budget:
        """How much is drawn: what this machine can, as the settings want it."""
        return with_quality(self._machine, *self._quality)

    @property
    def _machine(self) -> Budget:
        if self._budget is None:
            report = str(self.plotter.render_window.ReportCapabilities()).lower()
            if "renderer string" not in report:  # the window has no graphics context yet
                return SOFTWARE
            soft = any(name in report for name in ("llvmpipe", "softpipe", "swiftshader", "swr"))
            self._budget = SOFTWARE if soft else HARDWARE
        return self._budget

    def set_quality(self, quality: str, points: int) -> None:
        """Draw finer or faster (`theme.QUALITIES`), and at most so many points at rest."""
        if self._quality != (quality, points):
            self._quality = (quality, points)
            self._on_schemes()  # prepares anew what would be prepared otherwise

    def request(self, layer_id: str, seen: Scene | None = None) -> Request:
        """Return what is to be drawn of a layer, under another scheme if one is given."""
        seen = seen or self.seen
        layer, style = seen[layer_id], seen.style(layer_id)
        request = self._request_for(layer, style, seen.not_drawn(layer_id), seen)
        return replace(request, mask=self._masks.of(seen, layer))

    def _request_for(
        self,
        layer: Layer,
        style: LayerStyle,
        hidden: frozenset[str] = frozenset(),
        seen: Scene | None = None,
    ) -> Request:
        scene = seen or self.seen
        scheme = scene.active_scheme
        ground = self.layers.ground if needs_ground(layer) else None
        bare = ground is None and isinstance(layer.data, GridData)
        clip = scheme.terrain_polygon if scheme and is_terrain(layer) else ()
        return Request(
            layer=layer,
            style=style,
            origin=scene.georeference.origin,
            hidden=hidden,
            ground=ground,
            theme=self.theme,
            budget=self.budget,
            clip=tuple(clip),
            clip_height=scheme.terrain_height if scheme and clip else None,
            models=self._models() if bare else (),
            floor=self._floor() if bare else 0.0,
            explode=scene.clipping.explode if scene.clipping.active else 0.0,
        )

    def _models(self) -> tuple[MeshData, ...]:
        """Return the visible meshes, which stand for a terrain where there is none."""
        seen = self.seen
        visible = [layer.data for layer in seen if seen.is_visible(layer.id)]
        return tuple(data for data in visible if isinstance(data, MeshData))

    def _floor(self) -> float:
        """Return the lowest height of what has heights; a grid lies there without a terrain."""
        boxes = (layer.bounds for layer in self.scene if not needs_ground(layer))
        known = Bounds.union(boxes)
        return 0.0 if known is None else known.zmin

    def make(self, part: Part, *, ground: bool = False, mark: bool = False) -> Drawn:
        """Return an actor of a part, not yet in the picture."""
        drawn = build(part, self.pixel_ratio, self.budget.anisotropy)
        drawn.ground, drawn.mark = ground, mark
        return self.clip.dress(drawn)

    def put_in(self, drawn: Drawn) -> None:
        """Add an actor to the picture."""
        (self._overlay if drawn.part.on_top else self._renderer).AddActor(drawn.actor)

    def take_out(self, drawn: Drawn) -> None:
        """Remove an actor from the picture."""
        self._renderer.RemoveActor(drawn.actor)
        self._overlay.RemoveActor(drawn.actor)

    def layer_changed(self, layer_id: str, *, ground: bool) -> None:
        """Show a layer that has a new picture; its ground may be another than before."""
        for drawn in self.layers.shown[layer_id].drawn:
            drawn.set_moving(self._moving)
        if ground:
            self._transients.restart()
            self.layers.restart_grounded()
        self.update()
        if any(ref.layer == layer_id for ref in self.scene.selection):
            self._on_selection()

    def warm(self) -> None:
        """Prepare what the other schemes would show, one layer after the other."""
        self.layers.warm()

    # -- trees of tiles --------------------------------------------------------------------

    def _add_tile(self, part: Part) -> Drawn:
        drawn = self.make(part)
        self.put_in(drawn)
        return drawn

    def stream(self) -> bool:
        """Show what was read of trees of tiles meanwhile; tell whether to call again soon.

        An incomplete picture is not drawn so often that drawing keeps the complete one away.
        """
        self._undrawn = self._stream() or self._undrawn
        pause = time.perf_counter() - self._drawn_at
        rested = pause > REDRAW * self._frame_time or self._tiles_drawn == 0
        if self._undrawn and (self.tiles.complete or rested):
            self._tiles_drawn = self.tiles.cost
            self._place_camera()
            self._place_names()
            self.request_render()
            self._undrawn = False
        return self._undrawn or self.tiles.waiting

    def note_frame(self, seconds: float) -> None:
        """Learn from a frame that was drawn; it took so many seconds."""
        self._frame_time, self._drawn_at = seconds, time.perf_counter()
        if self._moving:
            self.tiles.note_frame(seconds)

    def _settle(self) -> None:
        """Wait until trees of tiles are as fine as they shall be."""
        if not self.tiles:
            return
        self.settled = self.tiles.settle(self._stream, self.patience)
        self._place_camera()

    def _stream(self) -> bool:
        seen = self.seen
        shows = {i: seen.view(i).opacity for i in self.layers.shown if seen.is_visible(i)}
        was = self.tiles.complete
        changed = self.tiles.frame(self._camera, self.size, shows, self._moving)
        if not changed and self.tiles.complete == was:
            return False
        self._names_state = ()
        if any(ref.layer in self.tiles for ref in self.scene.selection):
            self._mark()
        self._update_effects()
        if not self._moving:
            self._cast_shadows()
        return True

    # -- events of the scene ---------------------------------------------------------------

    def _on_removed(self, layer_id: str) -> None:
        shown = self.layers.remove(layer_id)
        if shown is None:
            return
        self.tiles.remove(layer_id)
        if shown.prepared.ground is not None:
            self._transients.restart()
            self.layers.restart_grounded()
        self.update()

    def _on_view(self, layer_id: str) -> None:
        shown = self.layers.shown.get(layer_id)
        asked = None if shown is None else shown.asked
        if asked is not None and asked.hidden != self.seen.not_drawn(layer_id):
            self.layers.start(layer_id)  # the filter has changed
        self.update()

    def _on_schemes(self) -> None:
        """Show what the scheme changes: hidden entities, cut terrain, cleared areas."""
        self.layers.restart_changed()
        self.update()

    def _on_clipping(self) -> None:
        """Show more or less; only storeys that come apart are prepared anew."""
        scene, old = self.scene, self.clip.clipping
        self.clip.set(scene.clipping, scene.georeference.origin)
        apart = [c.explode if c.active else 0.0 for c in (old, scene.clipping)]
        if apart[0] != apart[1]:
            self.layers.restart(i for i in self.layers.shown if isinstance(scene[i].data, BimData))
            self._on_selection()
        self._names_state = ()
        self.update()

    def _on_georeference(self) -> None:
        self.clip.set(self.scene.clipping, self.scene.georeference.origin)
        self.layers.restart(self.layers.shown)
        self._transients.restart()
        self.tools.redraw()
        self._on_records()
        self._apply_camera()

    def _on_selection(self) -> None:
        self._mark()
        self._apply_camera()

    def _mark(self) -> None:
        self._clear_marks()
        chosen: dict[str, list[str]] = {}
        for ref in self.scene.selection:
            chosen.setdefault(ref.layer, []).append(ref.entity)
        parts = list(self._entity_marks.parts(self.seen, self.request))
        for layer_id, ids in chosen.items():
            shown = self.layers.shown.get(layer_id)
            if shown is not None and self.seen.is_visible(layer_id):
                parts += shown.prepared.highlight(ids)
        for part in parts:
            drawn = self.make(part, mark=True)
            self.put_in(drawn)
            drawn.show(True, 1.0)
            self._marks.append(drawn)

    def _clear_marks(self) -> None:
        for drawn in self._marks:
            self.take_out(drawn)
        self._marks = []

    def _on_records(self) -> None:
        self._draw_records()
        self._apply_camera()

    def _draw_records(self) -> None:
        self._records.remove()
        lines = [(record.points, False) for record in self._visible_records()]
        parts = band_parts(lines, self._look())
        self._records = Drawing(self._overlay, parts, self.pixel_ratio)

    def _visible_records(self) -> list[Record]:
        return [record for record in self.scene.records if record.visible and record.points]

    def _look(self) -> Look:
        return Look(self.scene.georeference.origin, self.theme, self.pixel_ratio)

    def _on_transients(self) -> None:
        self._cast_shadows()
        self._apply_camera()

    def _draw_drape(self, anew: bool) -> None:
        if anew or not self._backdrop.show():
            self._backdrop.keeping = not self._moving
            self._apply_camera()
        else:
            self._draw_soon()

    def _on_tools(self) -> None:
        """Draw what a tool has changed, over the last picture of the scene where there is one."""
        if not self._backdrop.show():
            self._apply_camera()
            return
        self._place_in_front(*self._place_eye())
        self._place_tags()
        self._draw_soon()

    def update(self) -> None:
        """Apply visibility, opacity and order, then draw."""
        self.layers.start_due()
        seen = self.seen
        slow = self.budget.slow or bool(self._drape.layers)
        self._backdrop.keeping = not self._moving and slow
        self._covering = any(
            shown.prepared.covers_ground and seen.is_visible(i) and seen.view(i).opacity >= 1
            for i, shown in self.layers.shown.items()
        )
        for layer_id, shown in self.layers.shown.items():
            visible = seen.is_visible(layer_id)
            opacity = seen.view(layer_id).opacity
            for drawn in shown.drawn:
                drawn.covered = self._covering and shown.prepared.ground is not None
                show = visible and not (self._moving and drawn.part.resting_only)
                drawn.show(show, opacity)
        self._update_effects()
        if not self._moving:
            self._cast_shadows()
        self._apply_camera()

    def _update_effects(self) -> None:
        seen = self.seen
        clouds = any(
            shown.prepared.eye_dome and seen.is_visible(i) for i, shown in self.layers.shown.items()
        )
        surfaces = any(
            drawn.part.triangles is not None and drawn.actor.GetVisibility()
            for shown in self.layers.shown.values()
            for drawn in shown.drawn
        )
        # VTK's passes for depth clear the whole window, also what other views have drawn in it. As
        # long as tiles come, pictures are drawn plainly: they are looked at for a moment only.
        resting = not self._moving and self._pane == WHOLE and self.tiles.complete
        occlusion = surfaces and self.budget.occlusion and not self._camera.parallel
        eye_dome = clouds or (surfaces and not self.budget.occlusion)
        # Points need it whole to be read at all; photographs only want their edges set off.
        softer = (4.0 if clouds else 12.0) if surfaces else 1.0
        self._effects.soften(self._drawn_bounds(), softer)
        # In steps, so that a small movement does not build the passes anew.
        reach = float(
            np.clip(2.0 ** np.round(np.log2(moves.distance(self._camera) * 0.03)), 0.25, 16.0)
        )
        self._effects.set_depth(
            # VTK's ambient occlusion darkens everything in parallel projection.
            occlusion=resting and occlusion,
            eye_dome=resting and eye_dome,
            smooth=not self._moving,
            reach=reach,
        )

    # -- camera ----------------------------------------------------------------------------

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, device pixels."""
        return self._pane.size(self.plotter.render_window.GetSize())

    @property
    def corner(self) -> tuple[float, float]:
        """Lower left corner of the picture in the window, device pixels."""
        return self._pane.corner(self.plotter.render_window.GetSize())

    def camera(self) -> Camera:
        """Return the camera, project CRS."""
        return self._camera

    def set_camera(self, camera: Camera, *, animate: bool = False) -> None:
        """Move the camera, at once or with a short ease."""
        if animate and self._request_render is None:
            self._ease(camera)
        other_projection = camera.parallel != self._camera.parallel
        self._camera = camera
        if other_projection:
            self._update_effects()
        self._apply_camera()

    def _ease(self, target: Camera) -> None:
        start, began = self._camera, time.perf_counter()
        self.begin_interaction()
        while (share := (time.perf_counter() - began) / EASE) < 1:
            self._camera = moves.interpolate(start, target, share)
            self._apply_camera()
        self._camera = target
        self.end_interaction()

    def _apply_camera(self) -> None:
        if not self._waits:
            self._stream()
        self._place_camera()
        self._place_names()
        self._place_tags()
        self.request_render()

    def _place_eye(self) -> tuple[float, float]:
        """Place VTK's camera; return what turns metres into depth, in perspective and parallel."""
        camera, to_local = self._camera, self.scene.georeference.to_local
        eye = self._renderer.GetActiveCamera()
        eye.SetPosition(*to_local(np.array(camera.position)))
        eye.SetFocalPoint(*to_local(np.array(camera.focal_point)))
        eye.SetViewUp(*moves.axes(camera)[1])
        eye.SetParallelProjection(camera.parallel)
        eye.SetParallelScale(camera.parallel_scale)
        eye.SetViewAngle(camera.view_angle)
        self._pane.aim(eye)
        near, far = clipping_range(camera, self._drawn_bounds(), self.scene.georeference)
        eye.SetClippingRange(near, far)
        perspective = 0.0 if camera.parallel else 2 * far * near / (far - near)
        parallel = 2 / (far - near) if camera.parallel else 0.0
        return perspective, parallel

    def _place_camera(self) -> None:
        perspective, parallel = self._place_eye()
        georeference = self.scene.georeference
        order = {layer_id: n for n, layer_id in enumerate(reversed(self.scene.layer_ids))}
        for layer_id, shown in self.layers.shown.items():
            for drawn in shown.drawn:
                lift = LIFT + LIFT_STEP * order.get(layer_id, 0)
                if self._covering and shown.prepared.covers_ground:
                    lift = 0.0  # stands for the terrain itself
                drawn.set_lift(lift, perspective, parallel)
                if drawn.part.spacing or drawn.part.detail:
                    box = drawn.actor.GetBounds()
                    size = pixel_size(self._camera, self.size[1], box, georeference)
                    drawn.set_pixel(size, self._moving)
        self._place_in_front(perspective, parallel)

    def _place_in_front(self, perspective: float, parallel: float) -> None:
        top = LIFT + LIFT_STEP * (len(self.scene.layer_ids) + 1)
        for drawn in self._in_front():
            drawn.set_lift(top, perspective, parallel)

    def _in_front(self) -> list[Drawn]:
        """Return what lies over all layers."""
        return [*self._marks, *self._transients.drawn, *self._records.drawn, *self.tools.drawn]

    def _place_tags(self) -> None:
        """Write the labels of tool and records where they find room; names make way for them."""
        tags = self.tools.tags
        for record in self._visible_records():
            tags += tag(record_label(record), record.points, False)
        self._tags.show(tags, self._camera, self.size, self._look())
        self._names.give_way(self._tags.boxes)

    def _place_names(self) -> None:
        seen = self.seen
        labels = [
            label
            for layer_id, shown in self.layers.shown.items()
            if shown.prepared.labels and not self._moving and seen.is_visible(layer_id)
            for label in shown.prepared.labels
        ]
        candidates = self._candidates()
        solid = [c.layer for c in candidates]
        state = (tuple(map(id, labels)), tuple(solid), self._camera, self.size, self.theme)
        if state == self._names_state:
            return
        self._names_state = state
        self._names.show(
            labels,
            self._camera,
            self.size,
            self._look(),
            lambda place: (
                not self.clip.keeps(place) or is_hidden(place, self._camera, self.size, candidates)
            ),
        )

    def _drawn_bounds(self) -> Bounds6 | None:
        """Return the box of all visible actors, scene coordinates."""
        drawn = self._in_front()
        drawn += [d for shown in self.layers.shown.values() for d in shown.drawn]
        boxes = np.array([d.actor.GetBounds() for d in drawn if d.actor.GetVisibility()])
        if len(boxes) == 0:
            return None
        low, high = boxes[:, ::2].min(axis=0), boxes[:, 1::2].max(axis=0)
        return (low[0], high[0], low[1], high[1], low[2], high[2])

    def frame(self, bounds: Bounds | None = None, *, animate: bool = False) -> None:
        """Fill the view with a box, or with everything that is visible."""
        box = bounds or self.visible_bounds()
        if box is not None:
            self.set_camera(moves.frame(self._camera, _solid(box), self._aspect), animate=animate)

    def look(self, direction: moves.Direction, *, animate: bool = False) -> None:
        """Look at everything that is visible from a standard side."""
        box = self.visible_bounds()
        if box is not None:
            target = moves.look(self._camera, direction, _solid(box), self._aspect)
            self.set_camera(target, animate=animate)

    def set_parallel(self, parallel: bool) -> None:
        """Switch between orthographic and perspective view."""
        self.set_camera(moves.set_parallel(self._camera, parallel))

    @property
    def _aspect(self) -> float:
        width, height = self.size
        return width / height

    def visible_bounds(self) -> Bounds | None:
        """Return the box of all visible layers, project CRS.

        Flat plan layers take the heights of the ground below, if there is any.
        """
        seen = self.seen
        layers = [layer for layer in seen if seen.is_visible(layer.id)]
        grounded = [layer for layer in layers if not needs_ground(layer)]
        box = Bounds.union(layer.bounds for layer in layers)
        heights = Bounds.union(layer.bounds for layer in grounded)
        if box is None or heights is None:
            return box
        return replace(box, zmin=heights.zmin, zmax=heights.zmax)

    def ground_height(self, x: float, y: float) -> float | None:
        """Return the height of the drawn terrain at a place, None where there is none."""
        ground = self.layers.ground
        height = float("nan") if ground is None else float(ground.sample(np.array([[x, y]]))[0])
        return height if np.isfinite(height) else None

    def layer_bounds(self, layer_id: str) -> Bounds | None:
        """Return the box of one layer; a flat plan layer takes the heights of the ground."""
        layer = self.scene[layer_id]
        box = layer.bounds
        if box is None or not needs_ground(layer):
            return box
        heights = [
            self.ground_height(x, y) for x in (box.xmin, box.xmax) for y in (box.ymin, box.ymax)
        ]
        known = [h for h in (*heights, self.ground_height(*box.center[:2])) if h is not None]
        return replace(box, zmin=min(known), zmax=max(known)) if known else box

    def selection_bounds(self) -> Bounds | None:
        """Return the box of the selected entities, as drawn."""
        return self.extent(self.scene.selection)

    def extent(self, refs: Iterable[EntityRef]) -> Bounds | None:
        """Return the box of some entities, as drawn."""
        boxes = []
        for ref in refs:
            if ref.layer in self.layers.shown:
                boxes.append(self.layers.shown[ref.layer].prepared.extent([ref.entity]))
        return Bounds.union(boxes)

    # -- picking ---------------------------------------------------------------------------

    def pick(self, x: float, y: float) -> Pick | None:
        """Return what is visible at a device pixel, lower left origin; None over the sky."""
        ray = moves.ray(self._camera, x + 0.5, y + 0.5, self.size)
        return pick(ray, self._candidates())

    def snap(
        self, x: float, y: float, base: Point | None = None, kinds: Container[str] = KINDS
    ) -> Pick | None:
        """Return the feature near a device pixel, else what is visible there; see `snapping`."""
        ray, candidates = self.ray(x, y), self._candidates()
        return snap(ray, pick(ray, candidates), candidates, base, self.pixel_ratio, kinds)

    def ray(self, x: float, y: float) -> Ray:
        """Return the ray through a device pixel, project CRS."""
        return moves.ray(self._camera, x + 0.5, y + 0.5, self.size)

    def things_in(self, region: shapely.Polygon) -> list[EntityRef]:
        """Return what a region of the screen touches, in device pixels from the lower left."""
        return things_in(self.seen, self._camera, self.size, region, self._candidates())

    def _candidates(self) -> list[Candidate]:
        """Return the visible layers, topmost first, with what is shown of each."""
        scene = self.seen
        return [
            self.clip.candidate(scene[i], self.layers.shown[i].prepared, scene.style(i).z_offset)
            for i in scene.layer_ids
            if i in self.layers.shown
            and scene.is_visible(i)
            and scene.view(i).opacity > 0
            and not (self.clip.hides_ground and is_ground(scene[i]))
        ]

    def hover_position(self, x: float, y: float) -> Point | None:
        """Return the place under a pixel, None over the sky; as exact as `pick`, and as fast."""
        found = self.pick(x, y)
        return found.position if found else None

    # -- overlays --------------------------------------------------------------------------

    def set_preview(self, points: Sequence[Point], label: str = "", closed: bool = False) -> None:
        """Draw the rubber band of a tool; replaces the last one."""
        self.tools.set_band(points, label, closed)

    def clear_preview(self) -> None:
        """Remove the rubber band."""
        self.tools.clear_band()

    def show_layer(
        self, key: str, layer: Layer | None, style: LayerStyle | None = None, *, live: bool = False
    ) -> None:
        """Draw a layer that is not in the scene and cannot be picked; None takes it away.

        A grid that is `live`, since it follows a hand, is laid over the picture of the scene.
        """
        if live and layer is not None and lies_on_ground(layer):
            self._transients.remove(key)
            self._drape.show(key, layer, style or layer.style, self.theme)
            return
        self._drape.remove(key)
        if layer is None:
            self._transients.remove(key)
        else:
            self._transients.show(key, layer, style or layer.style)

    def clear_layers(self) -> None:
        """Take away all layers that are not in the scene."""
        self._drape.remove()
        self._transients.clear()

    @property
    def passing_layers(self) -> list[tuple[Layer, LayerStyle]]:
        """Layers that are drawn without being in the scene, with their styles."""
        return [*self._transients.layers, *self._drape.layers]

    @property
    def transients(self) -> Transients:
        """Layers that are drawn as actors without being in the scene."""
        return self._transients

    # -- sun -------------------------------------------------------------------------------

    def set_sun(self, azimuth: float | None, elevation: float = 0.0) -> None:
        """Light the scene from the sun, with shadows; None goes back to the plain light.

        Parameters
        ----------
        azimuth : float or None
            Degrees clockwise from grid north.
        elevation : float
            Degrees above the horizon.
        """
        sun = None if azimuth is None else Sun(azimuth, elevation)
        self._sunlight.set(sun, self.budget.shadow_side)
        self._effects.set_theme(self.theme)
        self._effects.set_sun(sun)
        self._cast_shadows()
        self.request_render()

    @property
    def sun(self) -> Sun | None:
        """The sun that lights the scene, None in the plain light."""
        return self._sunlight.sun

    def _cast_shadows(self) -> None:
        """Bring the shadows up to date with what is drawn, with the sun and with the view."""
        box = self._drawn_bounds()
        if self.sun is None or box is None:
            return
        drawn = [d for shown in self.layers.shown.values() for d in shown.drawn if d.shown]
        drawn += self._transients.drawn
        seen = None
        if not self._moving:
            georeference = self.scene.georeference
            low, high = (level + georeference.origin[2] for level in box[4:])
            places = moves.footprint(self._camera, self.size, low, high)
            seen = georeference.to_local(places) if len(places) else None
        self._sunlight.update(drawn, seen)

    # -- quality and pictures --------------------------------------------------------------

    def begin_interaction(self) -> None:
        """Draw less, so that the frame stays fluent while the camera moves."""
        self._set_moving(True)

    def end_interaction(self) -> None:
        """Draw everything again."""
        self._set_moving(False)

    def _set_moving(self, moving: bool) -> None:
        if moving == self._moving:
            return
        self._moving = moving
        for shown in self.layers.shown.values():
            for drawn in shown.drawn:
                drawn.set_moving(moving)
        self.update()

    def request_render(self) -> None:
        """Have the picture drawn: by the window when it comes round to it, else now."""
        self._backdrop.drop()
        self._draw_soon()

    def _draw_soon(self) -> None:
        if self._request_render is not None:
            self._request_render()
        else:
            self.render()

    def render(self) -> None:
        """Draw one frame and note how long it took."""
        if self._waits:
            self._settle()
        self._draw()

    def _draw(self) -> None:
        began = time.perf_counter()
        self.plotter.render_window.Render()
        self.note_frame(time.perf_counter() - began)

    def frame_time(self) -> float:
        """Return how long the last frame took, seconds."""
        return self._frame_time

    def settle(self) -> None:
        """Make everything ready for a picture at rest."""
        self.end_interaction()
        self._place_camera()
        self._settle()
        self._place_names()
        self._place_tags()
        self._cast_shadows()
        self._backdrop.drop()

    def screenshot(
        self, size: tuple[int, int] | None = None, path: Path | None = None
    ) -> NDArray[np.uint8]:
        """Return the picture at rest ``(H, W, 3)``, first row on top; also write it to a file."""
        window = self.plotter.render_window
        old = window.GetSize()
        if size is not None:
            window.SetSize(*size)
        self.settle()
        self._draw()
        picture = grab(window)
        if size is not None and tuple(old) != tuple(size):
            window.SetSize(*old)
        if path is not None:
            from PIL import Image

            Image.fromarray(picture).save(path)
        return picture

    def scale_bar(self) -> tuple[float, float]:
        """Return a round length in metres and how many pixels it has at the focal point."""
        return scale_bar(self._camera, self.size[1], self.pixel_ratio, self.scene.georeference)

    def north_angle(self) -> float:
        """Return where true north points on the screen, degrees clockwise from up.

        Where the project is not tied to the earth, grid north stands for it.
        """
        return (-self.heading()) % 360

    def heading(self) -> float:
        """Return the azimuth of the view from true north, degrees clockwise, 0..360."""
        return heading(self._camera, self.scene.georeference)


def _solid(box: Bounds) -> Bounds:
    """Return a box that has some extent, so that a single point can be framed."""
    grow = 0.0 if box.diagonal > 1e-6 else 5.0
    return Bounds(
        box.xmin - grow,
        box.ymin - grow,
        box.zmin - grow,
        box.xmax + grow,
        box.ymax + grow,
        box.zmax + grow,
    )
