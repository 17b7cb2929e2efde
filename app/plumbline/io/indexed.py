"""Large clouds are indexed once: the COPC file that stands for a LAS or LAZ file.

It lies in a folder beside the project, or where caches lie, under a name that tells which content
it was made of; so a changed file gets an index of its own, and an index is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.core.errors import CancelledError, UserError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.io.copc_writer import write_copc
from plumbline.io.fingerprint import sampled

if TYPE_CHECKING:
    from laspy import LasHeader

#: Clouds with more points are opened through an index.
INDEX_POINTS = 20_000_000
#: Raised when what an index holds changes.
_FORM = 1


def index_of(
    path: Path, header: LasHeader, folders: Sequence[Path], make: bool, feedback: Feedback
) -> tuple[Path | None, list[str]]:
    """Return the index of a cloud, and what kept it from being made.

    Parameters
    ----------
    folders : sequence of Path
        Where indexes are looked for; a new one is written into the first that takes it.
    make : bool
        Make it where there is none.
    """
    if header.point_count < INDEX_POINTS or not folders:
        return None, []
    name = f"{path.stem}-{sampled(path)[:16]}-{_FORM}.copc.laz"
    for folder in folders:
        if _whole(folder / name, int(header.point_count)):
            return folder / name, []
    problems: list[str] = []
    for folder in folders if make else ():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_copc(path, folder / name, feedback)
            return folder / name, problems
        except CancelledError:
            raise
        except OSError as error:
            problems.append(str(error.strerror or error))
        except UserError as error:
            problems.append(error.message)
    if problems:
        why = problems[-1].rstrip(".。")
        return None, [tr("“{name}” could not be indexed: {why}.", name=path.name, why=why)]
    return None, []


def _whole(path: Path, count: int) -> bool:
    """Tell whether there is an index of so many points."""
    import laspy

    if not path.is_file():
        return False
    try:
        with laspy.open(path) as reader:
            return int(reader.header.point_count) == count
    except Exception:  # whatever a damaged file raises: it is made again
        return False
