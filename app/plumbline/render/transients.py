"""Layers that are drawn but are not in the scene: what a tool shows before anything is decided.

They cannot be picked, so that a click goes to what is really there. While one is being prepared
the last picture of it stays, and of those that come meanwhile only the newest is prepared next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vtkmodules.vtkRenderingCore import vtkRenderer

from plumbline.core.layer import Layer, LayerStyle
from plumbline.render.kinds import prepare
from plumbline.render.parts import Drawn, Part, Prepared, Request


@dataclass
class _Shown:
    layer: Layer
    style: LayerStyle
    busy: bool = False
    stale: bool = True
    drawn: list[Drawn] = field(default_factory=list)


class Transients:
    """Layers by a key of the tool's choice.

    Parameters
    ----------
    request : callable
        Returns what is to be prepared for a layer with a style.
    prepare_async : callable
        As for `SceneView`.
    make : callable
        Makes the actor of a part.
    changed : callable
        Called when the picture has changed.
    """

    def __init__(
        self,
        renderer: vtkRenderer,
        request: Callable[[Layer, LayerStyle], Request],
        prepare_async: Callable[[Callable[[], Any], Callable[[Any], None]], None],
        make: Callable[[Part], Drawn],
        changed: Callable[[], None],
    ) -> None:
        self._renderer, self._request, self._make = renderer, request, make
        self._prepare_async, self._changed = prepare_async, changed
        self._shown: dict[str, _Shown] = {}

    @property
    def drawn(self) -> Iterator[Drawn]:
        """Everything that is drawn."""
        return (drawn for shown in self._shown.values() for drawn in shown.drawn)

    @property
    def layers(self) -> list[tuple[Layer, LayerStyle]]:
        """The layers with their styles, for the legend."""
        return [(shown.layer, shown.style) for shown in self._shown.values()]

    def show(self, key: str, layer: Layer, style: LayerStyle) -> None:
        """Draw a layer; it replaces that of the same key as soon as it is ready."""
        shown = self._shown.setdefault(key, _Shown(layer, style))
        shown.layer, shown.style, shown.stale = layer, style, True
        self._start(key)

    def adopt(self, other: Transients) -> None:
        """Draw the layers that another view draws."""
        for key, shown in other._shown.items():
            self.show(key, shown.layer, shown.style)

    def remove(self, key: str) -> None:
        """Take a layer away."""
        shown = self._shown.pop(key, None)
        if shown is not None:
            self._remove_actors(shown)
            self._changed()

    def clear(self) -> None:
        """Take all layers away."""
        for key in list(self._shown):
            self.remove(key)

    def restart(self) -> None:
        """Prepare all anew: the ground, the colours or the scene's origin have changed."""
        for key, shown in self._shown.items():
            shown.stale = True
            self._start(key)

    def _start(self, key: str) -> None:
        shown = self._shown[key]
        if shown.busy or not shown.stale:
            return
        shown.busy, shown.stale = True, False
        request = self._request(shown.layer, shown.style)

        def work() -> Prepared | Exception:
            try:
                return prepare(request)
            except Exception as error:  # carried to the thread that waits for the result
                return error

        def done(result: Prepared | Exception) -> None:
            shown.busy = False
            if self._shown.get(key) is not shown:
                return
            if isinstance(result, Prepared):
                self._install(shown, result)
            self._start(key)
            if isinstance(result, Exception):
                raise result

        self._prepare_async(work, done)

    def _install(self, shown: _Shown, prepared: Prepared) -> None:
        self._remove_actors(shown)
        for part in prepared.parts:
            drawn = self._make(part)
            self._renderer.AddActor(drawn.actor)
            drawn.show(True, 1.0)
            shown.drawn.append(drawn)
        self._changed()

    def _remove_actors(self, shown: _Shown) -> None:
        for drawn in shown.drawn:
            self._renderer.RemoveActor(drawn.actor)
        shown.drawn = []
