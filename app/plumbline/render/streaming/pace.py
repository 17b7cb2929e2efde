"""How many triangles a frame may have so that the picture keeps up with the hand."""

from __future__ import annotations

#: Seconds that a frame should take while the camera moves, and what counts as well below that.
TARGET, EASY = 0.085, 0.06
#: A frame of fewer triangles shows too little to steer by.
LEAST = 20_000.0


class Pace:
    """Learns from the frames of a movement what the next one may cost.

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

    def note(self, seconds: float, triangles: float) -> None:
        """Learn from a moving frame: how long it took, and how many triangles it had."""
        if seconds > TARGET:
            # Rather a little too few: the next frame shall be in time.
            share = max(0.9 * TARGET / seconds, 0.3)
            self.triangles = max(LEAST, min(self.triangles, max(triangles, LEAST)) * share)
        elif seconds < EASY and triangles > 0.5 * self.triangles:
            self.triangles = min(self.most, self.triangles * 1.15)
