"""What of a tree is chosen, read and kept: no graphics, sources that exist only as numbers."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from tile_city import City, districts

from plumbline.core.data import Bounds
from plumbline.core.scene import Camera
from plumbline.core.tiles import Content, Tile, TileSource
from plumbline.render import camera as moves
from plumbline.render.streaming.cache import ByteCache
from plumbline.render.streaming.loader import Job, Loader
from plumbline.render.streaming.pace import LEAST, TARGET, Pace
from plumbline.render.streaming.scheduler import Limits, Plan, Scheduler
from plumbline.render.streaming.tree import MAX_DEPTH, Node
from plumbline.render.streaming.view import TileView

SIZE = (1600, 1000)


def oblique(source: City, away: float = 400.0) -> Camera:
    x, y, _ = source.middle
    return Camera((x, y - away, 0.7 * away), (x, y, 0.0))


def run(
    scheduler: Scheduler, view: TileView, limits: Limits, chance: float = 1.0, frames: int = 60
) -> Plan:
    """Plan frames, reading each thing that is wanted with a chance, until nothing is missing."""
    random = np.random.default_rng(3)
    for _ in range(frames):
        plan = scheduler.plan(view, limits)
        wants = list(plan.wants)
        for want in wants:
            if want.children:
                scheduler.take_children(want.node, scheduler.read_children(want.node))
            elif random.random() < chance:
                want.node.ready = want.node.known = True
                want.node.cost = 1000.0
        scheduler.cover(plan, view)
        check_cover(scheduler, plan)
        if not wants:
            break
    return plan


def above(node: Node) -> list[Node]:
    found = []
    up = node.parent
    while up is not None:
        found.append(up)
        up = up.parent
    return found


def check_cover(scheduler: Scheduler, plan: Plan) -> None:
    """No tile is drawn with one above it; what is needed is there, or something stands for it."""
    drawn = set(plan.draw)
    assert len(drawn) == len(plan.draw)
    for node in drawn:
        assert node.ready
        assert not drawn & set(above(node)), "drawn twice"
    if not drawn:
        return
    for node in plan.needed:
        if not node.ready and not any(up.ready and up.has_content for up in above(node)):
            continue  # nothing was ever read for this place
        inside = node in drawn or bool(drawn & set(above(node)))
        assert inside or any(node in above(one) for one in drawn), "a hole"


def test_boxes_in_view_are_those_with_a_corner_on_the_screen() -> None:
    random = np.random.default_rng(1)
    camera = Camera((10.0, -300.0, 200.0), (0.0, 0.0, 10.0))
    low = random.uniform(-400, 400, (500, 3)) * (1, 1, 0.1)
    boxes = np.hstack([low, low + random.uniform(1, 30, (500, 3))])
    for projection in (camera, replace(camera, parallel=True, parallel_scale=120.0)):
        seen, pixels = TileView.of(projection, SIZE).look_at(boxes)
        points = random.uniform(0, 1, (500, 200, 3)) * (boxes[:, None, 3:] - boxes[:, None, :3])
        points = (points + boxes[:, None, :3]).reshape(-1, 3)
        x, y, depth = moves.project(projection, points, SIZE).T
        on = (x >= 0) & (x <= SIZE[0]) & (y >= 0) & (y <= SIZE[1])
        if not projection.parallel:
            on &= depth > 0
        met = on.reshape(500, 200).any(axis=1)
        assert met.sum() > 50
        assert seen[met].all()
        assert 0 < (seen & ~met).sum() < 120  # an edge of the screen only touches them
        if projection.parallel:
            np.testing.assert_allclose(pixels, SIZE[1] / 240.0)
            continue
        # No place of a box is nearer than what its pixels were told from.
        away = np.linalg.norm(points - projection.position, axis=1).reshape(500, 200)
        assert (pixels >= SIZE[1] / 2 / np.tan(np.radians(15)) / away.min(axis=1) - 1e-9).all()


def test_tiles_are_refined_to_pixels_without_holes_whatever_comes_first() -> None:
    source = City(6)
    for chance in (1.0, 0.3, 0.05):
        scheduler = Scheduler(source)
        view = TileView.of(oblique(source), SIZE)
        plan = run(scheduler, view, Limits(8.0), chance, frames=400)
        assert plan.complete
        assert set(plan.draw) == set(plan.needed)
        assert all(node.leaf or node.pixels <= 8 for node in plan.draw)
        # Nothing is finer than it must be: of each tile the one above was too coarse.
        assert all(node.parent is None or node.parent.pixels > 8 for node in plan.draw[1:])


def test_what_was_read_lets_the_next_level_be_read_before_it_is_drawn() -> None:
    source = City(districts(1_000))
    scheduler = Scheduler(source)
    view, limits = TileView.of(oblique(source), SIZE), Limits(8.0)
    for _ in range(3):
        wants = scheduler.plan(view, limits).wants
        for want in wants:
            if want.children:
                scheduler.take_children(want.node, scheduler.read_children(want.node))
    # As long as nothing stands for the place, of contents the coarsest is wanted alone.
    (root,) = [want.node for want in wants if not want.children]
    assert root.name == "0/0/0"
    root.holds = "read"
    wants = scheduler.plan(view, limits).wants
    assert not root.ready
    assert any(want.node.parent is not None and not want.children for want in wants[1:])


def test_a_movement_leaves_no_holes() -> None:
    source = City(8)
    scheduler = Scheduler(source)
    random = np.random.default_rng(5)
    x, y, _ = source.middle
    for step in range(60):
        away = 150 + 20 * step
        camera = Camera((x + 10 * step, y - away, 0.6 * away), (x + 10 * step, y, 0.0))
        view = TileView.of(camera, SIZE)
        plan = scheduler.plan(view, Limits(8.0))
        for want in plan.wants[:6]:
            if want.children:
                scheduler.take_children(want.node, scheduler.read_children(want.node))
            elif random.random() < 0.5:
                want.node.ready = want.node.known = True
        scheduler.cover(plan, view)
        check_cover(scheduler, plan)


def test_budgets_hold_and_the_nearest_gets_the_most() -> None:
    source = City(6)
    scheduler, view = Scheduler(source), TileView.of(oblique(source, 300.0), SIZE)
    free = run(Scheduler(source), view, Limits(2.0))
    most = 0.6 * sum(node.cost for node in free.draw)
    plan = run(scheduler, view, Limits(2.0, triangles=most))
    assert plan.complete
    assert not free.limited
    assert plan.limited
    assert 0.5 * most <= sum(node.cost for node in plan.draw) <= most
    errors = np.array([node.error for node in plan.draw])
    away = np.array([_away(node, view) for node in plan.draw])
    assert away[errors == errors.min()].mean() < away[errors == errors.max()].mean()


def _away(node: Node, view: TileView) -> float:
    assert node.tile is not None
    return float(np.linalg.norm(np.array(node.tile.bounds.center) - view.eye))


def test_an_error_in_metres_is_kept_everywhere() -> None:
    source = City(3)
    scheduler, view = Scheduler(source), TileView.of(oblique(source, 900.0), SIZE)
    plan = run(scheduler, view, Limits(8.0, error=2.0))
    assert plan.complete
    assert {node.error for node in plan.draw} == {2.0}
    assert plan.error == 2.0


def test_a_frame_touches_as_much_of_a_large_city_as_of_a_small_one() -> None:
    visits, drawn = [], []
    for tiles in (1_000, 10_000, 100_000):
        source = City(districts(tiles))
        assert 0.7 * tiles < source.tiles < 1.3 * tiles
        scheduler = Scheduler(source)
        # Low over the roofs, so that all that can be seen is there in the small city too.
        x, y, _ = source.middle
        camera = Camera((x, y, 300.0), (x, y + 1.0, 0.0))
        plan = run(scheduler, TileView.of(camera, SIZE), Limits(16.0))
        assert plan.complete
        visits.append(plan.visits)
        drawn.append(len(plan.draw))
    assert drawn[0] == drawn[1] == drawn[2]
    # Groups of many children add a few steps, their number grows with the logarithm.
    assert max(visits) < 2 * min(visits) + 200


class Broken(TileSource):
    """A tree that is made to do harm."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def roots(self) -> tuple[Tile, ...]:
        return (Tile("root", Bounds(0, 0, 0, 100, 100, 10), 64.0),)

    def children(self, tile: Tile) -> tuple[Tile, ...]:
        box = tile.bounds
        if self.kind == "circle":
            return (replace(tile, error=1000.0),)
        if self.kind == "endless":
            return (Tile(tile.id + "/0", box, tile.error),)
        if self.kind == "raises":
            raise ValueError("no such thing")
        boxes = {
            "absurd": Bounds(0, 0, 0, 1e30, 1, 1),
            "nan": Bounds(float("nan"), 0, 0, 1, 1, 1),
            "reversed": Bounds(50, 0, 0, -50, 1, 1),
        }
        errors = {"negative": -5.0, "infinite": math.inf, "none": math.nan}
        child = Tile("child", boxes.get(self.kind, box), errors.get(self.kind, 1.0), is_leaf=True)
        return (child,)

    def content(self, tile: Tile) -> Content | None:
        return None


@pytest.mark.parametrize("kind", ["circle", "absurd", "nan", "reversed"])
def test_what_cannot_be_is_left_out_with_a_note(kind: str) -> None:
    source = Broken(kind)
    scheduler = Scheduler(source)
    view = TileView.of(Camera((50.0, -50.0, 50.0), (50.0, 50.0, 0.0)), SIZE)
    plan = run(scheduler, view, Limits(1.0))
    assert plan.complete
    assert [node.name for node in plan.draw] == ["root"]
    assert len(source.notes) == 1


@pytest.mark.parametrize("kind", ["negative", "infinite", "none"])
def test_errors_never_grow_downwards_and_are_lengths(kind: str) -> None:
    scheduler = Scheduler(Broken(kind))
    view = TileView.of(Camera((50.0, -50.0, 50.0), (50.0, 50.0, 0.0)), SIZE)
    plan = run(scheduler, view, Limits(1.0))
    assert [node.name for node in plan.draw] == ["child"]
    assert plan.draw[0].error == 0.0


def test_an_endless_tree_ends() -> None:
    scheduler = Scheduler(Broken("endless"))
    view = TileView.of(Camera((50.0, -50.0, 50.0), (50.0, 50.0, 0.0)), SIZE)
    plan = run(scheduler, view, Limits(1.0), frames=3 * MAX_DEPTH)
    assert plan.complete
    assert plan.draw[0].depth == MAX_DEPTH


def test_the_cache_lets_go_of_the_oldest_that_nobody_needs() -> None:
    cache: ByteCache[str] = ByteCache(100.0)
    gone: list[str] = []
    for name in "abcd":
        assert cache.room_for(25.0, lambda _: False, gone.append)
        cache.add(name, 25.0)
    cache.use("a")
    assert cache.room_for(40.0, lambda name: name == "b", gone.append)
    assert gone == ["c", "d"]
    cache.add("e", 40.0)
    assert not cache.room_for(60.0, lambda _: True, gone.append)
    assert cache.total == cache.peak - 10 == 90.0
    assert "e" in cache
    assert "c" not in cache


def test_the_loader_reads_the_most_urgent_and_not_what_left_the_view() -> None:
    gate, read = threading.Event(), []

    def job(name: str) -> Job:
        return Job(name, lambda: (gate.wait(20), read.append(name)))

    loader = Loader(1)
    loader.want([job("first"), job("second"), job("third")])
    while len(loader._running) == 0:  # it has begun with the first
        loader.wait(0.01)
    loader.want([job("third"), job("first"), job("fourth")])
    gate.set()
    done: list[str] = []
    while loader.busy:
        loader.wait(5)
        done += [one.job.key for one in loader.take()]
    loader.close()
    loader.join()
    assert read == done == ["first", "third", "fourth"]


def test_the_loader_carries_errors_and_wakes_nobody_after_its_end() -> None:
    woken: list[int] = []
    loader = Loader(2, lambda: woken.append(1))

    def fail() -> None:
        raise ValueError("broken")

    loader.want([Job("bad", fail)])
    assert loader.wait(20)
    (done,) = loader.take()
    assert isinstance(done.error, ValueError)
    gate = threading.Event()
    loader.want([Job("late", lambda: gate.wait(20))])
    while len(loader._running) == 0:
        loader.wait(0.01)
    loader.close()
    gate.set()
    loader.join()
    assert woken == [1]
    assert loader.take() == []


def test_frames_that_take_too_long_make_the_next_one_lighter() -> None:
    pace = Pace(500_000, 1_000_000)
    for _ in range(40):
        pace.note(0.02 + pace.triangles * 1e-6, pace.triangles)  # a microsecond each
    assert 0.02 + pace.triangles * 1e-6 == pytest.approx(TARGET, rel=0.05)


def test_frames_that_take_long_whatever_they_show_still_show_something() -> None:
    pace = Pace(150_000, 1_000_000)
    for _ in range(60):
        pace.note(0.2 + pace.triangles * 1e-7, pace.triangles)
    # Three tenths of 0.2 s at 0.1 microseconds each.
    assert pace.triangles == pytest.approx(600_000, rel=0.1)
    slow = Pace(150_000, 1_000_000)
    for _ in range(40):
        slow.note(slow.triangles * 1e-4, slow.triangles)
    assert slow.triangles == LEAST
