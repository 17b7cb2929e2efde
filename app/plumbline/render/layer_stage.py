"""The layers of a picture: prepared elsewhere, built here, kept for the schemes they were seen in.

A layer is prepared once it is due: hidden ones wait until they are shown, and what lies on the
ground until there is ground. Its old picture stays until the new one is ready. All of it runs on
the thread that owns the picture; only `kinds.prepare` may run elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from plumbline.core.cloud_tree import tree_of
from plumbline.core.scene import Scene
from plumbline.render.ground import Ground
from plumbline.render.kinds import is_ground, is_terrain, needs_ground, prepare
from plumbline.render.parts import Drawn, Part, Prepared, Request
from plumbline.render.streaming.layers import TileLayers
from plumbline.render.variants import Variant, Variants, same

T = TypeVar("T")
PrepareAsync = Callable[[Callable[[], T], Callable[[T], None]], None]

#: Schemes of which the picture is prepared before they are shown.
WARM = 8


def run_now(work: Callable[[], T], done: Callable[[T], None]) -> None:
    """Prepare at once: for those who have no other thread."""
    done(work())


@dataclass
class ShownLayer:
    """A layer in the picture.

    Attributes
    ----------
    turn : int
        Number of its last preparation: results of earlier ones are dropped.
    stale : bool
        What is drawn is out of date; prepared anew as soon as somebody could see it.
    busy : bool
        Being prepared.
    asked : Request, optional
        What was prepared last, or is being prepared.
    request : Request, optional
        What is drawn.
    variants : Variants
        What it looked like under other schemes.
    """

    turn: int = 0
    stale: bool = True
    busy: bool = False
    prepared: Prepared = field(default_factory=Prepared)
    drawn: list[Drawn] = field(default_factory=list)
    asked: Request | None = None
    request: Request | None = None
    variants: Variants = field(default_factory=Variants)


class Picture(Protocol):
    """What the layers are drawn in, as `SceneView` is."""

    scene: Scene
    tiles: TileLayers

    @property
    def seen(self) -> Scene:
        """The scene as this picture shows it."""

    def request(self, layer_id: str, seen: Scene | None = None) -> Request:
        """Return what is to be drawn of a layer, under another scheme if one is given."""

    def make(self, part: Part, *, ground: bool = False) -> Drawn:
        """Return an actor of a part, not yet in the picture."""

    def put_in(self, drawn: Drawn) -> None:
        """Add an actor to the picture."""

    def take_out(self, drawn: Drawn) -> None:
        """Remove an actor from the picture."""

    def layer_changed(self, layer_id: str, *, ground: bool) -> None:
        """Show a layer that has a new picture; its ground may be another than before."""

    def update(self) -> None:
        """Show or hide what was built."""


class LayerStage:
    """Keeps the picture of every layer up to date.

    Parameters
    ----------
    picture : Picture
    prepare_async : callable
        ``prepare_async(work, done)`` runs `work` and calls `done` with its result on this thread.

    Attributes
    ----------
    shown : dict of str to ShownLayer
        By id of the layer.
    """

    def __init__(self, picture: Picture, prepare_async: PrepareAsync[Any]) -> None:
        self._picture, self._prepare_async = picture, prepare_async
        self.shown: dict[str, ShownLayer] = {}
        self._warming = False
        self._turns = 0

    @property
    def ground(self) -> Ground | None:
        """What other layers lie on: all terrain that is prepared."""
        shown = self.shown
        known = (shown[i].prepared.ground for i in self._picture.scene.layer_ids if i in shown)
        grids = [ground for ground in known if ground is not None]
        return Ground(grids) if grids else None

    def start(self, layer_id: str) -> None:
        """Prepare a layer once it is due."""
        picture = self._picture
        shown = self.shown.setdefault(layer_id, ShownLayer())
        self._turns += 1
        shown.turn = turn = self._turns
        shown.stale, shown.busy = True, False
        if not self._is_due(layer_id):
            return
        request = shown.asked = picture.request(layer_id)
        shown.stale = False
        if tree_of(request.layer.data) is not None:
            picture.tiles.show(layer_id, shown, request)
            picture.update()
            return
        kept = shown.variants.take(request)
        if kept is not None:
            self._install(layer_id, shown, kept)
            return
        shown.busy = True

        def work() -> Prepared | Exception:
            try:
                return prepare(request)
            except Exception as error:  # carried to the thread that waits for the result
                return error

        def done(result: Prepared | Exception) -> None:
            current = self.shown.get(layer_id)
            if current is None or current.turn != turn:
                return
            current.busy = False
            if isinstance(result, Exception):
                self.start_due()
                raise result
            self._install(layer_id, current, self._built(request, result))

        self._prepare_async(work, done)

    def start_due(self) -> None:
        """Prepare what has become due."""
        for layer_id, shown in list(self.shown.items()):
            if shown.stale and self._is_due(layer_id):
                self.start(layer_id)

    def restart(self, layer_ids: Iterable[str]) -> None:
        """Prepare layers anew, terrain first: the others are laid on it."""
        scene = self._picture.scene
        for layer_id in sorted(layer_ids, key=lambda i: not is_terrain(scene[i])):
            self.start(layer_id)

    def restart_grounded(self) -> None:
        """Prepare anew what lies on the ground."""
        self.restart(i for i in self.shown if needs_ground(self._picture.scene[i]))

    def restart_changed(self) -> None:
        """Prepare anew what is asked otherwise now: hidden entities, cut terrain, cleared areas."""
        self.restart(
            [
                layer_id
                for layer_id, shown in self.shown.items()
                if shown.asked is not None
                and not same(shown.asked, self._picture.request(layer_id))
            ]
        )

    def remove(self, layer_id: str) -> ShownLayer | None:
        """Take a layer out of the picture; return what it was."""
        shown = self.shown.pop(layer_id, None)
        if shown is not None:
            self._drop(shown)
        return shown

    def close(self) -> None:
        """Take everything out of the picture."""
        for shown in self.shown.values():
            self._drop(shown)
        self.shown = {}

    def warm(self) -> None:
        """Prepare what the other schemes would show, one layer after the other."""
        if self._warming or any(shown.busy for shown in self.shown.values()):
            return
        cold = next(self._cold(), None)
        if cold is None:
            return
        shown, request = cold
        self._warming = True

        def done(prepared: Prepared) -> None:
            self._warming = False
            if self.shown.get(request.layer.id) is shown:
                self._forget(shown.variants.keep(self._built(request, prepared)))
                self.warm()

        self._prepare_async(lambda: prepare(request), done)

    def _cold(self) -> Iterator[tuple[ShownLayer, Request]]:
        """Find what a scheme would show and nothing is prepared for; where there is room for it."""
        picture, scene = self._picture, self._picture.scene
        for scheme_id in ["", *(scheme.id for scheme in scene.schemes[:WARM])]:
            seen = scene.under(scheme_id, scene.day)
            for layer_id, shown in self.shown.items():
                if layer_id in picture.tiles or not seen.is_visible(layer_id):
                    continue
                if not shown.variants.roomy(shown.drawn):
                    continue
                request = picture.request(layer_id, seen)
                known = shown.request is not None and same(shown.request, request)
                if not known and not shown.variants.has(request):
                    yield shown, request

    def _is_due(self, layer_id: str) -> bool:
        scene = self._picture.scene
        if is_terrain(scene[layer_id]):
            return True
        waits = needs_ground(scene[layer_id]) and any(
            shown.busy and is_terrain(scene[i]) for i, shown in self.shown.items()
        )
        return self._picture.seen.is_visible(layer_id) and not waits

    def _built(self, request: Request, prepared: Prepared) -> Variant:
        """Return a prepared layer with its actors in the picture."""
        ground = is_ground(request.layer)
        drawn = [self._picture.make(part, ground=ground) for part in prepared.parts]
        for one in drawn:
            self._picture.put_in(one)
        return Variant(request, prepared, drawn)

    def _install(self, layer_id: str, shown: ShownLayer, variant: Variant) -> None:
        before, request = shown.prepared.ground, shown.request
        old = None if request is None else Variant(request, shown.prepared, shown.drawn)
        self._forget(shown.variants.put_away(old, variant.request))
        shown.request, shown.prepared = variant.request, variant.prepared
        shown.drawn = variant.drawn
        self._picture.layer_changed(layer_id, ground=shown.prepared.ground is not before)

    def _forget(self, variants: Iterable[Variant]) -> None:
        for variant in variants:
            for drawn in variant.drawn:
                self._picture.take_out(drawn)

    def _drop(self, shown: ShownLayer) -> None:
        for drawn in shown.drawn:
            self._picture.take_out(drawn)
        self._forget(shown.variants.clear())
