"""What every loader shares: naming layers, refusing files, decoding names, sizes.

A file that comes in is hostile until read: `reading` turns whatever a reader raises on bad bytes
into one sentence, `check_magic` refuses a file that is not what its name says.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from plumbline.core.data import AnyArray
from plumbline.core.errors import InputError, UserError
from plumbline.core.i18n import tr

#: Encodings of names in files that do not say theirs, the strictest first.
NAME_ENCODINGS = ("utf-8-sig", "gb18030")


def mislabelled(path: Path, title: str, details: str = "") -> InputError:
    """Return the error for a file that is not what its name says."""
    return InputError(
        tr(
            "“{name}” is not what its name says: it is no {format} file.",
            name=path.name,
            format=title,
        ),
        tr("Check where it came from; it may be renamed, or not downloaded completely."),
        details,
    )


def damaged(path: Path, title: str, why: str, details: str = "") -> InputError:
    """Return the error for a file of the right kind that cannot be read."""
    return InputError(
        tr(
            "“{name}” cannot be read as {format}: {why}.",
            name=path.name,
            format=title,
            why=why.strip().rstrip(".。"),
        ),
        tr("Copy or export the file again."),
        details,
    )


@contextmanager
def reading(path: Path, title: str) -> Iterator[None]:
    """Turn what a reader raises on damaged bytes into one `InputError`.

    Damaged bytes can raise nearly anything deep inside a reader; the traceback is kept in the
    details, so that a defect of ours is still found.
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        why = tr("it asks for more memory than there is")
        raise damaged(path, title, why, traceback.format_exc()) from error
    except Exception as error:
        raise damaged(path, title, _why(path, error), traceback.format_exc()) from error


def _why(path: Path, error: Exception) -> str:
    """Return a reason that a person understands, in one line."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__  # GDAL's own words stand at the bottom
    text = " ".join(str(error).split()).replace(str(path), path.name).split(";")[0][:160]
    if isinstance(error, LookupError | TypeError | AttributeError | AssertionError) or not text:
        return tr("its structure is damaged")
    return text


def parse_numbers(text: bytes, kind: type[np.generic]) -> AnyArray:
    """Return the numbers in a text that holds nothing else, separated by blanks.

    Raises
    ------
    ValueError
        Naming the first word that is no number.
    """
    try:
        return np.fromstring(text, dtype=kind, sep=" ")
    except ValueError:
        for word in text.split():
            try:
                kind(word)
            except (ValueError, OverflowError):
                shown = word[:30].decode("ascii", "replace")
                raise ValueError(tr("“{text}” is no number", text=shown)) from None
        raise


@contextmanager
def library_notes() -> Iterator[list[str]]:
    """Collect what a library warns about, instead of printing it; filled on leaving."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield notes
        finally:
            texts = (" ".join(str(warning.message).split())[:200] for warning in caught)
            notes += list(dict.fromkeys(texts))[:20]


def check_magic(path: Path, title: str, magics: Sequence[bytes]) -> None:
    """Refuse a file whose first bytes are none of `magics`.

    Raises
    ------
    InputError
        If the file is not what its name says.
    """
    with path.open("rb") as stream:
        head = stream.read(max(len(magic) for magic in magics))
    if not head.startswith(tuple(magics)):
        raise mislabelled(path, title, f"first bytes: {head[:16].hex(' ')}")


def name_encoding(raw: bytes) -> str:
    """Return the encoding of the names in a file, judged by all of them together.

    A short name in GBK can be valid UTF-8 by accident, all names of a file hardly.
    """
    for encoding in NAME_ENCODINGS:
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def file_inside(folder: Path, name: str) -> Path | None:
    """Return the file that a file in `folder` names, None when it is not inside that folder.

    Folders of another machine (``C:\\work\\tex.jpg``) and parents (``../``) are never followed;
    a file of the same name beside the one that names it is what remains of them. Upper and lower
    case may differ, because many files were written on Windows.
    """
    root = folder.resolve()
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts:
        return None
    candidates = [root.joinpath(*parts)] if ".." not in parts and ":" not in parts[0] else []
    candidates.append(root / parts[-1])
    for candidate in candidates:
        found = candidate if candidate.is_file() else _other_case(candidate)
        if found is not None and found.resolve().is_relative_to(root):
            return found
    return None


def _other_case(path: Path) -> Path | None:
    if not path.parent.is_dir():
        return None
    wanted = path.name.casefold()
    return next(
        (p for p in path.parent.iterdir() if p.name.casefold() == wanted and p.is_file()), None
    )
