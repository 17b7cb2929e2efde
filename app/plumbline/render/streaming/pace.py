"""How many triangles a frame may have so that the picture keeps up with the hand."""

from __future__ import annotations

import numpy as np

#: Seconds that a frame should take while the camera moves.
TARGET = 0.085
#: A frame of fewer triangles shows too little to steer by.
LEAST = 20_000.0
#: Where a frame takes long whatever it shows, triangles may take this share of that beside it.
BESIDE = 0.3
#: How much older frames count, each against the next one; and how fast the number may grow.
FADE, GROWTH = 0.85, 1.2


class Pace:
    """Learns from the frames of a movement what the next one may cost.

    The time of a frame is taken for a part that is always there and one for each triangle: a line
    through the latest frames.

    Parameters
    ----------
    start : float
        Triangles of the first moving frame.
    most : float
        Triangles of a picture at rest, the most that a moving one may have.
    """

    def __init__(self, start: float, most: float) -> None:
        self.most = most
        self.triangles = min(start, most)
        #: Sums over frames: their number, triangles, seconds, and products of these.
        self._sums = np.zeros(5)
        #: Share of the time that a frame always takes.
        self._share = 0.0

    def note(self, seconds: float, triangles: float) -> None:
        """Learn from a moving frame: how long it took, and how many triangles it had."""
        x = triangles / 1e5
        self._sums = FADE * self._sums + (1.0, x, seconds, x * x, x * seconds)
        always, each = self._line()
        room = max(TARGET - always, BESIDE * always)
        wanted = 1e5 * room / max(each, 1e-9)
        if triangles < 0.5 * self.triangles:
            wanted = min(wanted, self.triangles)  # the limit was not what held it
        self.triangles = min(max(LEAST, min(wanted, GROWTH * self.triangles)), self.most)

    def _line(self) -> tuple[float, float]:
        """Return seconds that a frame always takes, and those of each 100,000 triangles.

        As long as all frames are alike nothing new tells the two from each other.
        """
        n, x, t, xx, xt = self._sums
        spread = xx / n - (x / n) ** 2
        if spread > 1e-3 * (x / n) ** 2:
            each = max((xt / n - x * t / n**2) / spread, 0.0)
            self._share = float(np.clip(1 - each * x / max(t, 1e-9), 0.0, 1.0))
        always = self._share * t / n
        return always, (t / n - always) / max(x / n, 1e-9)
