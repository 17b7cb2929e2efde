"""When receivers are lit: the course of a day's sun against triangles, exact to seconds.

A `SunTrack` is a day's sun at one place: samples at a step, and finer instants between them. A
receiver is lit at an instant when the sun stands at least at the band's least elevation, on the
outer side of the receiver's own surface, and a ray to the centre of the sun meets no triangle.
`lit_periods` finds for every receiver the periods in which it is lit::

    occluder = Occluder(obstacles.vertices, obstacles.triangles)
    receivers = Receivers(points, normals)                 # metres of obstacles.frame
    tracks = sun_tracks(obstacles.frame, points, Band(date(2001, 1, 20), 8 * 3600, 16 * 3600))
    lit = lit_periods(occluder, receivers, tracks, owner=obstacles.owner)
    lit.of(0)            # [(start, end), ...] seconds of UTC since 1970
    lit.darkness         # who stands in the way, when

Verdicts at the samples are those of casting every receiver at every sample with Embree; most are
proven without casting (`plumbline.geometry.sunlight_cells`). Where the verdict changes between two
samples the change is searched by bisection. Results do not depend on the number of threads.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, FloatArray
from plumbline.core.errors import RefusedError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.geometry.frame import Frame
from plumbline.geometry.sun import (
    Place,
    SunPositions,
    instants_of_civil_time,
    instants_of_solar_time,
    sun_positions,
)
from plumbline.geometry.sunlight_cells import (
    ASK,
    BLOCK,
    LIT,
    TriangleTree,
    curve_order,
    verdicts,
)

#: Receivers are lifted off their own surface by this, metres: along the normal, else upwards.
LIFT = 0.02

#: Instants between which a change of light is pinned down are at most this far apart, seconds; the
#: middle is reported.
FINEST = 10.0

#: Edge of the squares that share one track, metres: within one the sun's direction differs by less
#: than 0.005 degrees, convergence included, which the sun covers in about a second.
ZONE = 500.0

#: Verdicts that are in memory together, for each thread; rays that are cast together.
BATCH, RAYS = 4_000_000, 500_000

#: So few verdicts are cast one by one: that takes less time than starting to prove them.
FEW = 2_000_000

#: Causes of darkness that are no triangle: the receiver's own wall, the band's least elevation.
OWN_WALL, TOO_LOW = -1, -2

Clock = Literal["true_solar", "civil"]
BoolArray = NDArray[np.bool_]


# -- the sun ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Band:
    """When light counts.

    Attributes
    ----------
    day : date
    start, end : float
        Seconds since midnight of `clock`.
    clock : str
        ``"true_solar"`` (the place's own) or ``"civil"`` (of `zone`).
    step : float
        Greatest distance of the samples, seconds; the band is divided evenly.
    least_elevation : float
        True elevation of the sun's centre below which its light does not count, degrees.
    """

    day: date
    start: float
    end: float
    clock: Clock = "true_solar"
    step: float = 60.0
    least_elevation: float = 0.0
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 86_400:
            raise UsageError(
                tr("The band of effective sunlight ends before it begins, or outside of the day."),
                tr("Give a start before the end, both between 0:00 and 24:00."),
            )
        if not 1.0 <= self.step <= 3600.0:
            raise UsageError(
                tr("A step of {step} s is out of range.", step=f"{self.step:g}"),
                tr("Give a step from 1 s to 60 min."),
            )

    def track(self, place: Place) -> SunTrack:
        """Return the course of the sun through the band at a place."""
        count = math.ceil((self.end - self.start) / self.step - 1e-9)
        step = (self.end - self.start) / count
        between = 2 ** max(0, math.ceil(math.log2(step / FINEST)))
        seconds = np.linspace(self.start, self.end, count * between + 1)
        if self.clock == "civil":
            times = instants_of_civil_time(self.day, seconds, self.zone)
        else:
            times = instants_of_solar_time(self.day, seconds, place)
        return SunTrack.of(sun_positions(times, place), between, self.least_elevation)


@dataclass(frozen=True)
class SunTrack:
    """A day's sun at one place.

    Attributes
    ----------
    times : (F,) float64
        Instants, seconds of UTC since 1970-01-01, rising.
    directions : (F, 3) float64
        Unit vectors towards the sun on the grid's axes.
    up : (F,) bool
        Whether the sun is high enough to count.
    between : int
        Every `between`-th instant is a sample; ``F = samples * between - between + 1``.
    """

    times: FloatArray
    directions: FloatArray
    up: BoolArray
    between: int

    @classmethod
    def of(cls, sun: SunPositions, between: int = 1, least_elevation: float = 0.0) -> SunTrack:
        """Return the track of positions at evenly spaced instants."""
        up = sun.elevation_true >= max(0.0, least_elevation)
        return cls(sun.times, sun.directions, up, between)

    @property
    def samples(self) -> FloatArray:
        """Instants ``(K,)`` of the samples."""
        return self.times[:: self.between]


#: Rows of receivers and the track that they share.
Tracks = Sequence[tuple[NDArray[np.intp], SunTrack]]


def sun_tracks(frame: Frame, points: AnyArray, band: Band) -> Tracks:
    """Return the tracks of receivers, one for each square of `ZONE` metres that holds some.

    Parameters
    ----------
    points : (N, 3) float64
        Metres of `frame`.

    Raises
    ------
    RefusedError
        If the project has no CRS tied to the earth, or the sun stays too low all the band.
    """
    tracks = [(rows, band.track(place)) for rows, place in zones(frame, points)]
    if tracks and not any(track.up.any() for _, track in tracks):
        raise RefusedError(
            tr("The sun does not rise high enough in this band of the day: no light counts."),
            tr("Choose another day or band, or a lower least elevation."),
        )
    return tracks


def zones(frame: Frame, points: AnyArray) -> Iterator[tuple[NDArray[np.intp], Place]]:
    """Yield rows of points that share a square of `ZONE` metres, and the square's middle."""
    places = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if len(places) == 0:
        return
    # Squares are counted from the CRS's own zero: a receiver's track depends on its place alone.
    squares = np.floor((places[:, :2] + np.multiply(frame.origin, frame.scale)[:2]) / ZONE)
    unique, owner = np.unique(squares, axis=0, return_inverse=True)
    for n, square in enumerate(unique):
        x, y = (square + 0.5) * ZONE / frame.scale[0]
        height = float(frame.origin[2] * frame.scale[2])
        rows = np.flatnonzero(owner.ravel() == n)
        yield rows, Place.of(frame.georeference, float(x), float(y), height)


# -- what stands in the way ------------------------------------------------------------------


class Occluder:
    """Triangles as Embree sees them: whether a ray meets any, and which first.

    Embree works in float32 on coordinates relative to the middle of the triangles: it can be wrong
    by about a millimetre in a city of a kilometre. Nothing is decided twice, so that verdicts are
    those of bare Embree.

    Parameters
    ----------
    vertices : (N, 3) float64
        Metres of a frame.
    triangles : (M, 3) integer
    """

    def __init__(self, vertices: AnyArray, triangles: AnyArray) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.vertices = np.asarray(vertices, dtype=np.float64)
        self.triangles = np.asarray(triangles)
        used = self.vertices[self.triangles.ravel()] if len(triangles) else np.zeros((1, 3))
        self.low, self.high = used.min(axis=0), used.max(axis=0)
        self.origin = (self.low + self.high) / 2
        self.tree: TriangleTree | None = None
        self._scene = EmbreeScene(robust=True)
        if len(self.triangles):
            local = np.ascontiguousarray(self.vertices - self.origin, dtype=np.float32)
            TriangleMesh(self._scene, local, np.ascontiguousarray(triangles, dtype=np.int32))

    def blocked(self, origins: AnyArray, directions: AnyArray) -> BoolArray:
        """Tell which rays ``(N, 3)`` meet a triangle."""
        return self._run(origins, directions, "OCCLUDED") >= 0

    def first(self, origins: AnyArray, directions: AnyArray) -> NDArray[np.intp]:
        """Return the first triangle of each ray, -1 where it meets none."""
        return self._run(origins, directions, "INTERSECT").astype(np.intp)

    def plant(self, origins: FloatArray) -> None:
        """Grow the tree in which verdicts are proven, once, for rays from these places."""
        if self.tree is None and len(self.triangles):
            reach = max(np.abs(part - self.origin).max() for part in (origins, self.low, self.high))
            corners = self.vertices[self.triangles] - self.origin
            self.tree = TriangleTree.of(corners, float(reach))

    def _run(self, origins: AnyArray, directions: AnyArray, query: str) -> AnyArray:
        if len(self.triangles) == 0 or len(origins) == 0:
            return np.full(len(origins), -1, dtype=np.int32)
        # What comes in float32 is relative to the middle already.
        if origins.dtype != np.float32:
            origins = self.relative(origins)
        found: AnyArray = self._scene.run(
            np.ascontiguousarray(origins),
            np.ascontiguousarray(directions, dtype=np.float32),
            query=query,
        )
        return found

    def relative(self, origins: AnyArray) -> AnyArray:
        """Return places as Embree sees them: float32, relative to the middle of the triangles."""
        relative: AnyArray = (origins - self.origin).astype(np.float32)
        return relative


@dataclass(frozen=True)
class Receivers:
    """Points that receive light.

    Attributes
    ----------
    points : (N, 3) float64
        Metres of a frame, on their surface; the engine lifts them off it by `LIFT`.
    normals : (N, 3) float64, optional
        Outward unit normals: the sun counts only on that side. Without normals receivers look
        everywhere and are lifted upwards.
    sweep : float
        Sweep angle, degrees: on upright surfaces the sun counts only where its azimuth is more
        than this off the plane of the wall.
    """

    points: FloatArray
    normals: FloatArray | None = None
    sweep: float = 0.0

    def __len__(self) -> int:
        return len(self.points)

    @property
    def origins(self) -> FloatArray:
        """Where the rays start ``(N, 3)``."""
        lift = np.array([0.0, 0.0, 1.0]) if self.normals is None else self.normals
        origins: FloatArray = np.asarray(self.points, dtype=np.float64) + LIFT * lift
        return origins

    def facing(self, rows: AnyArray, directions: FloatArray) -> BoolArray:
        """Tell whether receivers ``(B,)`` face sun directions ``(B, 3)``."""
        if self.normals is None:
            return np.ones(len(rows), dtype=np.bool_)
        normals = self.normals[rows]
        faces: BoolArray = np.einsum("nd,nd->n", normals, directions) > 1e-9
        if self.sweep > 0:
            flat, light = normals[:, :2], directions[:, :2]
            across = np.linalg.norm(flat, axis=1)
            reach = np.linalg.norm(light, axis=1) * across * math.sin(math.radians(self.sweep))
            # Only upright surfaces have reveals that shade them from the side.
            faces &= (across < 0.5) | (np.einsum("nd,nd->n", flat, light) > reach)
        return faces


# -- the answer ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Periods:
    """Periods of many receivers, one receiver after the other.

    Attributes
    ----------
    offsets : (N + 1,) intp
        Periods of receiver n are ``offsets[n]`` to ``offsets[n + 1]``.
    start, end : (P,) float64
        Seconds of UTC since 1970-01-01.
    """

    offsets: NDArray[np.intp]
    start: FloatArray
    end: FloatArray

    def of(self, n: int) -> list[tuple[float, float]]:
        """Return the periods of a receiver."""
        part = slice(self.offsets[n], self.offsets[n + 1])
        return list(zip(self.start[part].tolist(), self.end[part].tolist(), strict=True))

    def seconds(self, shortest: float = 0.0, most: int | None = None) -> FloatArray:
        """Return the total ``(N,)`` of periods not shorter than `shortest`, seconds.

        Only the `most` longest of each receiver add, all where it is None; of equal ones the
        earlier.
        """
        length = self.end - self.start
        counts = length >= shortest
        if most is not None:
            receiver = self.receiver
            order = np.lexsort((self.start, -length, receiver))
            place = np.empty(len(order), dtype=np.intp)
            place[order] = np.arange(len(order))
            counts &= place - self.offsets[receiver] < most
        return self._sums(np.where(counts, length, 0.0))

    def count(self, shortest: float = 0.0) -> NDArray[np.intp]:
        """Return the number ``(N,)`` of periods not shorter than `shortest` seconds."""
        return self._sums((self.end - self.start >= shortest).astype(np.float64)).astype(np.intp)

    def longest(self) -> FloatArray:
        """Return the length ``(N,)`` of the longest period, seconds; 0 where there is none."""
        longest = np.zeros(len(self.offsets) - 1)
        np.maximum.at(longest, self.receiver, self.end - self.start)
        return longest

    @property
    def receiver(self) -> NDArray[np.intp]:
        """Row ``(P,)`` of the receiver of each period."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def _sums(self, values: FloatArray) -> FloatArray:
        sums: FloatArray = np.zeros(len(self.offsets) - 1)
        np.add.at(sums, self.receiver, values)
        return sums


@dataclass(frozen=True)
class Darkness(Periods):
    """Dark periods with their cause; a change of cause begins a new one.

    Attributes
    ----------
    owner : (P,) intp
        Owner of the triangle that stands first in the way, `OWN_WALL` or `TOO_LOW`.
    """

    owner: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))


@dataclass(frozen=True)
class LitPeriods(Periods):
    """Lit periods of receivers.

    Attributes
    ----------
    band : (N, 2) float64
        First and last instant that was looked at, of each receiver.
    darkness : Darkness, optional
        Dark periods with their cause, where owners were given.
    rays : int
        Rays that were cast.
    """

    band: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    darkness: Darkness | None = None
    rays: int = 0


# -- the search ------------------------------------------------------------------------------


def lit_periods(
    occluder: Occluder,
    receivers: Receivers,
    tracks: Tracks,
    feedback: Feedback | None = None,
    *,
    owner: AnyArray | None = None,
    workers: int | None = None,
) -> LitPeriods:
    """Return the periods in which receivers are lit.

    Parameters
    ----------
    tracks : sequence of (rows, SunTrack)
        From `sun_tracks`; every receiver belongs to one.
    owner : (M,) integer, optional
        Owner of each triangle; the dark periods then name who stands in the way.
    workers : int, optional
        Threads; as many as there are processors otherwise.

    Raises
    ------
    CancelledError
        If someone cancelled through `feedback`.
    """
    feedback = feedback or Feedback()
    origins = receivers.origins
    count = sum(len(rows) * len(track.samples) for rows, track in tracks)
    if count > FEW:
        occluder.plant(origins)
    jobs = [
        _Job(occluder, receivers, origins[part], part, track, owner, count > FEW)
        for rows, track in tracks
        for part in _batches(rows, origins, len(track.samples))
    ]
    found: list[_Found] = []
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        waiting = [pool.submit(job.solve, feedback) for job in jobs]
        try:
            for n, future in enumerate(waiting):
                feedback.step(n, len(jobs), tr("Following the sun"))
                found.append(future.result())
        finally:
            for future in waiting:
                future.cancel()
    return _gathered(len(receivers), tracks, found, owner is not None)


class _Job:
    """Some receivers of one track."""

    def __init__(
        self,
        occluder: Occluder,
        receivers: Receivers,
        origins: FloatArray,
        rows: NDArray[np.intp],
        track: SunTrack,
        owner: AnyArray | None,
        prove: bool,
    ) -> None:
        self.prove = prove
        self.occluder, self.receivers, self.track = occluder, receivers, track
        self.origins, self.rows, self.owner = origins, rows, owner
        self.places, self.suns = occluder.relative(origins), track.directions.astype(np.float32)
        self.rays = 0

    def solve(self, feedback: Feedback) -> _Found:
        feedback.check()
        lit, turns = self.verdicts()
        changes = self.changes(lit, turns)
        periods = _periods(lit, changes, self.track.times)
        dark = None if self.owner is None else self.darkness(lit, changes)
        return _Found(self.rows, periods, dark, self.rays)

    def lit(self, row: AnyArray, instant: AnyArray) -> BoolArray:
        """Tell whether receivers of the job are lit at instants of the track, pair by pair."""
        lit = self.track.up[instant]
        if self.receivers.normals is not None:
            lit &= self.receivers.facing(self.rows[row], self.track.directions[instant])
        ask = np.flatnonzero(lit)
        lit[ask] = ~self.occluder.blocked(self.places[row[ask]], self.suns[instant[ask]])
        self.rays += len(ask)
        return lit

    def verdicts(self) -> tuple[BoolArray, NDArray[np.int16] | None]:
        """Return the verdicts ``(K, B)`` at the samples, and the changes that are known."""
        samples = np.arange(0, len(self.track.times), self.track.between)
        everyone = np.arange(len(self.rows))
        if self.prove and self.occluder.tree is not None:
            return self._proven(everyone, samples)
        lit = np.empty((len(samples), len(everyone)), dtype=np.bool_)
        for k, instant in enumerate(samples):
            lit[k] = self.lit(everyone, np.full(len(everyone), instant))
        return lit, None

    def _proven(self, everyone: AnyArray, samples: AnyArray) -> tuple[BoolArray, NDArray[np.int16]]:
        """Return the verdicts, cast only where they cannot be proven."""
        assert self.occluder.tree is not None
        wanted = np.zeros((len(samples), len(everyone)), dtype=np.bool_)
        wanted[self.track.up[samples]] = True
        if self.receivers.normals is not None:
            for k in np.flatnonzero(self.track.up[samples]):
                rays = np.broadcast_to(self.track.directions[samples[k]], (len(everyone), 3))
                wanted[k] = self.receivers.facing(self.rows, rays)
        local = self.origins - self.occluder.origin
        state, turns = verdicts(
            self.occluder.tree, self.track.directions, self.track.between, local, wanted
        )
        sample, row = np.divmod(np.flatnonzero(state == ASK), len(everyone))
        lit: BoolArray = state == LIT
        for part in np.array_split(np.arange(len(row)), 1 + len(row) // RAYS):
            lit[sample[part], row[part]] = self.lit(row[part], samples[sample[part]])
        return lit, turns

    def changes(self, lit: BoolArray, turns: NDArray[np.int16] | None) -> _Changes:
        """Return the changes of light between neighbouring samples, each pinned down."""
        sample, row = np.divmod(np.flatnonzero(lit[1:] != lit[:-1]), lit.shape[1])
        ends = lit[sample, row]
        start = sample * self.track.between
        known = np.full(len(row), -1) if turns is None else turns[sample, row].astype(np.intp)
        open_ = np.flatnonzero(known < 0)
        low, high = start[open_], start[open_] + self.track.between
        while len(open_) and high[0] - low[0] > 1:
            middle = (low + high) // 2
            same = self.lit(row[open_], middle) == ends[open_]
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        last = start + known
        last[open_] = low
        times = (self.track.times[last] + self.track.times[last + 1]) / 2
        return _Changes(row, sample, times, ends)

    def darkness(self, lit: BoolArray, changes: _Changes) -> _Runs:
        """Return the dark runs and their cause: who stands first in the way at each sample."""
        assert self.owner is not None
        samples = self.track.samples
        row, sample = np.nonzero(~lit.T)
        instant = sample * self.track.between
        directions = self.track.directions[instant]
        cause = np.full(len(row), TOO_LOW, dtype=np.intp)
        up = self.track.up[instant]
        faces = self.receivers.facing(self.rows[row], directions)
        cause[up & ~faces] = OWN_WALL
        ask = np.flatnonzero(up & faces)
        first = self.occluder.first(self.origins[row[ask]], directions[ask])
        self.rays += len(ask)
        cause[ask] = np.where(first >= 0, self.owner[first], OWN_WALL)
        # A run begins where the receiver, the cause or the light changes.
        begins = np.ones(len(row), dtype=np.bool_)
        begins[1:] = np.diff(row).astype(bool) | (np.diff(sample) > 1) | (np.diff(cause) != 0)
        first_of = np.flatnonzero(begins)
        last_of = np.append(first_of[1:], len(row))[: len(first_of)] - 1
        # Light begins and ends where it was pinned down, causes change half-way between samples.
        pinned = np.empty((lit.shape[1], len(samples) + 1))
        pinned[:, 1:-1] = (samples[1:] + samples[:-1]) / 2
        pinned[:, 0], pinned[:, -1] = samples[0], samples[-1]
        pinned[changes.row, changes.sample + 1] = changes.times
        who = row[first_of]
        start, end = pinned[who, sample[first_of]], pinned[who, sample[last_of] + 1]
        return _Runs(who, start, end, cause[first_of])


@dataclass(frozen=True)
class _Changes:
    """Changes of light after a sample: row in the job, sample, instant, whether light ends."""

    row: NDArray[np.intp]
    sample: NDArray[np.intp]
    times: FloatArray
    ends: BoolArray


@dataclass(frozen=True)
class _Runs:
    """Periods by row in the job and time, with the owner of dark ones."""

    row: NDArray[np.intp]
    start: FloatArray
    end: FloatArray
    owner: NDArray[np.intp]


def _batches(rows: NDArray[np.intp], origins: FloatArray, samples: int) -> list[NDArray[np.intp]]:
    """Return rows in batches of neighbours whose verdicts fit into `BATCH`."""
    rows = rows[curve_order(origins[rows])]
    size = max(BLOCK, BATCH // samples // BLOCK * BLOCK)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@dataclass(frozen=True)
class _Found:
    """What a job found about its receivers."""

    rows: NDArray[np.intp]
    lit: _Runs
    dark: _Runs | None
    rays: int


def _periods(lit: BoolArray, changes: _Changes, times: FloatArray) -> _Runs:
    """Return the lit periods: changes, and the edges of the band where it is lit there."""
    edges = []
    for ends, column, instant in ((False, 0, times[0]), (True, -1, times[-1])):
        chosen = changes.ends == ends
        edge = np.flatnonzero(lit[column])
        row = np.concatenate([changes.row[chosen], edge])
        moment = np.concatenate([changes.times[chosen], np.full(len(edge), instant)])
        order = np.lexsort((moment, row))
        edges.append((row[order], moment[order]))
    (row, start), (_, end) = edges
    return _Runs(row, start, end, np.zeros(len(row), dtype=np.intp))


def _gathered(count: int, tracks: Tracks, found: list[_Found], named: bool) -> LitPeriods:
    """Return what all jobs found, in the order of the receivers."""
    band = np.zeros((count, 2))
    for rows, track in tracks:
        band[rows] = track.times[0], track.times[-1]
    lit = _in_order(count, [(job.rows, job.lit) for job in found])
    dark = None
    if named:
        runs = [(job.rows, job.dark) for job in found if job.dark is not None]
        dark = Darkness(*_in_order(count, runs))
    return LitPeriods(*lit[:3], band, dark, sum(job.rays for job in found))


def _in_order(
    count: int, parts: list[tuple[NDArray[np.intp], _Runs]]
) -> tuple[NDArray[np.intp], FloatArray, FloatArray, NDArray[np.intp]]:
    """Return offsets, starts, ends and owners of runs of several jobs, by receiver and time."""
    empty = np.empty(0, dtype=np.intp)
    receiver = np.concatenate([empty, *(rows[runs.row] for rows, runs in parts)])
    order = np.argsort(receiver, kind="stable")
    start = np.concatenate([empty, *(runs.start for _, runs in parts)])[order]
    end = np.concatenate([empty, *(runs.end for _, runs in parts)])[order]
    owner = np.concatenate([empty, *(runs.owner for _, runs in parts)])[order]
    offsets = np.zeros(count + 1, dtype=np.intp)
    np.cumsum(np.bincount(receiver, minlength=count), out=offsets[1:])
    return offsets, start.astype(np.float64), end.astype(np.float64), owner
