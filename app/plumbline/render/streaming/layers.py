"""All trees of tiles in a view: one loader, one budget and two caches for them together."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from plumbline.core.i18n import tr
from plumbline.core.scene import Camera
from plumbline.render.camera import Size
from plumbline.render.parts import Request
from plumbline.render.streaming.cache import ByteCache
from plumbline.render.streaming.content import POINT, Held, clothe, is_cloud, read
from plumbline.render.streaming.layer import Shown, Stage, TileLayer, data_of, dress_for, pixels_for
from plumbline.render.streaming.loader import Done, Job, Loader
from plumbline.render.streaming.pace import Pace
from plumbline.render.streaming.scheduler import Limits, Settled, Want
from plumbline.render.streaming.tree import Node
from plumbline.render.theme import Budget

#: More than the cores, so that a slow disk or share keeps nobody waiting; few, since they share
#: Python with the thread that draws.
THREADS = min(4, (os.cpu_count() or 1) + 1)
#: Seconds and bytes that new actors may take of a frame, while the camera moves and at rest.
MOVING_UPLOAD, RESTING_UPLOAD = (0.012, 8e6), (0.05, 64e6)
#: Share of the caches that one picture may fill: what it follows upon needs room beside it.
PICTURE = 0.45
#: Share of the caches that may fill with what only the next movement needs.
AHEAD = 0.7
#: Nodes that know their children, at most, and how many frames pass between looks at it.
EXPANDED, TIDY = 4000, 64
#: Jobs that the loader is given.
MOST_JOBS = 200

Key = tuple[TileLayer, Node]


class TileLayers:
    """Streams trees of tiles for one view; belongs to the thread of the plotter.

    Parameters
    ----------
    stage : Stage
        Where actors go.
    budget : callable
        Returns what the machine can draw.
    wake : callable, optional
        Called in a thread of the loader when there is something new for the next frame.
    """

    def __init__(
        self,
        stage: Stage,
        budget: Callable[[], Budget],
        wake: Callable[[], None] | None = None,
    ) -> None:
        self._stage, self._budget = stage, budget
        self._loader = Loader(THREADS, wake)
        self._layers: dict[str, TileLayer] = {}
        self._waiting: dict[Key, None] = {}
        self.decoded: ByteCache[Key] = ByteCache(math.inf)
        self.uploaded: ByteCache[Key] = ByteCache(math.inf)
        self._pace: Pace | None = None
        self._squeeze = 1.0
        self._frames = 0
        self._moving = False
        #: Frames since the picture was complete.
        self._rests = 0
        #: Metres of error that are good enough everywhere; inf: what is good on the screen.
        self.error = math.inf
        #: Share of the budget: several views of one window share it.
        self.share = 1.0

    # -- layers ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, layer_id: str) -> bool:
        return layer_id in self._layers

    def show(self, layer_id: str, shown: Shown, request: Request) -> None:
        """Show a layer, or show it otherwise; from the next frame on."""
        data, dress = data_of(request), dress_for(request)
        assert data is not None
        known = self._layers.get(layer_id)
        if known is not None and known.data is data:
            known.restyle(dress)
            self._waiting = {key: None for key in self._waiting if key[0] is not known}
            return
        self.remove(layer_id)
        self._layers[layer_id] = TileLayer(shown, data, self._stage, dress)

    def remove(self, layer_id: str) -> None:
        """Take a layer away."""
        layer = self._layers.pop(layer_id, None)
        if layer is None:
            return
        layer.hide()
        for cache in (self.uploaded, self.decoded):
            for key in [key for key in cache if key[0] is layer]:
                cache.remove(key)
                layer.release(key[1])
        self._waiting = {key: None for key in self._waiting if key[0] is not layer}

    def close(self) -> None:
        """Release everything; does not wait for what is being read."""
        self._loader.close()
        for layer_id in list(self._layers):
            self.remove(layer_id)

    def notes(self) -> list[str]:
        """Return what was left out since the last time that somebody asked."""
        found = []
        for layer in self._layers.values():
            notes = layer.data.source.notes
            found += notes[layer.told :]
            layer.told = len(notes)
        return found

    # -- frames ------------------------------------------------------------------------------

    def frame(
        self, camera: Camera, size: Size, shows: Mapping[str, float], moving: bool = False
    ) -> bool:
        """Bring the tiles up to a camera; tell whether the picture changed.

        Parameters
        ----------
        shows : mapping
            Opacities of the layers that are visible, by their ids.
        """
        if not self._layers:
            return False
        self._frames += 1
        self._moving = moving
        self._set_limits()
        self._take()
        visible = [(self._layers[i], opacity) for i, opacity in shows.items() if i in self]
        for layer, _ in visible:
            layer.start(camera, size, self._limits_of(layer, len(visible), moving))
        for layer in self._layers.values():
            if all(layer is not one for one, _ in visible):
                layer.hide()
        self._touch()
        self.uploaded.room_for(0.0, _is_needed, self._release)
        self.decoded.room_for(0.0, _is_needed, self._drop)
        self._upload(*(MOVING_UPLOAD if moving else RESTING_UPLOAD))
        changed = [layer.finish(opacity, moving) for layer, opacity in visible]
        self._want()
        if self._frames % TIDY == 0:
            for layer in self._layers.values():
                layer.scheduler.forget(EXPANDED)
        return any(changed)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing from the last frame."""
        layers = self._layers.values()
        return all(layer.plan.complete and not layer.stale for layer in layers)

    @property
    def waiting(self) -> bool:
        """Whether the next frame has something to do though nothing new was read.

        Something that the picture needs was read and could not be taken yet, or the picture is
        complete and what the next movement needs can be read.
        """
        rests = self._rests == 1
        return rests or any(layer.needs(node) for layer, node in self._waiting)

    @property
    def gathering(self) -> bool:
        """Whether what was read had better wait for more, so that several tiles make one frame.

        Where nothing more is being read a wait would only keep the next level of the tree away;
        a movement brings the next frame by itself.
        """
        return self._moving or self._loader.reading

    @property
    def cost(self) -> float:
        """Triangles that the last frame counts for."""
        return sum(layer.triangles for layer in self._layers.values())

    def settle(self, frame: Callable[[], object], timeout: float) -> Settled:
        """Call `frame` until nothing is missing, or for so many seconds."""
        until = time.monotonic() + timeout
        frame()
        while not self.complete and (left := until - time.monotonic()) > 0:
            self._loader.wait(min(left, 0.5))
            frame()
        errors = [layer.plan.error for layer in self._layers.values()]
        return Settled(self.complete, max(errors, default=0.0))

    def note_frame(self, seconds: float) -> None:
        """Learn from a frame of a movement how much the next one may show."""
        if self._pace is not None and self._layers:
            self._pace.note(seconds, self.cost)

    # -- limits ------------------------------------------------------------------------------

    def _set_limits(self) -> None:
        budget = self._budget()
        self.decoded.limit = budget.tile_memory * self.share
        self.uploaded.limit = budget.tile_upload * self.share
        if self._pace is None or self._pace.most != budget.tile_triangles:
            self._pace = Pace(budget.moving_triangles, budget.tile_triangles)

    def _limits_of(self, layer: TileLayer, count: int, moving: bool) -> Limits:
        budget, request = self._budget(), layer.dress.request
        triangles = budget.tile_triangles * self.share
        if is_cloud(request.layer.data):
            triangles = budget.points * POINT * self.share
        if moving and self._pace is not None:
            triangles = min(triangles, self._pace.triangles)
        part = PICTURE * self._squeeze / count
        return Limits(
            pixels=pixels_for(request),
            error=self.error,
            triangles=triangles / count if math.isinf(self.error) else math.inf,
            decoded=self.decoded.limit * part,
            uploaded=self.uploaded.limit * part,
            guess=math.isinf(self.error),
        )

    # -- what was read -----------------------------------------------------------------------

    def _take(self) -> None:
        for done in self._loader.take():
            layer, node, children = done.job.key
            if all(layer is not one for one in self._layers.values()):
                continue
            if children:
                self._take_children(layer, node, done)
            else:
                self._take_content(layer, node, done)

    def _take_children(self, layer: TileLayer, node: Node, done: Done) -> None:
        if done.error is not None:
            _leave_out(layer, node, done.error)
        layer.scheduler.take_children(node, done.value or node.family((), layer.data.source))

    def _take_content(self, layer: TileLayer, node: Node, done: Done) -> None:
        if done.error is not None:
            _leave_out(layer, node, done.error)
        held: Held = done.value or Held(None, layer.dress, [])
        key, size = (layer, node), held.decoded
        node.known, node.cost, node.uploaded = True, held.triangles, held.uploaded
        node.decoded = size
        old: Held | None = node.holds
        grown = size if old is None else size - old.decoded
        if not self.decoded.room_for(grown, _is_needed, self._drop):
            # The picture takes more than was thought: the next one has to do with less.
            self._squeeze = max(0.9 * self._squeeze, 0.1)
            return
        old = node.holds  # may have gone to make room
        if old is not None:
            held.drawn = old.drawn
        node.holds = held
        self.decoded.add(key, size)
        if held.look is layer.dress:
            self._waiting[key] = None
        else:
            held.parts = None  # made for a style of before: made anew from the content

    def _drop(self, key: Key) -> None:
        layer, node = key
        layer.release(node)
        self.uploaded.remove(key)
        self._waiting.pop(key, None)
        node.holds = None

    def _release(self, key: Key) -> None:
        layer, node = key
        layer.release(node)

    # -- actors ------------------------------------------------------------------------------

    def _touch(self) -> None:
        """Note what the frame uses: what it only passes may go first, what it shows last."""
        for layer in self._layers.values():
            for node in (*layer.plan.passed, *layer.cut, *layer.plan.needed):
                self.decoded.use((layer, node))
                self.uploaded.use((layer, node))

    def _upload(self, seconds: float, size: float) -> None:
        """Make actors of what was read, of what the picture needs first; at least of one tile."""
        until, spent = time.perf_counter() + seconds, 0.0
        for key in sorted(self._waiting, key=_urgency):
            layer, node = key
            needed = layer.needs(node)
            ahead = self.uploaded.total + node.uploaded > AHEAD * self.uploaded.limit
            if not needed and ahead and node.frame != layer.scheduler.frame:
                continue
            if not self.uploaded.room_for(node.uploaded, _is_needed, self._release):
                self._squeeze = max(0.9 * self._squeeze, 0.1)
                continue
            del self._waiting[key]
            layer.upload(node)
            self.uploaded.add(key, node.uploaded)
            self.decoded.add(key, node.holds.decoded)
            spent += node.uploaded
            if spent > size or time.perf_counter() > until:
                return

    # -- what to read ------------------------------------------------------------------------

    def _want(self) -> None:
        jobs: list[tuple[float, str, Job]] = []
        for layer in self._layers.values():
            for want in layer.plan.wants[:MOST_JOBS]:
                if (job := self._job(layer, want)) is not None:
                    jobs.append((want.rank, want.name, job))
            for node in layer.stale:
                if (job := self._job(layer, Want(-math.inf, node.name, node))) is not None:
                    jobs.append((-math.inf, node.name, job))
        # A complete picture is drawn first: reading ahead would only slow that down.
        self._rests = self._rests + 1 if self.complete and self._layers else 0
        if not jobs and self._rests > 1 and self.decoded.total < AHEAD * self.decoded.limit:
            jobs = list(self._ahead())
        jobs.sort(key=lambda one: one[:2])
        self._loader.want([job for _, _, job in jobs[:MOST_JOBS]])

    def _ahead(self) -> Iterator[tuple[float, str, Job]]:
        for layer in self._layers.values():
            for number, want in enumerate(layer.scheduler.spare(layer.plan)):
                if number >= MOST_JOBS:
                    break
                if (job := self._job(layer, want)) is not None:
                    yield want.rank, want.name, job

    def _job(self, layer: TileLayer, want: Want) -> Job | None:
        node, dress = want.node, layer.dress
        key = (layer, node, want.children)
        if want.children:
            return Job(key, partial(layer.scheduler.read_children, node))
        if (layer, node) in self._waiting or node.tile is None:
            return None
        held: Any = node.holds
        if held is not None:
            return Job(key, partial(clothe, held.content, dress))
        return Job(key, partial(read, layer.data.source, node.tile, dress))


def _is_needed(key: Key) -> bool:
    layer, node = key
    return layer.needs(node)


def _urgency(key: Key) -> tuple[bool, float, str]:
    layer, node = key
    return not layer.needs(node), -node.pixels, node.name


def _leave_out(layer: TileLayer, node: Node, error: Exception) -> None:
    name = node.name[-120:] or layer.dress.request.layer.name
    layer.data.source.note(tr("“{name}” is left out: {why}.", name=name, why=error))
