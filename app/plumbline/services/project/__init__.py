"""The project file ``NAME.plumb.gpkg``: a GeoPackage with Plumbline's own tables beside.

Any GIS opens its feature tables (measurements, vector results) as they are; the ``plumbline_*``
tables hold what a scene is made of. Sources stay where they are, as relative path and SHA-256.

How a save cannot hurt: a new file is written whole under a temporary name, synced and renamed. An
existing project is changed in place in one SQLite transaction (rollback journal,
``synchronous=EXTRA``), not rewritten and renamed, for three reasons: tables that others put into
the file survive; a GIS that has the file open keeps seeing it; and a write-ahead log left beside
the file by such a program is never paired with a file it does not belong to, which SQLite names as
a way to corrupt databases. A process killed at any moment leaves either no journal or one that
the next reader rolls back; a full disk rolls back at once.

Reading treats the file as hostile: only JSON and NumPy arrays, everything validated; a broken
entry is a warning, the rest opens.
"""

from plumbline.services.project.content import SUFFIX, ProjectContent, project_path, snapshot
from plumbline.services.project.loading import (
    accept_source,
    build_scene,
    load_entry,
    note_problem,
    open_project,
    relink,
    relinked,
)
from plumbline.services.project.lock import ProjectLock
from plumbline.services.project.reader import read_project
from plumbline.services.project.writer import new_project, save_project, write_content

__all__ = [
    "SUFFIX",
    "ProjectContent",
    "ProjectLock",
    "accept_source",
    "build_scene",
    "load_entry",
    "new_project",
    "note_problem",
    "open_project",
    "project_path",
    "read_project",
    "relink",
    "relinked",
    "save_project",
    "snapshot",
    "write_content",
]
