"""IFCZIP: one IFC file in a zip archive, unpacked within limits."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from plumbline.core.errors import InputError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.base import check_magic, damaged, reading
from plumbline.io.ifc import load_ifc
from plumbline.io.registry import LoadContext

TITLE = "IFCZIP"
#: Largest IFC file that is unpacked, and how many times larger than its archive it may be: text
#: packs to a tenth, a bomb to a thousandth.
MAX_BYTES, MAX_RATIO = 8 << 30, 200
_BLOCK = 1 << 20


def load_ifczip(path: Path, context: LoadContext) -> list[Layer]:
    """Read the IFC file in an archive; see `plumbline.io.ifc.load_ifc`.

    Raises
    ------
    InputError
        If the archive is damaged, or does not hold one IFC file.
    """
    check_magic(path, TITLE, [b"PK\x03\x04"])
    with tempfile.TemporaryDirectory(prefix="plumbline-ifczip-") as folder:
        inner = Path(folder) / f"{path.stem}.ifc"
        with reading(path, TITLE):
            _unpack(path, inner, context)
        layers = load_ifc(inner, context)
    for layer in layers:
        layer.metadata["format"] = f"{TITLE}: {layer.metadata['format']}"
    return layers


def _unpack(path: Path, inner: Path, context: LoadContext) -> None:
    """Write the archive's IFC file under a name of our own; names in archives are not trusted."""
    with zipfile.ZipFile(path) as archive:
        held = [one for one in archive.infolist() if one.filename.lower().endswith(".ifc")]
        if len(held) != 1:
            raise InputError(
                tr("“{name}” holds {n} IFC files, not one.", name=path.name, n=len(held)),
                tr("Unpack it and open the files in it."),
            )
        limit = min(MAX_BYTES, MAX_RATIO * path.stat().st_size)
        written = 0
        with archive.open(held[0]) as source, inner.open("wb") as target:
            while block := source.read(_BLOCK):
                written += len(block)
                if written > limit:
                    raise damaged(path, TITLE, tr("it unpacks to far more than it holds"))
                context.feedback.check()
                target.write(block)
