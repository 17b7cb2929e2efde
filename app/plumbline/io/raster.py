"""Rasters of terrain and imagery: described at load, read by block or from overviews, never whole.

`read_grid` and `read_image` give what fits a budget (rendering), `sample_bilinear` gives exact
heights at points (analyses). Cells are areas: the value of a cell belongs to its centre.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.crs import horizontal_crs, same_crs, transformer, vertical_factor
from plumbline.core.data import AnyArray, Bounds, FloatArray, RasterData
from plumbline.core.errors import InputError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind, LayerStyle
from plumbline.core.units import INTERNATIONAL_FOOT, US_SURVEY_FOOT
from plumbline.io.base import check_magic, library_notes, reading
from plumbline.io.registry import LoadContext

if TYPE_CHECKING:
    from pyproj import CRS
    from rasterio.io import DatasetReader

#: Suffix -> title, GDAL's driver and what files begin with (nothing: text).
FORMATS: dict[str, tuple[str, str, tuple[bytes, ...]]] = {
    ".tif": ("GeoTIFF", "GTiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ".tiff": ("GeoTIFF", "GTiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ".asc": ("ASC", "AAIGrid", ()),
    ".img": ("IMG", "HFA", (b"EHFA_HEADER_TAG",)),
    ".mbtiles": ("MBTiles", "MBTiles", (b"SQLite format 3\0",)),
    ".gpkg": ("GeoPackage", "GPKG", (b"SQLite format 3\0",)),
}
#: The range of heights is exact up to this many cells, else from overviews or windows.
EXACT_CELLS = 60_000_000
THINNED_CELLS = 4_000_000
#: Windows looked at in each direction where there are neither overviews nor time.
WINDOWS = 16
WINDOW = 256
#: Above this many cells without overviews drawing is slow, and the user is told.
LARGE = 100_000_000
#: Bytes of a compressed block, decoded.
MAX_BLOCK = 1 << 29
#: Cells of one block when points are sampled.
BLOCK = 1024
Affine6 = tuple[float, float, float, float, float, float]

#: Names of vertical units in files, lower case, in metres.
UNITS = {
    "m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0,
    "ft": INTERNATIONAL_FOOT, "foot": INTERNATIONAL_FOOT, "feet": INTERNATIONAL_FOOT,
    "us-ft": US_SURVEY_FOOT, "us survey foot": US_SURVEY_FOOT, "ftus": US_SURVEY_FOOT,
    "us_survey_foot": US_SURVEY_FOOT, "survey_foot": US_SURVEY_FOOT, "cm": 0.01, "mm": 0.001,
}  # fmt: skip


def _title(path: Path) -> str:
    return FORMATS[path.suffix.lower()][0]


def load_raster(path: Path, context: LoadContext) -> list[Layer]:
    """Describe a raster as terrain or imagery; its cells stay on disk.

    Raises
    ------
    InputError
        If the file is not what its name says, is damaged, or has cells that are neither.
    """
    title, _, magics = FORMATS[path.suffix.lower()]
    if magics:
        check_magic(path, title, magics)
    context.feedback.step(0, 1, tr("Reading {name}", name=path.name))
    with reading(path, title), _opened(path) as dataset:
        _check_blocks(dataset)
        crs = _crs(dataset)
        role = str(context.options.get("role", "auto"))
        if role == "auto":
            role = _role(dataset)
        metadata: dict[str, Any] = {"format": title, "role": role, "dtype": dataset.dtypes[0]}
        warnings: list[str] = []
        z_factor = 1.0
        if role == "terrain":
            unit = str(context.options.get("z_unit", "auto"))
            z_factor = _z_factor(dataset, crs, unit, metadata, warnings)
        transform = dataset.transform
        data = RasterData(
            path,
            role,
            dataset.width,
            dataset.height,
            dataset.count,
            str(dataset.dtypes[0]),
            (transform.a, transform.b, transform.c, transform.d, transform.e, transform.f),
            None,
            crs,
            dataset.nodata,
            z_factor=z_factor,
        )
        if abs(transform.determinant) < 1e-300:
            raise ValueError(tr("its transform is singular"))
        metadata |= _metadata(dataset)
        if role == "terrain":
            low, high, seen = _height_range(dataset, context.feedback)
            if math.isfinite(low):
                data.height_range = (low * z_factor, high * z_factor)
            else:
                warnings.append(tr("It holds no heights, only nodata."))
            metadata["height_range"] = seen
        else:
            _probe(dataset, context.feedback)
        if dataset.width * dataset.height > LARGE and not dataset.overviews(1):
            warnings.append(
                tr("It has no overviews: drawing it is slow. Build them, e.g. with gdaladdo.")
            )
    data.bounds = _bounds(data)
    if crs is not None:
        metadata["crs_source"] = "file"
    if transform.is_identity:
        warnings.append(tr("The file does not say where it lies: its coordinates are pixels."))
    style = LayerStyle(palette="terrain") if role == "terrain" else LayerStyle(color_by="rgb")
    return [Layer(path.stem, path.stem, LayerKind.RASTER, data, crs, None, metadata, warnings,
                  style)]  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    """Open with its own driver and no other: some can name further files or addresses."""
    import rasterio

    with (
        library_notes(),
        rasterio.Env(GDAL_NUM_THREADS="1"),
        rasterio.open(path, driver=FORMATS[path.suffix.lower()][1]) as dataset,
    ):
        yield dataset


def _crs(dataset: DatasetReader) -> CRS | None:
    from pyproj import CRS

    return CRS.from_user_input(dataset.crs) if dataset.crs else None


def _role(dataset: DatasetReader) -> str:
    kind = np.dtype(dataset.dtypes[0])
    if kind.kind == "c":
        raise ValueError(tr("its cells are complex numbers"))
    return "terrain" if dataset.count == 1 and kind != np.uint8 else "imagery"


def _check_blocks(dataset: DatasetReader) -> None:
    """Refuse blocks that would fill the memory: one is decoded whole, whatever is asked for."""
    from rasterio.enums import Interleaving

    rows, columns = dataset.block_shapes[0]
    bands = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    size = rows * columns * bands * np.dtype(dataset.dtypes[0]).itemsize
    if dataset.compression is not None and size > MAX_BLOCK:
        raise ValueError(tr("one of its blocks takes {n} MB", n=round(size / 1e6)))


def _metadata(dataset: DatasetReader) -> dict[str, Any]:
    transform = dataset.transform
    return {
        "size": [dataset.width, dataset.height],
        "cell": [math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)],
        "nodata": None if dataset.nodata is None else _plain(dataset.nodata),
        "overviews": list(dataset.overviews(1)),
        "rotated": bool(transform.b or transform.d),
        "compression": dataset.compression.value if dataset.compression else None,
    }


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _z_factor(
    dataset: DatasetReader,
    crs: CRS | None,
    option: str,
    metadata: dict[str, Any],
    warnings: list[str],
) -> float:
    """Return metres per vertical unit: by the option, the band, the vertical CRS, else metres."""
    vertical = vertical_factor(crs)
    band = UNITS.get((dataset.units[0] or "").strip().lower())
    if option != "auto":
        factor, source = UNITS[option], "option"
    elif band is not None:
        factor, source = band, "band"
    elif vertical is not None:
        factor, source = vertical, "crs"
    else:
        factor, source = 1.0, "assumed"
        if crs is not None and crs.is_projected:
            horizontal = crs.axis_info[0].unit_conversion_factor
            if abs(horizontal - 1) > 1e-6:
                warnings.append(
                    tr("The file does not say the unit of its heights; metres were taken although "
                       "its plane is in {unit}.", unit=crs.axis_info[0].unit_name)
                )  # fmt: skip
    metadata |= {"z_factor": factor, "z_factor_source": source}
    return factor


def _height_range(dataset: DatasetReader, feedback: Feedback) -> tuple[float, float, str]:
    """Return lowest and highest value, NaN when there is none, and what was looked at."""
    if dataset.width * dataset.height <= EXACT_CELLS:
        return *_range_of(dataset, _strips(dataset), feedback), "exact"
    if dataset.overviews(1):
        rows, columns = _thinned_shape(dataset.width, dataset.height, THINNED_CELLS)
        values = dataset.read(1, out_shape=(rows, columns))
        return *_low_high(_masked(dataset, values)), "overviews"
    return *_range_of(dataset, _scattered(dataset, WINDOWS), feedback), "sampled"


def _range_of(
    dataset: DatasetReader, windows: list[Any], feedback: Feedback
) -> tuple[float, float]:
    low, high = math.nan, math.nan
    for n, window in enumerate(windows):
        feedback.step(n, len(windows), tr("Reading heights"))
        part = _low_high(_masked(dataset, dataset.read(1, window=window)))
        low, high = float(np.fmin(low, part[0])), float(np.fmax(high, part[1]))
    return low, high


def _strips(dataset: DatasetReader) -> list[Any]:
    """Return windows over the whole width that cover all cells, whole blocks high."""
    from rasterio.windows import Window

    rows = max(1, 4_000_000 // dataset.width)
    block = dataset.block_shapes[0][0]
    rows = max(rows // block, 1) * block
    return [
        Window(0, top, dataset.width, min(rows, dataset.height - top))
        for top in range(0, dataset.height, rows)
    ]


def _scattered(dataset: DatasetReader, count: int) -> list[Any]:
    """Return ``count`` by ``count`` small windows from the first corner to the last."""
    from rasterio.windows import Window

    width, height = min(WINDOW, dataset.width), min(WINDOW, dataset.height)
    lefts = np.linspace(0, dataset.width - width, count).astype(int).tolist()
    tops = np.linspace(0, dataset.height - height, count).astype(int).tolist()
    return [Window(left, top, width, height) for top in tops for left in lefts]


def _probe(dataset: DatasetReader, feedback: Feedback) -> None:
    """Read a few windows, so that a damaged file shows itself now and not when it is drawn."""
    for n, window in enumerate(_scattered(dataset, 3)):
        feedback.step(n, 9)
        dataset.read(list(range(1, min(dataset.count, 4) + 1)), window=window)


def _low_high(values: AnyArray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (math.nan, math.nan)


def _masked(dataset: DatasetReader, values: AnyArray) -> FloatArray:
    """Return float64 with NaN where the file says nodata."""
    heights = values.astype(np.float64)
    nodata = dataset.nodata
    if nodata is not None and math.isfinite(nodata):
        # Compared in the file's own type: -3.4e38 in float32 is not the float64 of that text.
        same = values == np.asarray(nodata).astype(values.dtype)
        heights[same | (heights == nodata)] = np.nan
    heights[~np.isfinite(heights)] = np.nan
    return heights


def _thinned_shape(width: int, height: int, cells: int) -> tuple[int, int]:
    """Return ``(rows, columns)`` that keep the proportions and hold at most `cells` cells."""
    shrink = min(1.0, math.sqrt(cells / max(1, width * height)))
    return max(1, int(height * shrink)), max(1, int(width * shrink))


def corners(transform: Affine6, width: int, height: int) -> FloatArray:
    """Return the outline ``(4, 2)`` of a grid in the file's CRS."""
    a, b, c, d, e, f = transform
    grid = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    return np.column_stack(
        [a * grid[:, 0] + b * grid[:, 1] + c, d * grid[:, 0] + e * grid[:, 1] + f]
    )


def _bounds(data: RasterData) -> Bounds:
    outline = corners(data.transform, data.width, data.height)
    low, high = data.height_range or (0.0, 0.0)
    (xmin, ymin), (xmax, ymax) = outline.min(axis=0), outline.max(axis=0)
    return Bounds(float(xmin), float(ymin), low, float(xmax), float(ymax), high)


def _warped(data: RasterData) -> bool:
    return (
        data.crs is not None
        and data.target_crs is not None
        and not same_crs(data.crs, data.target_crs)
    )


@contextmanager
def _view(data: RasterData) -> Iterator[Any]:
    """Open the raster north up in the project CRS; a plain dataset where the file is that."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    _check_present(data.path)
    with reading(data.path, _title(data.path)), _opened(data.path) as dataset:
        _, b, _, d, e, _ = data.transform
        if not _warped(data) and b == 0 and d == 0 and e < 0:
            yield dataset
            return
        options: dict[str, Any] = {"resampling": Resampling.bilinear}
        if _warped(data):
            assert data.crs is not None
            assert data.target_crs is not None
            # Planes only: GDAL would also move heights where both CRS have a vertical datum.
            options["src_crs"] = horizontal_crs(data.crs).to_wkt()
            options["crs"] = horizontal_crs(data.target_crs).to_wkt()
        if data.role == "imagery" and dataset.count in (1, 3):
            options["add_alpha"] = True
        elif data.role == "terrain" and dataset.nodata is None:
            options["nodata"] = math.nan
            options["dtype"] = "float64"
        with WarpedVRT(dataset, **options) as view:
            yield view


def _check_present(path: Path) -> None:
    if not path.is_file():
        raise InputError(
            tr("There is no file “{path}”.", path=path), tr("Check the path and the disk.")
        )


def _window(view: Any, bounds: tuple[float, float, float, float] | None) -> tuple[int, ...]:
    """Return ``(column, row, width, height)`` of whole cells that cover the bounds, clipped."""
    if bounds is None:
        return 0, 0, int(view.width), int(view.height)
    t = view.transform
    left, right = (bounds[0] - t.c) / t.a, (bounds[2] - t.c) / t.a
    top, bottom = (bounds[3] - t.f) / t.e, (bounds[1] - t.f) / t.e
    x0, y0 = max(0, math.floor(left + 1e-9)), max(0, math.floor(top + 1e-9))
    x1 = min(view.width, math.ceil(right - 1e-9))
    y1 = min(view.height, math.ceil(bottom - 1e-9))
    return x0, y0, max(0, x1 - x0), max(0, y1 - y0)


def read_grid(
    data: RasterData,
    max_cells: int = 4_000_000,
    bounds: tuple[float, float, float, float] | None = None,
) -> tuple[FloatArray, Affine6]:
    """Read terrain as a grid that is north up in the project CRS, thinned to a budget.

    Parameters
    ----------
    max_cells : int
        The grid has at most this many cells; it is read from overviews where the file has them.
    bounds : (xmin, ymin, xmax, ymax), optional
        Only this part, project CRS; snapped outwards to whole cells.

    Returns
    -------
    heights : (rows, columns) float64
        Metres, first row in the north, NaN where unknown; ``(0, 0)`` outside of the raster.
    transform : tuple of 6 floats
        Affine transform from (column, row) of cell corners to the project CRS.

    Raises
    ------
    InputError
        If the file is gone or damaged.
    """
    from rasterio.enums import Resampling
    from rasterio.windows import Window

    with _view(data) as view:
        x0, y0, width, height = _window(view, bounds)
        t = view.transform
        if width == 0 or height == 0:
            return np.zeros((0, 0)), (t.a, t.b, t.c, t.d, t.e, t.f)
        rows, columns = _thinned_shape(width, height, max_cells)
        values = view.read(
            1,
            window=Window(x0, y0, width, height),
            out_shape=(rows, columns),
            resampling=Resampling.average,
        )
        heights = _masked(view, values) * data.z_factor
    a, e = t.a * width / columns, t.e * height / rows
    return heights, (a, 0.0, t.c + x0 * t.a, 0.0, e, t.f + y0 * t.e)


def read_image(
    data: RasterData,
    max_pixels: int = 16_000_000,
    bounds: tuple[float, float, float, float] | None = None,
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """Read imagery as RGBA, north up in the project CRS, thinned to a budget.

    Returns
    -------
    image : (rows, columns, 4) uint8
        First row in the north; alpha 0 where the file has nothing.
    bounds : (xmin, ymin, xmax, ymax)
        Where the image lies, project CRS.

    Raises
    ------
    InputError
        If the file is gone or damaged.
    """
    from rasterio.windows import Window

    with _view(data) as view:
        x0, y0, width, height = _window(view, bounds)
        t = view.transform
        if width == 0 or height == 0:
            return np.zeros((0, 0, 4), np.uint8), (t.c, t.f, t.c, t.f)
        shape = _thinned_shape(width, height, max_pixels)
        image = _rgba(view, data, Window(x0, y0, width, height), shape)
    xmin, ymax = t.c + x0 * t.a, t.f + y0 * t.e
    return image, (xmin, ymax + height * t.e, xmin + width * t.a, ymax)


def _rgba(view: Any, data: RasterData, window: Any, shape: tuple[int, int]) -> NDArray[np.uint8]:
    from rasterio.enums import Resampling

    rgba = np.empty((*shape, 4), np.uint8)
    bands = data.bands
    palette = _palette(view) if bands == 1 else None
    # Numbers of colours have no mean.
    method = Resampling.nearest if palette is not None else Resampling.average
    picked = [1, 2, 3] if bands >= 3 else [1, 1, 1]
    for slot, band in enumerate(picked):
        if slot and band == picked[slot - 1]:
            rgba[..., slot] = rgba[..., slot - 1]
            continue
        values = view.read(band, window=window, out_shape=shape, resampling=method)
        rgba[..., slot] = _bytes(values)
    if palette is not None:
        rgba[..., :] = palette[rgba[..., 0]]
    rgba[..., 3] = view.dataset_mask(window=window, out_shape=shape)
    return rgba


def _palette(view: Any) -> NDArray[np.uint8] | None:
    try:
        table = view.colormap(1)
    except ValueError:
        return None
    palette = np.zeros((256, 4), np.uint8)
    for index, color in table.items():
        if 0 <= index < 256:
            palette[index] = color
    return palette


def _bytes(values: AnyArray) -> NDArray[np.uint8]:
    """Return a band as bytes; wider types are stretched over their 2nd to 98th percentile."""
    if values.dtype == np.uint8:
        return values
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 1.0)
    span = max(float(high) - float(low), 1e-12)
    scaled = np.nan_to_num((values.astype(np.float64) - low) / span * 255)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def sample_bilinear(data: RasterData, xy: AnyArray, feedback: Feedback | None = None) -> FloatArray:
    """Return terrain heights at points, bilinear between cell centres.

    Within half a cell of the border the outermost cells count alone; cells without data are left
    out of the mean. A raster in another CRS is sampled in its own grid: the points are
    transformed, not the cells.

    Parameters
    ----------
    xy : (N, 2) float64
        Project CRS.

    Returns
    -------
    heights : (N,) float64
        Metres, NaN outside and where there is no data.

    Raises
    ------
    InputError
        If the file is gone or damaged.
    """
    feedback = feedback or Feedback()
    cells = cell_positions(data, xy)
    size = np.array([data.width, data.height])
    with np.errstate(invalid="ignore"):
        inside = np.isfinite(cells).all(axis=1) & ((cells >= 0) & (cells <= size)).all(axis=1)
    heights = np.full(len(cells), np.nan)
    where = np.flatnonzero(inside)
    if len(where) == 0:
        return heights
    centred = np.clip(cells[where] - 0.5, 0.0, size - 1.0)
    base = np.minimum(np.floor(centred).astype(np.int64), np.maximum(size - 2, 0))
    _check_present(data.path)
    with reading(data.path, _title(data.path)), _opened(data.path) as dataset:
        for members in _by_block(base, data.width):
            feedback.check()
            heights[where[members]] = _sample_block(dataset, base[members], centred[members])
    return heights * data.z_factor


def cell_positions(data: RasterData, xy: AnyArray) -> FloatArray:
    """Return ``(N, 2)`` column and row of points in the raster's own grid; centres lie at .5."""
    points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    if _warped(data):
        assert data.crs is not None
        assert data.target_crs is not None
        way = transformer(horizontal_crs(data.target_crs), horizontal_crs(data.crs))
        points = np.column_stack(way.transform(points[:, 0], points[:, 1]))
    a, b, c, d, e, f = data.transform
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    cells: FloatArray = (points - (c, f)) @ inverse.T
    return cells


def _by_block(base: AnyArray, width: int) -> Iterator[AnyArray]:
    """Yield the points that lie in each block of cells."""
    across = width // BLOCK + 1
    number = base[:, 1] // BLOCK * across + base[:, 0] // BLOCK
    order = np.argsort(number, kind="stable")
    _, first = np.unique(number[order], return_index=True)
    yield from np.split(order, first[1:])


def _sample_block(dataset: DatasetReader, base: AnyArray, centred: FloatArray) -> FloatArray:
    from rasterio.windows import Window

    x0, y0 = int(base[:, 0].min()), int(base[:, 1].min())
    x1 = min(dataset.width, int(base[:, 0].max()) + 2)
    y1 = min(dataset.height, int(base[:, 1].max()) + 2)
    grid = _masked(dataset, dataset.read(1, window=Window(x0, y0, x1 - x0, y1 - y0)))
    column, row = base[:, 0] - x0, base[:, 1] - y0
    tx, ty = centred[:, 0] - base[:, 0], centred[:, 1] - base[:, 1]
    right, below = np.minimum(column + 1, x1 - x0 - 1), np.minimum(row + 1, y1 - y0 - 1)
    values = np.stack(
        [grid[row, column], grid[row, right], grid[below, column], grid[below, right]]
    )
    weights = np.stack([(1 - tx) * (1 - ty), tx * (1 - ty), (1 - tx) * ty, tx * ty])
    weights[np.isnan(values)] = 0.0
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: FloatArray = (np.nan_to_num(values) * weights).sum(axis=0) / total
    result[total <= 0] = np.nan
    return result
