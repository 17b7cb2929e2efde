"""Wavefront OBJ with MTL: materials, textures, vertex colours, polygons, objects or groups.

The file is read in chunks of whole lines; each chunk is classified and parsed with NumPy, because
a million lines of Python would be too slow and C readers keep only float32, which moves a vertex at
534 000 m by centimetres.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, Element, FloatArray, IntArray, Material, MeshData, Texture
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer
from plumbline.io.base import (
    damaged,
    file_inside,
    mislabelled,
    name_encoding,
    parse_numbers,
    reading,
)
from plumbline.io.images import image_problem
from plumbline.io.mesh import mesh_layer, split_seams, triangulate
from plumbline.io.registry import LoadContext

TITLE = "Wavefront OBJ"
#: Bytes parsed at once: little enough to stay in the processor's cache.
CHUNK = 1 << 20
MAX_LINE = 64 << 20
MAX_MTL = 64 << 20
#: Keywords of curves and rendering that a mesh does without.
IGNORED = {b"s", b"l", b"p", b"vp", b"usemap", b"mg", b"lod", b"cstype", b"deg", b"surf", b"end"}
#: Options of a texture statement and how many words follow each.
MAP_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-boost": 1, "-mm": 2, "-o": 3, "-s": 3, "-t": 3, "-texres": 1,
    "-clamp": 1, "-bm": 1, "-imfchan": 1, "-type": 1, "-cc": 1,
}  # fmt: skip

_SKIP, _V, _VT, _F, _OTHER = range(5)
_BLANK_V = bytes.maketrans(b"vt", b"  ")
_BLANK_F = bytes.maketrans(b"f", b" ")
_BLANK_CORNER = bytes.maketrans(b"f/", b"  ")


def load_obj(path: Path, context: LoadContext) -> list[Layer]:
    """Read an OBJ file into one mesh layer.

    Raises
    ------
    InputError
        If the file is not an OBJ, or holds no triangle.
    """
    parser = _Parser(path)
    with reading(path, TITLE):
        for chunk in _chunks(path, context.feedback.part(0.0, 0.8)):
            parser.feed(chunk)
        data, warnings = parser.mesh(context.feedback.part(0.8, 0.95))
        materials, notes = _materials(path, parser)
    data.materials = materials
    if not materials:
        data.material_index = None
    textures = sum(material.texture is not None for material in materials)
    metadata = {"materials": len(materials), "textures": textures}
    layer = mesh_layer(
        path, data, context, title=TITLE, metadata=metadata, warnings=warnings + notes
    )
    return [layer]


def _chunks(path: Path, feedback: Feedback) -> Iterator[bytes]:
    """Yield runs of whole lines, each ending with a line feed and without continuations."""
    size, done, rest = path.stat().st_size, 0, b""
    with path.open("rb") as stream:
        if b"\0" in stream.read(4096):
            raise mislabelled(path, TITLE)
        stream.seek(0)
        while block := stream.read(CHUNK):
            done += len(block)
            feedback.step(done, size, tr("Reading {name}", name=path.name))
            if b"\n" not in block and b"\r" in block:
                block = block.replace(b"\r", b"\n")
            text = rest + block
            if len(text) > MAX_LINE:
                raise damaged(path, TITLE, tr("a line is too long"))
            cut = _last_line_end(text)
            rest = text[cut:]
            if cut:
                yield _joined_lines(text[:cut])
    if rest.strip():
        yield _joined_lines(rest + b"\n")


def _last_line_end(text: bytes) -> int:
    """Return where the last line ends that the next one does not continue, 0 for nowhere."""
    cut = text.rfind(b"\n") + 1
    while cut and text[:cut].endswith((b"\\\n", b"\\\r\n")):
        cut = text.rfind(b"\n", 0, cut - 1) + 1
    return cut


def _joined_lines(text: bytes) -> bytes:
    """Join lines that a backslash continues: lines of numbers only, a GBK name may end with it."""
    if b"\\" not in text:
        return text
    return re.sub(rb"(?<=[\d\s])\\\r?\n", b" ", text)


class _Parser:
    """Collects arrays chunk by chunk; `mesh` puts them together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.points: list[FloatArray] = [np.zeros((0, 3))]
        self.colors: list[FloatArray] = []
        self.uvs: list[FloatArray] = [np.zeros((0, 2))]
        self.corner_v: list[IntArray] = [np.zeros(0, np.int64)]
        self.corner_t: list[IntArray] = [np.zeros(0, np.int64)]
        self.counts: list[IntArray] = [np.zeros(0, np.int64)]
        self.states: list[IntArray] = [np.zeros((0, 3), np.int64)]
        #: Numbers of the raw names of materials, objects and groups.
        self.raw_names: tuple[dict[bytes, int], ...] = ({}, {}, {})
        self.raw_libraries: list[bytes] = []
        self.unknown = 0
        self._state = (-1, -1, -1)
        self._nv = self._nt = 0

    def feed(self, chunk: bytes) -> None:
        """Parse whole lines."""
        buffer, starts, ends = _line_borders(chunk)
        first = buffer[starts]
        if ((first == 32) | (first == 9)).any():
            chunk = re.sub(rb"(?m)^[ \t]+", b"", chunk)
            buffer, starts, ends = _line_borders(chunk)
        kinds = _classify(buffer, starts)
        lines = _Lines(chunk, starts, ends, kinds)
        turns = self._statements(lines)
        self._vertices(lines)
        self._texture_coordinates(lines)
        self._faces(lines, turns)
        self._nv += int((kinds == _V).sum())
        self._nt += int((kinds == _VT).sum())

    def _statements(self, lines: _Lines) -> tuple[IntArray, IntArray]:
        """Read usemtl, o, g, mtllib; return where the state changes and what it becomes."""
        where, states = [-1], [self._state]
        for line, text in lines.others():
            word, _, value = text.partition(b" ") if b" " in text else text.partition(b"\t")
            name = value.strip()
            if word == b"mtllib":
                self.raw_libraries.append(name)
            elif word in (b"usemtl", b"o", b"g"):
                slot = (b"usemtl", b"o", b"g").index(word)
                known = self.raw_names[slot]
                number = known.setdefault(name, len(known)) if name else -1
                changed = list(self._state)
                changed[slot] = number
                self._state = (changed[0], changed[1], changed[2])
                where.append(line)
                states.append(self._state)
            elif word not in IGNORED:
                self.unknown += 1
        return np.array(where), np.array(states, dtype=np.int64)

    def _vertices(self, lines: _Lines) -> None:
        values, counts = lines.numbers(_V, _BLANK_V)
        if len(counts) == 0:
            return
        if counts.min() < 3:
            raise ValueError(tr("a vertex has fewer than three coordinates"))
        if counts.min() == counts.max():
            rows = values.reshape(len(counts), -1)
            self.points.append(np.ascontiguousarray(rows[:, :3]))
            colors = rows[:, 3:6] if counts[0] in (6, 7) else np.full((len(rows), 3), np.nan)
        else:
            first = np.cumsum(counts) - counts
            self.points.append(values[first[:, None] + np.arange(3)])
            colors = np.full((len(counts), 3), np.nan)
            tinted = (counts == 6) | (counts == 7)
            colors[tinted] = values[first[tinted, None] + np.arange(3, 6)]
        self.colors.append(colors)

    def _texture_coordinates(self, lines: _Lines) -> None:
        values, counts = lines.numbers(_VT, _BLANK_V)
        if len(counts) == 0:
            return
        if counts.min() < 1:
            raise ValueError(tr("a texture coordinate has no number"))
        first = np.cumsum(counts) - counts
        second = np.where(counts > 1, first + 1, first)
        self.uvs.append(np.column_stack([values[first], values[second] * (counts > 1)]))

    def _faces(self, lines: _Lines, turns: tuple[IntArray, IntArray]) -> None:
        of_file = np.flatnonzero(lines.kinds == _F)
        if len(of_file) == 0:
            return
        counts, corners = _corners(lines.text(_F))
        vertex, texture = corners
        before_v = self._nv + np.cumsum(lines.kinds == _V)[of_file]
        before_t = self._nt + np.cumsum(lines.kinds == _VT)[of_file]
        self.corner_v.append(_resolve(vertex, before_v, counts))
        self.corner_t.append(_resolve(texture, before_t, counts))
        self.counts.append(counts)
        where, states = turns
        self.states.append(states[np.searchsorted(where, of_file, side="right") - 1])

    def names(self) -> tuple[list[str], list[str], list[str], list[str]]:
        """Return the names of materials, objects, groups and material files."""
        raw = [*map(list, self.raw_names), self.raw_libraries]
        encoding = name_encoding(b"\n".join(b"\n".join(names) for names in raw))
        first, second, third, fourth = ([n.decode(encoding) for n in names] for names in raw)
        return first, second, third, fourth

    def mesh(self, feedback: Feedback) -> tuple[MeshData, list[str]]:
        """Return the mesh of everything that was fed, and what is to be said about it."""
        points, uvs = np.concatenate(self.points), np.concatenate(self.uvs)
        corner_v, corner_t = np.concatenate(self.corner_v), np.concatenate(self.corner_t)
        counts, states = np.concatenate(self.counts), np.concatenate(self.states)
        if len(points) == 0 and len(counts) == 0 and self.unknown:
            raise mislabelled(self.path, TITLE)
        warnings = []
        corner_v, corner_t, counts, states, lost = _existing(
            corner_v, corner_t, counts, states, len(points)
        )
        feedback.step(1, 4)
        triangles, faces, skipped = triangulate(points, corner_v, counts)
        if lost + skipped:
            warnings.append(
                tr("{n} faces name corners that are not there; they were left out.",
                   n=lost + skipped)
            )  # fmt: skip
        feedback.step(2, 4)
        corner_t[corner_t >= len(uvs)] = -1
        colors = _vertex_colors(self.colors, len(points))
        vertex, source, uv = split_seams(corner_v, corner_t, triangles, len(points), uvs)
        feedback.step(3, 4)
        data = MeshData(points[source] if len(source) > len(points) else points, vertex, uv)
        data.colors = colors[source] if colors is not None else None
        state = states[faces]
        data.material_index = state[:, 0].astype(np.int32)
        data.elements, data.element_index = self._elements(state)
        return data, warnings

    def _elements(self, state: IntArray) -> tuple[list[Element], AnyArray | None]:
        """Return objects as elements, or groups when the file names no object."""
        named = self.names()
        slot = 1 if named[1] else 2
        names = named[slot]
        used, first, inverse = np.unique(state[:, slot], return_index=True, return_inverse=True)
        shift = 1 if len(used) and used[0] < 0 else 0
        if len(used) == shift:
            return [], None
        materials = [*named[0], ""]
        elements = [
            Element(names[n], name=names[n], material=materials[state[at, 0]])
            for n, at in zip(used[shift:].tolist(), first[shift:].tolist(), strict=True)
        ]
        return elements, (inverse.ravel() - shift).astype(np.int32)


class _Lines:
    """The lines of a chunk, each of one kind."""

    def __init__(
        self, chunk: bytes, starts: IntArray, ends: IntArray, kinds: NDArray[np.uint8]
    ) -> None:
        self.chunk, self.starts, self.ends, self.kinds = chunk, starts, ends, kinds

    def others(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and text of every line that is not one of numbers."""
        for line in np.flatnonzero(self.kinds == _OTHER).tolist():
            yield line, self.chunk[self.starts[line] : self.ends[line]].strip()

    def text(self, kind: int) -> bytes:
        """Return all lines of one kind, joined."""
        mask = np.concatenate(([False], self.kinds == kind, [False]))
        edges = np.flatnonzero(mask[1:] != mask[:-1])
        begins = self.starts[edges[::2]].tolist()
        stops = (self.ends[edges[1::2] - 1] + 1).tolist()
        runs = [self.chunk[a:b] for a, b in zip(begins, stops, strict=True)]
        text = runs[0] if len(runs) == 1 else b"".join(runs)
        return re.sub(rb"#[^\n]*", b"", text) if b"#" in text else text

    def numbers(self, kind: int, blanks: bytes) -> tuple[FloatArray, IntArray]:
        """Return all numbers in lines of one kind, and how many each line has."""
        text = self.text(kind).translate(blanks)
        if not text:
            return np.zeros(0), np.zeros(0, np.int64)
        _, counts = _words(np.frombuffer(text, np.uint8))
        return _parse(text, np.float64, int(counts.sum())), counts


def _line_borders(chunk: bytes) -> tuple[NDArray[np.uint8], IntArray, IntArray]:
    """Return the bytes, and where each line starts and ends."""
    buffer = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero(buffer == 10)
    return buffer, np.concatenate(([0], ends[:-1] + 1)), ends


def _classify(buffer: NDArray[np.uint8], starts: IntArray) -> NDArray[np.uint8]:
    first = buffer[starts]
    second = buffer[np.minimum(starts + 1, len(buffer) - 1)]
    blank = (second == 32) | (second == 9)
    kinds = np.full(len(starts), _OTHER, np.uint8)
    is_v = first == ord("v")
    kinds[is_v & blank] = _V
    kinds[is_v & (second == ord("t"))] = _VT
    kinds[is_v & (second == ord("n"))] = _SKIP
    kinds[(first == ord("f")) & blank] = _F
    kinds[(first == ord("#")) | (first == 10) | (first == 13)] = _SKIP
    return kinds


def _words(buffer: NDArray[np.uint8], keyword: int = 32) -> tuple[IntArray, IntArray]:
    """Return where words start, and the number of words in each line."""
    ink = (buffer > 32) & (buffer != keyword)
    begin = ink.copy()
    begin[1:] &= ~ink[:-1]
    words = np.flatnonzero(begin)
    ends = np.flatnonzero(buffer == 10)
    return words, np.diff(np.searchsorted(words, ends), prepend=0)


def _parse(text: bytes, dtype: type[np.generic], expected: int) -> AnyArray:
    values = parse_numbers(text, dtype)
    if len(values) != expected:
        raise ValueError(tr("a line holds something that is not a number"))
    return values


def _corners(text: bytes) -> tuple[IntArray, tuple[IntArray, IntArray]]:
    """Return corners per face, and vertex and texture numbers (0 for none) of all corners."""
    buffer = np.frombuffer(text, np.uint8)
    words, counts = _words(buffer, ord("f"))
    width = _uniform_width(buffer, words)
    if width == 0:
        text = _uniform(text.translate(_BLANK_F))
        width = 3
    numbers = _parse(text.translate(_BLANK_CORNER), np.int64, len(words) * abs(width))
    rows = numbers.reshape(len(words), abs(width))
    texture = rows[:, 1] if width > 1 else np.zeros(len(rows), np.int64)
    return counts, (rows[:, 0], texture)


def _uniform_width(buffer: NDArray[np.uint8], words: IntArray) -> int:
    """Return numbers per corner when all are written alike: 1, 2, 3, -2 for ``a//c``, else 0."""
    slashes = np.flatnonzero(buffer == ord("/"))
    if len(slashes) == 0 or len(words) == 0:
        return 1
    each, rest = divmod(len(slashes), len(words))
    if rest or each > 2:
        return 0
    rows = slashes.reshape(len(words), each)
    borders = np.append(words[1:], len(buffer))
    if (rows[:, 0] < words).any() or (rows[:, -1] >= borders).any():
        return 0
    open_ends = buffer[rows[:, -1] + 1] <= 32
    doubled = buffer[rows[:, 0] + 1] == ord("/")
    if not (open_ends.any() or doubled.any()):
        return each + 1
    if each == 2 and doubled.all() and not open_ends.any():
        return -2
    if each == 2 and open_ends.all() and not doubled.any():
        return 2  # OpenSceneGraph writes "1/1/"
    return 0


def _uniform(text: bytes) -> bytes:
    """Write every corner as ``a/b/c``, 0 for what is missing."""
    text = re.sub(rb"/(?=\s)", b"/0", text.replace(b"//", b"/0/"))
    text = re.sub(rb"(?<=\s)(-?\d+)(?=\s)", rb"\1/0/0", text)
    return re.sub(rb"(?<=\s)(-?\d+/-?\d+)(?=\s)", rb"\1/0", text)


def _resolve(numbers: IntArray, before: IntArray, counts: IntArray) -> IntArray:
    """Return indices from 0, -1 for none; negative numbers count back from their line."""
    if numbers.min(initial=1) > 0:
        return numbers - 1
    back = np.repeat(before, counts) + numbers
    return np.where(numbers > 0, numbers - 1, np.where(numbers < 0, np.maximum(back, -1), -1))


def _existing(
    corner_v: IntArray, corner_t: IntArray, counts: IntArray, states: IntArray, points: int
) -> tuple[IntArray, IntArray, IntArray, IntArray, int]:
    """Leave out faces with a corner that does not exist, and count them."""
    bad = (corner_v < 0) | (corner_v >= points)
    if not bad.any():
        return corner_v, corner_t.copy(), counts, states, 0
    face = np.repeat(np.arange(len(counts)), counts)
    keep = np.ones(len(counts), bool)
    keep[face[bad]] = False
    corner = keep[face]
    return corner_v[corner], corner_t[corner], counts[keep], states[keep], int((~keep).sum())


def _vertex_colors(chunks: list[FloatArray], count: int) -> AnyArray | None:
    colors = np.concatenate(chunks) if chunks else np.zeros((0, 3))
    known = np.isfinite(colors).all(axis=1)
    if len(colors) != count or not known.any():
        return None
    # Most writers use 0..1; some use 0..255.
    top = 255.0 if colors[known].max() > 1.0 else 1.0
    rgba = np.full((count, 4), 255, np.uint8)
    rgba[known, :3] = np.clip(np.rint(colors[known] / top * 255), 0, 255)
    return rgba


def _materials(path: Path, parser: _Parser) -> tuple[list[Material], list[str]]:
    """Return the materials that the faces use, in the order of their numbers."""
    warnings: list[str] = []
    known: dict[str, Material] = {}
    names, _, _, libraries = parser.names()
    for library in libraries:
        for file in _library_files(path, library, warnings):
            known.update(_read_mtl(file, warnings))
    missing = [name for name in names if name not in known]
    if missing and known:
        warnings.append(
            tr("Materials that no MTL file describes: {names}.", names=", ".join(missing[:5]))
        )
    return [known.get(name, Material(name)) for name in names], warnings


def _library_files(path: Path, library: str, warnings: list[str]) -> list[Path]:
    """Return the files of a ``mtllib`` statement: one name with spaces, or several names."""
    whole = file_inside(path.parent, library)
    if whole is not None:
        return [whole]
    files = [file_inside(path.parent, name) for name in library.split()]
    found = [file for file in files if file is not None]
    beside = path.with_suffix(".mtl")
    if not found and beside.is_file():
        found = [beside]
    if not found:
        warnings.append(
            tr("The material file “{name}” is not there; plain colours are shown.", name=library)
        )
    return found


def _read_mtl(file: Path, warnings: list[str]) -> dict[str, Material]:
    if file.stat().st_size > MAX_MTL:
        warnings.append(tr("The material file “{name}” is too large.", name=file.name))
        return {}
    materials: dict[str, Material] = {}
    name, color, texture = "", [0.8, 0.8, 0.8, 1.0], ""

    def finish() -> None:
        if not name:
            return
        image = _texture(file, texture, warnings) if texture else None
        rgb = color[:3]
        if image is not None and max(rgb) < 0.01:
            rgb = [1.0, 1.0, 1.0]  # a black base under an image is an exporter's default
        materials[name] = Material(name, (rgb[0], rgb[1], rgb[2], color[3]), image)

    raw = file.read_bytes()
    for line in raw.decode(name_encoding(raw)).splitlines():
        word, _, rest = line.strip().replace("\t", " ").partition(" ")
        value = rest.strip()
        if word == "newmtl":
            finish()
            name, color, texture = value, [0.8, 0.8, 0.8, 1.0], ""
        elif word == "Kd":
            color[:3] = _fractions(value, 3) or color[:3]
        elif word == "d":
            color[3:] = _fractions(value, 1) or color[3:]
        elif word == "Tr":
            color[3:] = [1 - clear for clear in _fractions(value, 1)] or color[3:]
        elif word.lower() == "map_kd":
            texture = _map_name(value)
    finish()
    return materials


def _fractions(text: str, count: int) -> list[float]:
    """Return `count` numbers within 0..1, none when the text is something else."""
    try:
        numbers = [min(1.0, max(0.0, float(part))) for part in text.split()[:count]]
    except ValueError:
        return []
    return numbers if len(numbers) == count else []


def _map_name(value: str) -> str:
    """Return the file name of a texture statement, without the options before it."""
    while value.startswith("-"):
        option, _, rest = value.partition(" ")
        words = MAP_OPTIONS.get(option)
        if words is None:
            break
        for _ in range(words):
            head, _, tail = rest.strip().partition(" ")
            # -o, -s and -t take one to three numbers.
            if words == 3 and not re.fullmatch(r"[-+.\deE]+", head):
                break
            rest = tail
        value = rest.strip()
    return value.strip('"')


def _texture(file: Path, name: str, warnings: list[str]) -> Texture | None:
    image = file_inside(file.parent, name)
    problem = tr("it is not in the folder of the model") if image is None else image_problem(image)
    if image is None or problem:
        warnings.append(
            tr("The texture “{name}” was left out: {why}.", name=name[-120:], why=problem)
        )
        return None
    return Texture(image)
