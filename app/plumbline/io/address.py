"""Addresses on the local network, kept as shortcuts: small files that name a tileset or a cloud.

A shortcut (``.url``, as desktops write them) is a source like any other file: it lies beside the
project, has a digest, and can be copied.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer

if TYPE_CHECKING:
    from plumbline.io.registry import LoadContext

#: Longest shortcut and address.
_LONGEST, _LONGEST_URL = 65_536, 2_000


def is_address(path: Path | str) -> bool:
    """Tell whether a text is an address and not the path of a file."""
    return isinstance(path, str) and path.lower().startswith(("http://", "https://"))


def shortcut(url: str, folders: tuple[Path, ...]) -> Path:
    """Write a shortcut to an address into the first of the folders, and return it.

    Raises
    ------
    UsageError
        If there is no folder, or the address is too long.
    InputError
        If it cannot be written.
    """
    if not folders or len(url) > _LONGEST_URL:
        raise UsageError(
            tr("“{url}” cannot be opened here.", url=url[:120]),
            tr("Write a shortcut to it (a .url file), and open that."),
        )
    parts = urlsplit(url)
    steps = [step for step in parts.path.split("/") if step]
    if steps and steps[-1].lower() in ("tileset.json", "ept.json"):
        steps.pop()
    name = re.sub(r"[^\w.-]+", "_", "_".join([parts.netloc.rpartition("@")[2], *steps]))[:120]
    target = folders[0] / f"{name}.url"
    try:
        folders[0].mkdir(parents=True, exist_ok=True)
        target.write_text(f"[InternetShortcut]\nURL={url}\n", encoding="utf-8", newline="\r\n")
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=target, why=error.strerror or error),
            tr("Check that you may write there, and the space on the disk."),
        ) from error
    return target


def load_address(path: Path, context: LoadContext) -> list[Layer]:
    """Read the tileset (``tileset.json``) or the cloud (``ept.json``) that a shortcut leads to."""
    from plumbline.io.base import damaged
    from plumbline.io.ept import ept_of_address
    from plumbline.io.tiles3d import tileset_of_address

    with path.open("rb") as stream:
        text = stream.read(_LONGEST).decode("utf-8", "replace")
    found = re.search(r"^\s*URL\s*=\s*(\S+)\s*$", text, re.MULTILINE | re.IGNORECASE)
    if found is None or not is_address(found[1]) or len(found[1]) > _LONGEST_URL:
        raise damaged(path, "URL", tr("it names no address"))
    url = found[1]
    if PurePosixPath(urlsplit(url).path).name.lower() == "ept.json":
        return ept_of_address(path, url, context)
    return tileset_of_address(path, url, context)
