"""Undo and redo of scene edits: a stack of pairs of functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psygnal import Signal

#: Edits of the same thing within this time are one step (a dragged slider), seconds.
MERGE_WINDOW = 1.0


@dataclass
class _Edit:
    label: str
    redo: Callable[[], None]
    undo: Callable[[], None]
    key: str
    at: float


class History:
    """The stack; `changed` is emitted whenever what can be undone or redone changes."""

    changed = Signal()

    def __init__(self, limit: int = 200) -> None:
        self._done: list[_Edit] = []
        self._undone: list[_Edit] = []
        self._limit = limit
        #: Edits of the step that is open, None while each is a step of its own.
        self._open: list[_Edit] | None = None

    def do(
        self, label: str, redo: Callable[[], None], undo: Callable[[], None], key: str = ""
    ) -> None:
        """Carry out an edit and remember how to take it back.

        Edits that share a non-empty `key` and follow each other quickly become one step.
        """
        redo()
        if self._open is not None:
            self._open.append(_Edit(label, redo, undo, key, time.monotonic()))
            return
        last = self._done[-1] if self._done else None
        now = time.monotonic()
        if key and last and last.key == key and now - last.at < MERGE_WINDOW:
            last.redo, last.at = redo, now
        else:
            self._done = [*self._done[-self._limit + 1 :], _Edit(label, redo, undo, key, now)]
        self._undone.clear()
        self.changed.emit()

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Make one step of all edits within; if one of them fails, those before it are undone."""
        if self._open is not None:
            yield
            return
        edits = self._open = []
        try:
            yield
        except BaseException:
            for edit in reversed(edits):
                edit.undo()
            raise
        finally:
            self._open = None

        def redo() -> None:
            for edit in edits:
                edit.redo()

        def undo() -> None:
            for edit in reversed(edits):
                edit.undo()

        if edits:
            one = _Edit(label, redo, undo, "", time.monotonic())
            self._done = [*self._done[-self._limit + 1 :], one]
            self._undone.clear()
            self.changed.emit()

    @property
    def undo_label(self) -> str | None:
        """What undo would take back, None when nothing."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """What redo would do again, None when nothing."""
        return self._undone[-1].label if self._undone else None

    def undo(self) -> None:
        """Take back the last edit; does nothing when there is none."""
        if self._done:
            edit = self._done.pop()
            edit.undo()
            self._undone.append(edit)
            self.changed.emit()

    def redo(self) -> None:
        """Do the last undone edit again; does nothing when there is none."""
        if self._undone:
            edit = self._undone.pop()
            edit.redo()
            edit.key = ""
            self._done.append(edit)
            self.changed.emit()

    def clear(self) -> None:
        """Forget everything, e.g. after opening another project."""
        self._done.clear()
        self._undone.clear()
        self.changed.emit()
