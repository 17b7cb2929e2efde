"""``report``: what a project compares, as a document for a committee."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.cli.common import add_json, existing_project, scene_of_project, start_plugins
from plumbline.cli.main import Command
from plumbline.cli.window import image_size
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr

if TYPE_CHECKING:
    from plumbline.core.report_plan import ReportPlan
    from plumbline.core.scene import Scene, Viewpoint
    from plumbline.services.report import Draw, Evidence

#: Quality of pictures inside documents: photographs as PNG are too large to be sent by mail.
JPEG_QUALITY = 88


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``report``."""
    parser.add_argument("project", nargs="?", metavar="PROJECT")
    parser.add_argument(
        "--out", metavar="FILE", action="append", default=[],
        help=tr("file that ends in .pdf, .docx, .xlsx or .html; may be given several times"),
    )  # fmt: skip
    parser.add_argument(
        "--template", default="", metavar="ID|FILE", help=tr("template; the project's otherwise")
    )
    parser.add_argument(
        "--scheme", action="append", default=[], metavar="ID",
        help=tr("scheme that is compared; may be given several times, all otherwise"),
    )  # fmt: skip
    parser.add_argument("--title", default="", metavar="TEXT", help=tr("title of the document"))
    parser.add_argument("--operator", default="", metavar="NAME", help=tr("who answers for it"))
    parser.add_argument(
        "--results", metavar="DIR", help=tr("also write the comparison, so that it can be replayed")
    )
    parser.add_argument("--no-pictures", action="store_true", help=tr("draw no viewpoints"))
    parser.add_argument(
        "--size", default="1200x750", type=image_size, metavar="WxH", help=tr("pixels of pictures")
    )
    parser.add_argument(
        "--copy-template", metavar="FILE.toml", help=tr("write the template, to be edited")
    )
    add_json(parser)
    parser.set_defaults(function=report)


def report(command: Command) -> None:
    """Write the report of a project, or a copy of a template."""
    from plumbline.services.documents.writing import check_format

    options = command.options
    if options.copy_template:
        _copy_template(command)
        return
    if not options.project or not options.out:
        raise UsageError(
            tr("A report needs a project and a file."),
            tr("E.g. plumbline report city.plumb.gpkg --out report.pdf"),
        )
    files = [Path(name).expanduser().absolute() for name in options.out]
    for file in files:
        check_format(file)
    project = existing_project(options.project)
    start_plugins(command)
    plan = _plan(command, project)
    scene = _scene(command, project, plan)
    evidence = report_of(command, scene, plan, project, files)
    written = []
    if options.results:
        written = _results(evidence, Path(options.results).expanduser().absolute())
    comparison = evidence.comparison
    runs = [] if comparison is None else comparison.provenance["runs"]
    document = {
        "files": [str(file) for file in files],
        "schemes": [scheme.id for scheme in evidence.schemes],
        "criteria": len(evidence.matrix),
        "computed": sum(not run["kept"] for run in runs),
        "kept": sum(bool(run["kept"]) for run in runs),
        "gaps": evidence.gaps,
        "results": [str(path) for path in written],
    }
    lines = [tr("Report: {path}", path=file) for file in files]
    lines += [tr("Results: {path}", path=path.parent) for path in written]
    command.answer(document, "\n".join(lines))


def report_of(
    command: Command,
    scene: Scene,
    plan: ReportPlan,
    project: Path,
    files: Sequence[Path],
    *,
    drawn: Scene | None = None,
    **more: Any,
) -> Evidence:
    """Gather what a plan asks for and write its report into files.

    `drawn` is a scene with the layers that are seen only; `more` goes to `gather`.
    """
    from plumbline.services.documents import write_document
    from plumbline.services.report import gather, load_template, report_document

    template, look = load_template(plan.template)
    pictured = not getattr(command.options, "no_pictures", False)
    evidence = gather(
        scene, plan, command.feedback, draw=drawing(command, drawn or scene) if pictured else None,
        source=project.name, **more,
    )  # fmt: skip
    command.progress.clear()
    for gap in evidence.gaps:
        command.note(gap)
    document = report_document(evidence, template, look, date.today().isoformat())
    for file in files:
        write_document(document, file)
    return evidence


def drawing(command: Command, scene: Scene) -> Draw | None:
    """Return what draws viewpoints; None without VTK, which is said."""
    if find_spec("vtkmodules") is None or find_spec("pyvista") is None:
        command.note(tr("Pictures need VTK, not installed here."))
        return None
    size = getattr(command.options, "size", (1200, 750))

    def draw(shots: Sequence[tuple[str, Viewpoint]]) -> Iterator[bytes]:
        from PIL import Image

        from plumbline.render.offscreen import scheme_pictures

        cameras = [(scheme, viewpoint.camera) for scheme, viewpoint in shots]
        for picture in scheme_pictures(scene, size, cameras):
            stream = io.BytesIO()
            Image.fromarray(picture).save(stream, "JPEG", quality=JPEG_QUALITY)
            yield stream.getvalue()

    return draw


def _plan(command: Command, project: Path) -> ReportPlan:
    """Return the plan of the project with what the command line says instead."""
    from plumbline.services.project import read_project
    from plumbline.services.settings import SettingsStore

    options = command.options
    plan = read_project(project).report
    return replace(
        plan,
        title=options.title or plan.title,
        author=options.operator or plan.author or SettingsStore().settings.operator,
        template=options.template or plan.template,
        schemes=tuple(options.scheme) or plan.schemes,
    )


def _scene(command: Command, project: Path, plan: ReportPlan) -> Scene:
    """Return the scene with the layers that are read, and those that are drawn."""
    from plumbline.services.project import build_scene, read_project
    from plumbline.services.report import needed

    content = read_project(project)
    empty = build_scene(content)
    wanted = needed(empty, plan)
    if not command.options.no_pictures:
        wanted |= {entry.id for entry in content.layers if entry.view.visible}
    return scene_of_project(project, command, wanted)[0]


def _results(evidence: Evidence, folder: Path) -> list[Path]:
    """Write the comparison and the score as result folders."""
    from plumbline.analysis.store import write_result

    named = {"compare": evidence.comparison, "score": evidence.score}
    return [
        write_result(result, folder / name) for name, result in named.items() if result is not None
    ]


def _copy_template(command: Command) -> None:
    from plumbline.services.report import template_file

    out = Path(command.options.copy_template).expanduser().absolute()
    if out.exists():
        raise UsageError(tr("“{name}” is there already.", name=out.name), tr("Name a new file."))
    try:
        out.write_bytes(template_file(command.options.template).read_bytes())
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=out, why=error.strerror or error),
            tr("Check the folder and the disk."),
        ) from error
    command.answer({"template": str(out)}, tr("Template: {path}", path=out))
