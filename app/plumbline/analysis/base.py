"""The class that every analysis is, and the request that names one.

`check` and `prepare` run on the scene's thread and are quick; `compute` is pure, runs in a worker
and sees only what `prepare` gave it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from plumbline.analysis.params import Params
from plumbline.analysis.result import Result
from plumbline.core.errors import Problem
from plumbline.core.feedback import Feedback
from plumbline.core.scene import Scene

P = TypeVar("P", bound=Params)


class Analysis(ABC, Generic[P]):
    """Base of analyses.

    Class attributes
    ----------------
    id : str
        Stable id, e.g. ``"measure.distance"``.
    version : str
        Raised whenever numbers can change.
    title, description : str
        English texts that pass through `tr`.
    Params : type
        The class of its parameters.
    """

    id: ClassVar[str]
    version: ClassVar[str] = "1"
    title: ClassVar[str] = ""
    description: ClassVar[str] = ""
    Params: ClassVar[type[Params]]

    def check(self, scene: Scene, params: P) -> list[Problem]:
        """Return what is wrong with a request, in words, before anything runs."""
        return []

    def layers(self, params: P) -> list[str]:
        """Return the ids of the layers that the request reads, for provenance."""
        return []

    def schemes(self, params: P) -> list[str]:
        """Return the ids of the schemes that the request reads besides the one it runs under.

        What they add and hide something of is loaded, goes into provenance and is replayed. An id
        that `layers` names too is the scheme's where the scene has no layer of that id; ids that
        are none are left alone.
        """
        return []

    @abstractmethod
    def prepare(self, scene: Scene, params: P) -> Any:
        """Return a snapshot of what `compute` needs; runs on the scene's thread."""

    @abstractmethod
    def compute(self, inputs: Any, params: P, feedback: Feedback) -> Result:
        """Return the result; pure, runs in a worker, asks `feedback` whether to go on."""


@dataclass(frozen=True)
class AnalysisRequest:
    """A request as plain data: stored in projects, replayed, sent to another process."""

    analysis: str
    params: dict[str, Any] = field(default_factory=dict)
    scheme: str = ""
    version: str = ""
