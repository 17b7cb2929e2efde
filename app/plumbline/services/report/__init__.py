"""Reports of projects: what a plan asks for is run, then set in the words of a template.

``gather`` runs everything, ``report_document`` makes the document, and `services.documents` writes
it as PDF, DOCX, XLSX or HTML.
"""

from plumbline.services.report.build import report_document
from plumbline.services.report.evidence import Draw, Evidence, gather, needed
from plumbline.services.report.template import built_in, load_template, template_file

__all__ = [
    "Draw",
    "Evidence",
    "built_in",
    "gather",
    "load_template",
    "needed",
    "report_document",
    "template_file",
]
