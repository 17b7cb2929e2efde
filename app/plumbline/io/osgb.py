"""OpenSceneGraph's binary files (``.osgb``) as plain trees of objects with their fields.

Oblique photogrammetry is exchanged in this format. A file is a stream of objects; an object is its
class name, a number and the fields of its class and of all classes above it, in their order. Which
fields a class has depends on the version of the file (80 to 162 are known here), so that the
format is a table, `CLASSES`, and a small machine that walks through it.

What is not needed to draw a city (callbacks, shaders, uniforms) is read over where the file says
how long it is (versions with brackets), and refused by name where it does not.

Facts of the format: OpenSceneGraph's own reader, https://github.com/openscenegraph/OpenSceneGraph,
``src/osgDB`` and ``src/osgWrappers/serializers/osg``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plumbline.core.data import AnyArray

MAGIC = struct.pack("<II", 0x6C910EA1, 0x1AFB4545)
#: A tile is a few megabytes; larger streams are no tiles.
MAX_BYTES = 1 << 30
#: Objects inside objects; deeper trees are made to break readers.
MAX_DEPTH = 200
#: Versions from which the fields change (the field is there from the first, to before the last).
ALWAYS = 0
NEVER = 1 << 30


class BrokenFileError(ValueError):
    """The stream is no such file, or ends before it should; the text says where."""


@dataclass
class Item:
    """One object of the file: its class and its fields by name."""

    cls: str
    fields: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or a default where the file has none."""
        return self.fields.get(name, default)


class Stream:
    """Reads numbers, texts and objects, and never past the end."""

    def __init__(self, data: bytes, version: int, brackets: bool) -> None:
        self.data, self.version, self.brackets = data, version, brackets
        self.position = 0
        self.depth = 0
        self.objects: dict[int, Any] = {}
        self.arrays: dict[int, AnyArray] = {}
        #: Classes that were read over, with how often.
        self.skipped: dict[str, int] = {}

    # -- numbers -----------------------------------------------------------------------------

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self.position + size
        if size < 0 or end > len(self.data):
            raise BrokenFileError(f"ends at byte {len(self.data)}, {size} more are announced")
        part = self.data[self.position : end]
        self.position = end
        return part

    def number(self, kind: str) -> Any:
        """Return one number, ``kind`` as for `struct`."""
        return struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))[0]

    def numbers(self, kind: str, count: int) -> tuple[Any, ...]:
        """Return several numbers of one kind."""
        return struct.unpack(f"<{count}{kind}", self.take(struct.calcsize(f"<{count}{kind}")))

    def flag(self) -> bool:
        """Return a truth value."""
        return bool(self.number("B"))

    def count(self, least: int) -> int:
        """Return a number of things that each take at least so many bytes of the file."""
        size: int = self.number("I")
        if size * least > len(self.data) - self.position:
            raise BrokenFileError(f"{size} things are announced at byte {self.position}")
        return size

    def text(self) -> str:
        """Return a text."""
        raw = self.take(self.number("i"))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("gb18030", errors="replace")

    # -- blocks ------------------------------------------------------------------------------

    def begin(self) -> int:
        """Enter a block; return where it ends, -1 where the file does not say."""
        if not self.brackets:
            return -1
        start = self.position
        # The size counts itself.
        size: int = self.number("q" if self.version > 148 else "i")
        if size < 0 or start + size > len(self.data):
            raise BrokenFileError(f"a block of {size} bytes at {start}")
        return start + size

    def item(self) -> Any:
        """Return the next object; the same one where its number was there before."""
        cls = self.text()
        if cls == "NULL":
            return None
        end = self.begin()
        number = self.number("I")
        if number in self.objects:
            if end >= 0:
                self.position = end
            return self.objects[number]
        found = self.fields_of(cls, number, end)
        if end >= 0:
            self.position = end
        return found

    def fields_of(self, cls: str, number: int, end: int = -1) -> Any:
        """Return an object whose name and number were read."""
        if cls not in CLASSES:
            if end < 0:
                raise BrokenFileError(f"the class {cls[:60]!r} is not known")
            self.skipped[cls] = self.skipped.get(cls, 0) + 1
            self.objects[number] = None
            return None
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise BrokenFileError("objects are nested too deep")
        made = Item(cls)
        self.objects[number] = made
        for part in CLASSES[cls].line(self.version):
            for name, first, last, read in CLASSES[part].fields:
                if first <= self.version < last:
                    value = read(self)
                    # Two versions hold a state twice, and the second one is empty.
                    if value is not None or name not in made.fields:
                        made.fields[name] = value
        self.depth -= 1
        return made


# -- kinds of fields -----------------------------------------------------------------------------

Read = Callable[[Stream], Any]
Field = tuple[str, int, int, Read]


def _plain(kind: str) -> Read:
    return lambda s: s.number(kind)


def _flag(s: Stream) -> bool:
    return s.flag()


def _text(s: Stream) -> str:
    return s.text()


def _object(s: Stream) -> Any:
    return s.item() if s.flag() else None


def _if_there(read: Read) -> Read:
    return lambda s: read(s) if s.flag() else None


def _in_block(read: Read) -> Read:
    def inside(s: Stream) -> Any:
        s.begin()
        return read(s)

    return inside


def _several(read: Read, least: int = 1) -> Read:
    """Return a reader of a count and, in a block, so many things."""

    def read_all(s: Stream) -> list[Any]:
        size = s.count(least)
        if size:
            s.begin()
        return [read(s) for _ in range(size)]

    return read_all


def _plain_list(read: Read, least: int = 1) -> Read:
    return lambda s: [read(s) for _ in range(s.count(least))]


def _doubles(count: int) -> Read:
    return lambda s: s.numbers("d", count)


def _floats(count: int) -> Read:
    return lambda s: s.numbers("f", count)


# -- arrays ----------------------------------------------------------------------------------------

#: Number in the file -> NumPy type and width (``ID_*_ARRAY``).
_ARRAYS: dict[int, tuple[str, int]] = dict(
    enumerate(
        [
            ("i1", 1), ("u1", 1), ("i2", 1), ("u2", 1), ("i4", 1), ("u4", 1), ("f4", 1), ("f8", 1),
            ("i1", 2), ("i1", 3), ("i1", 4), ("u1", 4), ("i2", 2), ("i2", 3), ("i2", 4),
            ("f4", 2), ("f4", 3), ("f4", 4), ("f8", 2), ("f8", 3), ("f8", 4),
            ("u1", 2), ("u1", 3), ("u2", 2), ("u2", 3), ("u2", 4),
            ("i4", 2), ("i4", 3), ("i4", 4), ("u4", 2), ("u4", 3), ("u4", 4),
        ]
    )
)  # fmt: skip

#: Class of an array -> NumPy type and width, for files in which arrays are objects.
_ARRAY_CLASSES = {
    f"{stem}{suffix}Array": (kind, width)
    for stem, suffix, kind, width in [
        (stem, suffix, kind, width)
        for width, stem in ((2, "Vec2"), (3, "Vec3"), (4, "Vec4"))
        for suffix, kind in (
            ("", "f4"), ("d", "f8"), ("b", "i1"), ("ub", "u1"), ("s", "i2"), ("us", "u2"),
            ("i", "i4"), ("ui", "u4"),
        )
    ]
    + [
        (stem, "", kind, 1)
        for stem, kind in (
            ("Float", "f4"), ("Double", "f8"), ("Byte", "i1"), ("UByte", "u1"), ("Short", "i2"),
            ("UShort", "u2"), ("Int", "i4"), ("UInt", "u4"),
        )
    ]
}  # fmt: skip


def _values(s: Stream, kind: str, width: int, count: int) -> AnyArray:
    raw = s.take(count * width * np.dtype(kind).itemsize)
    values = np.frombuffer(raw, dtype="<" + kind)
    return values.reshape(-1, width) if width > 1 else values


def _array(s: Stream) -> AnyArray:
    """Read an array of an older file; the same one where its number was there before."""
    number = s.number("I")
    if number in s.arrays:
        return s.arrays[number]
    kind = s.number("i")
    if kind not in _ARRAYS:
        raise BrokenFileError(f"an array of kind {kind} at byte {s.position}")
    size = s.number("i")
    s.begin()
    s.arrays[number] = _values(s, *_ARRAYS[kind], size)
    return s.arrays[number]


def _array_data(s: Stream) -> dict[str, Any]:
    """Read an array of an older geometry, with what it is bound to."""
    s.begin()
    values = _array(s) if s.flag() else None
    indices = _array(s) if s.flag() else None
    return {"values": values, "indices": indices, "binding": s.numbers("i", 2)[0]}


def _array_values(kind: str, width: int) -> Read:
    return lambda s: _values(s, kind, width, s.count(1))


# -- primitives and images -----------------------------------------------------------------------

#: Number in the file -> NumPy type of the indices (``ID_DRAWELEMENTS_*``).
_ELEMENTS = {52: "u1", 53: "u2", 54: "u4"}


def _primitives(s: Stream) -> dict[str, Any]:
    """Read one set of primitives of an older geometry."""
    kind, mode = s.numbers("i", 2)
    if s.version > 96:
        s.number("I")
    if kind == 50:
        first, count = s.numbers("i", 2)
        return {"mode": mode, "first": first, "count": count}
    if kind == 51:
        first = s.number("i")
        size = s.count(4)
        s.begin()
        return {"mode": mode, "first": first, "lengths": s.numbers("i", size)}
    if kind not in _ELEMENTS:
        raise BrokenFileError(f"primitives of kind {kind} at byte {s.position}")
    size = s.number("I")
    s.begin()
    return {"mode": mode, "indices": _values(s, _ELEMENTS[kind], 1, size)}


def _image(s: Stream) -> Any:
    """Read an image: a file inside the file, pixels, or the name of another file."""
    cls = s.text() if s.version > 94 else "osg::Image"
    number = s.number("I")
    if number in s.objects:
        return s.objects[number]
    made: dict[str, Any] = {"name": s.text()}
    _, decision = s.numbers("i", 2)
    if decision == 0:
        names = ("origin", "width", "height", "depth", "internal", "format", "type", "packing")
        made |= dict(zip(names, s.numbers("i", 8), strict=True))
        s.number("i")
        made["pixels"] = s.take(s.number("I"))
        s.numbers("I", s.count(4))
    elif decision == 1:
        made["file"] = s.take(s.number("I"))
    # The fields of the class stand behind; of newer files those of osg::Object only.
    rest = s.fields_of("osg::Object" if s.version > 94 and cls == "osg::Image" else cls, number)
    rest.fields |= made
    return rest


# -- state -----------------------------------------------------------------------------------------


def _modes(s: Stream) -> None:
    size = s.count(8)
    if size:
        s.begin()
        s.numbers("i", 2 * size)


def _attributes(s: Stream) -> list[Any]:
    size = s.count(1)
    found = []
    if size:
        s.begin()
        for _ in range(size):
            found.append(s.item())
            s.number("i")
    return found


def _uniforms(s: Stream) -> None:
    size = s.count(1)
    s.begin()
    for _ in range(size):
        s.item()
        s.number("i")


def _defines(s: Stream) -> None:
    size = s.count(1)
    s.begin()
    for _ in range(size):
        s.text(), s.text(), s.number("i")


def _units(read: Read) -> Read:
    def read_units(s: Stream) -> list[Any]:
        size = s.count(1)
        s.begin()
        return [read(s) for _ in range(size)]

    return read_units


def _both_sides(count: int) -> Read:
    """Return a reader of a colour of the front and of the back; the front counts."""

    def read(s: Stream) -> Any:
        s.flag()
        return s.numbers("f", 2 * count)[:count]

    return _if_there(read)


# -- the table -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Class:
    """The classes whose fields an object has, in order, and the fields of this one."""

    associates: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    #: Classes that are there from a version on.
    added: tuple[tuple[str, int], ...] = ()

    def line(self, version: int) -> Iterator[str]:
        """Return the classes in the order of their fields."""
        late = dict(self.added)
        return (name for name in self.associates if late.get(name, ALWAYS) <= version)


def _fields(*fields: tuple[str, Read] | Field) -> tuple[Field, ...]:
    return tuple(f if len(f) == 4 else (f[0], ALWAYS, NEVER, f[1]) for f in fields)


_OBJECT, _NODE = "osg::Object", "osg::Node"
_GROUP = (_OBJECT, _NODE, "osg::Group")
_TRANSFORM = (*_GROUP, "osg::Transform")
_ATTRIBUTE = (_OBJECT, "osg::StateAttribute")
_TEXTURE = (*_ATTRIBUTE, "osg::Texture")
_DATA = (_OBJECT, "osg::BufferData")
_PRIMITIVES = (*_DATA, "osg::PrimitiveSet")

CLASSES: dict[str, Class] = {
    _OBJECT: Class(
        (_OBJECT,),
        _fields(
            ("name", _text),
            ("variance", _plain("i")),
            ("user_data", ALWAYS, 77, _if_there(_in_block(lambda s: s.item()))),
            ("user_container", 77, NEVER, _object),
        ),
    ),
    "osg::DefaultUserDataContainer": Class(
        (_OBJECT, "osg::UserDataContainer", "osg::DefaultUserDataContainer"),
        _fields(
            ("data", _if_there(_in_block(lambda s: s.item()))),
            ("descriptions", _if_there(_several(_text, 4))),
            ("objects", _if_there(_several(lambda s: s.item(), 8))),
        ),
    ),
    "osg::UserDataContainer": Class((_OBJECT, "osg::UserDataContainer")),
    "osg::StringValueObject": Class((_OBJECT, "osg::StringValueObject"), _fields(("value", _text))),
    _NODE: Class(
        (_OBJECT, _NODE),
        _fields(
            ("bound", _if_there(_in_block(_doubles(4)))),
            ("bound_callback", _object),
            ("update_callback", _object),
            ("event_callback", _object),
            ("cull_callback", _object),
            ("culling", _flag),
            ("mask", _plain("I")),
            ("descriptions", ALWAYS, 77, _if_there(_several(_text, 4))),
            ("state", _object),
        ),
    ),
    "osg::Group": Class(_GROUP, _fields(("children", _if_there(_several(lambda s: s.item(), 8))))),
    "osg::Transform": Class(_TRANSFORM, _fields(("frame", _plain("i")))),
    "osg::MatrixTransform": Class(
        (*_TRANSFORM, "osg::MatrixTransform"), _fields(("matrix", _in_block(_doubles(16))))
    ),
    "osg::PositionAttitudeTransform": Class(
        (*_TRANSFORM, "osg::PositionAttitudeTransform"),
        _fields(
            ("position", _doubles(3)),
            ("attitude", _doubles(4)),
            ("scale", _doubles(3)),
            ("pivot", _doubles(3)),
        ),
    ),
    "osg::LOD": Class(
        (*_GROUP, "osg::LOD"),
        _fields(
            ("center_mode", _plain("i")),
            ("center", _if_there(_doubles(4))),
            ("range_mode", _plain("i")),
            ("ranges", _if_there(_several(_floats(2), 8))),
        ),
    ),
    "osg::PagedLOD": Class(
        (_OBJECT, _NODE, "osg::LOD", "osg::PagedLOD"),
        _fields(
            ("path", _if_there(_if_there(_text))),
            ("last_frame", ALWAYS, 70, _plain("I")),
            ("unexpired", _plain("I")),
            ("no_paging", _flag),
            (
                "files",
                _if_there(lambda s: (_units(_text)(s), _units(_floats(2))(s))[0]),
            ),
            ("children", _if_there(_several(lambda s: s.item(), 8))),
        ),
    ),
    "osg::Geode": Class(
        (_OBJECT, _NODE, "osg::Geode"),
        _fields(("drawables", _if_there(_several(lambda s: s.item(), 8)))),
    ),
    "osg::Drawable": Class(
        (_OBJECT, _NODE, "osg::Drawable"),
        _fields(
            ("state", ALWAYS, 156, _object),
            ("box", _if_there(_in_block(_doubles(6)))),
            ("box_callback", _object),
            ("shape", _object),
            ("display_lists", _flag),
            ("use_display_list", _flag),
            ("use_buffers", _flag),
            *(
                (f"{name}_callback", ALWAYS, 156, _object)
                for name in ("update", "event", "cull", "draw")
            ),
            ("mask", 142, NEVER, _plain("I")),
            ("vertex_array_object", 145, NEVER, _flag),
        ),
    ),
    "osg::Geometry": Class(
        (_OBJECT, _NODE, "osg::Drawable", "osg::Geometry"),
        _fields(
            ("primitives", ALWAYS, 112, _plain_list(_primitives, 8)),
            ("primitives", 112, NEVER, _plain_list(lambda s: s.item(), 8)),
            *(
                (name, ALWAYS, 112, _if_there(_array_data))
                for name in ("points", "normals", "colors", "secondary", "fog")
            ),
            ("uv", ALWAYS, 112, _if_there(_units(_array_data))),
            ("vertex_attributes", ALWAYS, 112, _if_there(_units(_array_data))),
            ("fast_path", ALWAYS, 112, _flag),
            *(
                (name, 112, NEVER, _object)
                for name in ("points", "normals", "colors", "secondary", "fog")
            ),
            ("uv", 112, NEVER, _plain_list(lambda s: s.item(), 8)),
            ("vertex_attributes", 112, NEVER, _plain_list(lambda s: s.item(), 8)),
        ),
        ((_NODE, 154),),
    ),
    "osg::Image": Class((_OBJECT, "osg::Image")),
    "osg::StateSet": Class(
        (_OBJECT, "osg::StateSet"),
        _fields(
            ("modes", _if_there(_modes)),
            ("attributes", _if_there(_attributes)),
            ("texture_modes", _if_there(_units(_modes))),
            ("textures", _if_there(_units(_attributes))),
            ("uniforms", _if_there(_uniforms)),
            ("hint", _plain("i")),
            ("bin_mode", _plain("i")),
            ("bin", _plain("i")),
            ("bin_name", _text),
            ("nest", _flag),
            ("update_callback", _object),
            ("event_callback", _object),
            ("defines", 151, NEVER, _if_there(_defines)),
        ),
    ),
    "osg::StateAttribute": Class(
        _ATTRIBUTE, _fields(("update_callback", _object), ("event_callback", _object))
    ),
    "osg::Material": Class(
        (*_ATTRIBUTE, "osg::Material"),
        _fields(
            ("color_mode", _plain("i")),
            ("ambient", _both_sides(4)),
            ("diffuse", _both_sides(4)),
            ("specular", _both_sides(4)),
            ("emission", _both_sides(4)),
            ("shininess", _both_sides(1)),
        ),
    ),
    "osg::Texture": Class(
        _TEXTURE,
        _fields(
            *(
                (name, _if_there(_plain("I")))
                for name in ("wrap_s", "wrap_t", "wrap_r", "min_filter", "mag_filter")
            ),
            ("anisotropy", _plain("f")),
            *((name, _flag) for name in ("mipmaps", "unref", "client_storage", "resize")),
            ("border", _doubles(4)),
            ("border_width", _plain("i")),
            ("internal_mode", _plain("i")),
            *(
                (name, _if_there(_plain("I")))
                for name in ("internal", "source_format", "source_type")
            ),
            ("shadow", _flag),
            ("shadow_compare", _plain("i")),
            ("shadow_mode", _plain("i")),
            ("shadow_ambient", _plain("f")),
            ("image_attachment", 95, 154, _if_there(lambda s: s.take(18))),
            ("swizzle", 98, NEVER, _if_there(_text)),
            ("lod", 155, NEVER, _floats(3)),
        ),
    ),
    "osg::Texture2D": Class(
        (*_TEXTURE, "osg::Texture2D"),
        _fields(("image", _if_there(_image)), ("width", _plain("i")), ("height", _plain("i"))),
    ),
    "osg::BufferData": Class(_DATA, _fields(("buffer", 147, NEVER, _object))),
    **{
        f"osg::{name}": Class((_OBJECT, "osg::BufferObject", f"osg::{name}"))
        for name in ("VertexBufferObject", "ElementBufferObject")
    },
    "osg::BufferObject": Class(
        (_OBJECT, "osg::BufferObject"),
        _fields(("target", _plain("I")), ("usage", _plain("I")), ("copy", _flag)),
    ),
    "osg::Array": Class(
        (*_DATA, "osg::Array"),
        _fields(("binding", _plain("i")), ("normalize", _flag), ("preserve", _flag)),
    ),
    **{
        f"osg::{name}": Class(
            (*_DATA, "osg::Array", f"osg::{name}"), _fields(("values", _array_values(*what)))
        )
        for name, what in _ARRAY_CLASSES.items()
    },
    "osg::PrimitiveSet": Class(
        _PRIMITIVES, _fields(("instances", _plain("i")), ("mode", _plain("I")))
    ),
    "osg::DrawArrays": Class(
        (*_PRIMITIVES, "osg::DrawArrays"),
        _fields(("first", _plain("i")), ("count", _plain("i"))),
    ),
    "osg::DrawArrayLengths": Class(
        (*_PRIMITIVES, "osg::DrawArrayLengths"),
        _fields(("first", _plain("i")), ("lengths", _array_values("i4", 1))),
    ),
    **{
        f"osg::DrawElements{name}": Class(
            (*_PRIMITIVES, f"osg::DrawElements{name}"),
            _fields(("indices", _array_values(kind, 1))),
        )
        for name, kind in (("UByte", "u1"), ("UShort", "u2"), ("UInt", "u4"))
    },
}


def read_tree(data: bytes) -> tuple[Item, dict[str, int]]:
    """Return the root object of a file, and the classes that were read over.

    Raises
    ------
    BrokenFileError
        If it is no such file, ends too early, or uses what is not known here.
    """
    if data[:8] != MAGIC:
        raise BrokenFileError("it does not begin like an .osgb file")
    head = Stream(data, 0, False)
    head.take(8)
    _, version, attributes = head.numbers("I", 3)
    if not 60 <= version <= 200:
        raise BrokenFileError(f"version {version} is not known")
    if attributes & 0x1:
        for _ in range(head.count(8)):
            head.text(), head.number("i")
    compressor = head.text()
    rest = data[head.position :]
    if compressor == "zlib":
        rest = _inflated(rest)
    elif compressor != "0":
        raise BrokenFileError(f"the compression {compressor[:40]!r} is not known")
    stream = Stream(rest, version, bool(attributes & 0x4))
    if attributes & 0x2:
        stream.text()
    try:
        root = stream.item()
    except (struct.error, RecursionError, OverflowError) as error:
        raise BrokenFileError(str(error)) from error
    if not isinstance(root, Item):
        raise BrokenFileError("it holds no scene")
    return root, stream.skipped


def _inflated(data: bytes) -> bytes:
    machine = zlib.decompressobj(wbits=47)  # zlib or gzip, by the stream's own head
    try:
        inflated = machine.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise BrokenFileError(str(error)) from error
    if machine.unconsumed_tail:
        raise BrokenFileError("it unpacks to more than 1 GiB")
    return inflated
