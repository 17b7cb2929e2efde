"""Whether a large source is still the one it was, told in seconds.

A production of 40 GB cannot be hashed whole at every opening. What stands for its content is stated
as what it is: a *fingerprint*, made of the names and sizes of its files, of its index whole, and of
samples of content at places that only depend on the sizes. An edit that keeps the size of a file
and all sampled bytes is not noticed; every other one is. Times of files have no part in it: copying
a project must not look like a change.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

#: Files up to this size are hashed whole.
WHOLE = 512 * 1024 * 1024
#: Loaders whose sources are folders behind an index file.
FOLDERS = ("osgb", "3dtiles", "ept")
#: Samples of a file, their size, and files of a folder that are sampled.
SAMPLES, SAMPLE, SAMPLED_FILES = 64, 65_536, 64
#: Files of a folder that are listed.
MAX_FILES = 500_000


def is_sampled(path: Path, loader: str) -> bool:
    """Tell whether a source is known by a fingerprint and not by the hash of all its bytes."""
    return loader in FOLDERS or path.stat().st_size > WHOLE


def fingerprint(path: Path, loader: str) -> str:
    """Return the fingerprint of a source, empty where it is small enough to be hashed whole.

    Parameters
    ----------
    path : Path
        A file, or the index file of a folder.

    Returns
    -------
    str
        ``"files-1:"`` or ``"samples-1:"`` and 64 hexadecimal digits: how it was made, and what of.
    """
    if loader in FOLDERS:
        return "files-1:" + _folder(path).hexdigest()
    if path.stat().st_size > WHOLE:
        return "samples-1:" + sampled(path)
    return ""


def sampled(path: Path) -> str:
    """Return the hash of samples of a file, 64 hexadecimal digits."""
    return _samples(path).hexdigest()


def _samples(path: Path) -> hashlib._Hash:
    """Return the hash of a file's size and of samples of it, the first and the last bytes too."""
    size = path.stat().st_size
    found = hashlib.sha256(f"{size}".encode())
    with path.open("rb") as stream:
        last = max(size - SAMPLE, 0)
        for n in range(SAMPLES):
            stream.seek(last * n // (SAMPLES - 1))
            found.update(stream.read(SAMPLE))
    return found


def _folder(path: Path) -> hashlib._Hash:
    """Return the hash of the list of files beside and below an index, of it, and of samples.

    A tile of a production stands for all of them: they may be opened by it.
    """
    inside = path.suffix.lower() == ".osgb" and path.parents[1].name == "Data"
    root = path.parents[1] if inside else path.parent
    found = hashlib.sha256(path.read_bytes())
    listed = sorted(_files(root))
    for name, size in listed:
        found.update(f"{name}\0{size}\n".encode())
    step = max(1, len(listed) // SAMPLED_FILES)
    for name, _ in listed[::step]:
        with (root / name).open("rb") as stream:
            found.update(stream.read(SAMPLE))
    return found


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """Yield the path inside a folder and the size of its files; links are not followed."""
    stack, count = [root], 0
    while stack:
        folder = stack.pop()
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.is_dir(follow_symlinks=False):
                    stack.append(folder / entry.name)
                elif entry.is_file(follow_symlinks=False):
                    count += 1
                    if count > MAX_FILES:
                        return
                    name = (folder / entry.name).relative_to(root).as_posix()
                    yield name, entry.stat(follow_symlinks=False).st_size
