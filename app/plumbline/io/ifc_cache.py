"""Tessellated IFC models on disk, so that opening one again takes a fraction of the time.

An entry is the folder that the child wrote, sealed with checksums and moved into place in one
step; its name is a digest of everything that the content depends on. An entry that is not whole
counts as absent. Nothing in it can carry code.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
import uuid
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.io.child import DOCUMENT, ChildResult

_SEAL = "seal.json"
#: Most bytes that all entries may take; the least recently used go first.
_BUDGET = 4 * 1024**3
#: Age in seconds after which a folder left by a killed process is cleared away.
_STALE = 24 * 3600.0
_PART = ".part-"


def entry_key(parts: dict[str, Any]) -> str:
    """Return the name of the entry for content, versions and options."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


class Cache:
    """The folder of entries; every failure to read or write it means working without it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> ChildResult | None:
        """Return an entry, None where there is none that is whole."""
        entry = self.folder / key
        try:
            seal = json.loads((entry / _SEAL).read_text(encoding="utf-8"))
            blobs = {name: (entry / name).read_bytes() for name in seal}
            if any(zlib.crc32(blobs[name]) != crc for name, crc in seal.items()):
                raise ValueError("checksum")
            document = json.loads(blobs.pop(DOCUMENT))
            arrays = {
                name.removesuffix(".npy"): np.load(io.BytesIO(blob), allow_pickle=False)
                for name, blob in blobs.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        with contextlib.suppress(OSError):
            os.utime(entry)
        return ChildResult(document, arrays)

    def part(self) -> Path | None:
        """Return a new folder to build an entry in, None where nothing can be written."""
        part = self.folder / f"{_PART}{uuid.uuid4().hex}"
        try:
            part.mkdir(parents=True)
        except OSError:
            return None
        return part

    def keep(self, part: Path, key: str) -> None:
        """Seal a folder and move it to its place; it is gone afterwards either way."""
        try:
            seal = {f.name: zlib.crc32(f.read_bytes()) for f in part.iterdir()}
            (part / _SEAL).write_text(json.dumps(seal), encoding="utf-8")
            # What is there was not whole, or it would have been used.
            shutil.rmtree(self.folder / key, ignore_errors=True)
            part.rename(self.folder / key)
            self._tidy()
        except OSError:
            # Another process was faster, or the disk is full: the entry is a convenience.
            shutil.rmtree(part, ignore_errors=True)

    def _tidy(self) -> None:
        """Clear away what killed processes left, and the oldest entries beyond the budget."""
        entries = [(e.stat().st_mtime, e) for e in self.folder.iterdir() if e.is_dir()]
        room = _BUDGET
        for changed, entry in sorted(entries, reverse=True):
            if entry.name.startswith(_PART):
                if time.time() - changed > _STALE:
                    shutil.rmtree(entry, ignore_errors=True)
                continue
            room -= sum(f.stat().st_size for f in entry.iterdir())
            if room < 0:
                shutil.rmtree(entry, ignore_errors=True)
