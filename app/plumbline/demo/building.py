"""Builds the whole demo district into a folder, all or nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.demo import (
    cloud,
    fabric,
    grounds,
    layers,
    mesh,
    models,
    orthophoto,
    pipes,
    rasters,
    schemes,
    streets,
    terrain,
    truth,
    vectors,
)
from plumbline.demo.model import DemoDistrict, District

MARK = "demo.json"


def construct(seed: int) -> District:
    """Return the district by construction, in memory, without any file."""
    roads = streets.streets()
    blocks = streets.blocks(roads)
    buildings = fabric.build(blocks, seed)
    ground = terrain.grade(roads)
    ground = terrain.raise_island(ground, *fabric.pier_head(), fabric.PIER_DECK)
    ground = terrain.platforms(ground, buildings, roads)
    laid = grounds.covers(roads, blocks, buildings)
    trees = grounds.plant(roads, blocks, buildings, ground, laid, seed)
    return District(
        seed=seed, streets=roads, blocks=blocks, parcels=grounds.parcels(blocks, buildings),
        buildings=buildings, trees=trees, greens=grounds.greens(blocks, laid, buildings),
        ground=ground, covers=laid, pier=fabric.pier(),
    )  # fmt: skip


def build(out: Path, feedback: Feedback | None = None, *, seed: int = 2026) -> DemoDistrict:
    """Generate the demo district near Qingdao in EPSG:4549.

    Parameters
    ----------
    out : Path
        Folder to make. An earlier demo district in it is replaced, and files that are not part of
        one stay; a folder that holds no demo district but other content is refused.
    feedback : Feedback, optional
        Told about progress; may cancel.
    seed : int
        Same seed and same versions of the libraries give the same bytes.

    Returns
    -------
    DemoDistrict
        Its files, layers and viewpoints.

    Raises
    ------
    InputError
        If `out` holds something else or cannot be written.
    CancelledError
        If `feedback` was cancelled; `out` is then as it was before.
    """
    feedback = feedback or Feedback()
    out = Path(out)
    if out.exists() and not (out / MARK).is_file() and (out.is_file() or any(out.iterdir())):
        raise InputError(
            tr("{path} exists and is not a demo district.", path=out),
            tr("Name a new or an empty folder."),
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is one rename on the same disk.
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputError(
            tr("The demo district cannot be written to {path}: {why}", path=out, why=error),
            tr("Name a folder where you may write."),
        ) from error
    try:
        _generate(work, feedback, seed)
        feedback.step(99, 100, tr("Putting the files in place"))
        work.chmod(0o755)
        _swap(work, out)
    except OSError as error:
        raise InputError(
            tr("The demo district cannot be written to {path}: {why}", path=out, why=error),
            tr("Free some space (about 200 MB) or name another folder."),
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    feedback.step(100, 100, tr("The demo district is ready"))
    return layers.load(out)


def _generate(folder: Path, feedback: Feedback, seed: int) -> None:
    """Write every file of the district into `folder`."""
    feedback.step(0, 100, tr("Laying out streets, buildings and trees"))
    district = construct(seed)
    feedback.step(12, 100, tr("Writing terrain and plan layers"))
    rasters.terrain(district, folder / "terrain.tif")
    vectors.write(district, folder)
    laid = pipes.lay(district)
    vectors.save(pipes.rows(laid), folder / "pipes.gpkg", "pipes")
    feedback.step(20, 100, tr("Painting the orthophoto"))
    photo, sea = orthophoto.paint(district)
    rasters.photo(photo, folder / "orthophoto.tif")
    feedback.step(45, 100, tr("Modelling buildings and trees"))
    models.write(district, sea, folder / "models")
    feedback.step(55, 100, tr("Meshing the photogrammetry"))
    mesh.write(district, photo, folder / "photogrammetry")
    feedback.step(70, 100, tr("Scanning the point cloud"))
    points = cloud.write(district, photo, folder / "cloud.laz")
    indicators = {}
    for share, name in ((80, "A"), (88, "B")):
        feedback.step(share, 100, tr("Designing scheme {name}", name=name))
        indicators[name] = schemes.write(district, name, folder / f"scheme_{name}.ifc")
    feedback.step(95, 100, tr("Writing down the truth"))
    truth.write(district, laid, points, indicators, folder / "truth.json")
    layers.write(district, folder / MARK)


def _swap(work: Path, out: Path) -> None:
    """Put the finished folder in the place of `out`.

    What the user put into an earlier district (a project, say) moves into the new one; nothing of
    the earlier one is deleted before that is done.
    """
    if not out.exists():
        work.rename(out)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    old = aside / out.name
    try:
        out.rename(old)
        try:
            work.rename(out)
        except OSError:
            old.rename(out)
            raise
        for item in old.iterdir():
            if not (out / item.name).exists():
                item.rename(out / item.name)
        shutil.rmtree(old)
    finally:
        if not any(aside.iterdir()):
            aside.rmdir()
