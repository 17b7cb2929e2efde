"""A report as a document: cover, then the sections of its template."""

from __future__ import annotations

import plumbline
from plumbline.core.crs import crs_label
from plumbline.core.i18n import tr, translator
from plumbline.services.documents import Block, Document, Facts, Look, PageBreak, Picture
from plumbline.services.documents.content import UNKNOWN
from plumbline.services.report.evidence import Evidence
from plumbline.services.report.sections import section_blocks
from plumbline.services.report.tables import Maker
from plumbline.services.report.template import Template, spoken


def report_document(
    evidence: Evidence, template: Template, look: Look | None = None, day: str = ""
) -> Document:
    """Return the report of what was gathered.

    Parameters
    ----------
    day : str
        ISO 8601 date for the cover.
    """
    made = Maker(evidence, template)
    blocks: list[Block] = []
    for section in template.sections:
        own = section_blocks(made, section)
        if own and section.page and blocks:
            blocks.append(PageBreak())
        blocks += own
    plan = evidence.plan
    title = plan.title or spoken(template.title)
    return Document(
        title,
        plan.subtitle or spoken(template.subtitle),
        tuple(blocks),
        f"{title} · Plumbline {plumbline.__version__}",
        plan.author,
        template.landscape,
        _cover(evidence, day),
        look or Look(),
        translator.language,
    )


def _cover(evidence: Evidence, day: str) -> tuple[Block, ...]:
    names = ", ".join(scheme.name for scheme in evidence.schemes)
    facts = (
        (tr("Schemes"), names or UNKNOWN),
        (tr("Project"), evidence.source or UNKNOWN),
        (tr("Coordinate system"), crs_label(evidence.scene.georeference.crs)),
        (tr("Author"), evidence.plan.author or UNKNOWN),
        (tr("Date"), day or UNKNOWN),
    )
    front = next(iter(evidence.pictures.values()), b"")
    # A scheme rather than the present state, where there is one.
    for scheme in evidence.schemes[:1]:
        for viewpoint in evidence.viewpoints[:1]:
            front = evidence.pictures.get((scheme.id, viewpoint.name), front)
    picture: tuple[Block, ...] = (Picture(front),) if front else ()
    return (*picture, Facts(facts))
