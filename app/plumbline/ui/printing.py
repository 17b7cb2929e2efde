"""A result on paper: asked for in a tool's panel, written by a task as PDF, Word or Excel.

Of `volume.demolition` it is the statement to be signed; of every other result its sheet with a map.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from plumbline.analysis.store import write_result
from plumbline.api import Result, Scene, tr
from plumbline.services.documents import (
    FORMATS,
    Document,
    backdrop_of,
    demolition_statement,
    map_png,
    result_document,
    write_document,
)
from plumbline.services.documents.statement import ANALYSIS
from plumbline.services.documents.writing import check_format

NAMES = {".pdf": "PDF", ".docx": "Word", ".xlsx": "Excel", ".html": "HTML"}


def file_filter() -> str:
    """Return the formats as a file dialog shows them."""
    return ";;".join(f"{NAMES[ending]} (*{ending})" for ending in FORMATS)


def printer(
    result: Result,
    scene: Scene,
    path: Path,
    *,
    word: Callable[[str], str],
    view: bytes,
    operator: str,
) -> Callable[[], Path]:
    """Return what writes a result into a file, to be called in a worker.

    Parameters
    ----------
    scene : Scene
        Read here, on its own thread.
    word : callable
        Gives the translated name of a value, a table, a column or a figure.
    view : bytes
        PNG of what the canvas shows.

    Raises
    ------
    UsageError
        If the name of the file ends in no format.
    """
    if not path.suffix:
        path = path.with_suffix(".pdf")
    check_format(path)
    backdrop = backdrop_of(scene)

    def write() -> Path:
        if result.analysis == ANALYSIS:
            return write_document(_statement(result, view, operator), path)
        drawn = map_png(result, backdrop)
        document = result_document(result, word, map_picture=drawn, view=view, operator=operator)
        return write_document(document, path)

    return write


def _statement(result: Result, view: bytes, operator: str) -> Document:
    """Return the statement of a result that is stored for it and forgotten again."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        picture = place / f"{tr('View')}.png"
        picture.write_bytes(view)
        stored = write_result(result, place / "result")
        return demolition_statement(stored, picture=picture, operator=operator)
