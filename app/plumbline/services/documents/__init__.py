"""Documents for people: one description, written as PDF, DOCX, XLSX or HTML.

A `Document` is plain data: headings, texts, facts, pictures, tables. `write_document` writes it in
the format that the file's name asks for; `demolition_statement` makes one of a stored result.
"""

from plumbline.services.documents.content import (
    Block,
    Cell,
    Column,
    Contents,
    Document,
    Facts,
    Gallery,
    Heading,
    Look,
    Mark,
    Note,
    Number,
    PageBreak,
    Picture,
    Sheet,
    Text,
)
from plumbline.services.documents.map_figure import backdrop_of, map_png
from plumbline.services.documents.result_sheet import result_document
from plumbline.services.documents.statement import demolition_statement
from plumbline.services.documents.writing import FORMATS, write_document

__all__ = [
    "FORMATS",
    "Block",
    "Cell",
    "Column",
    "Contents",
    "Document",
    "Facts",
    "Gallery",
    "Heading",
    "Look",
    "Mark",
    "Note",
    "Number",
    "PageBreak",
    "Picture",
    "Sheet",
    "Text",
    "backdrop_of",
    "demolition_statement",
    "map_png",
    "result_document",
    "write_document",
]
