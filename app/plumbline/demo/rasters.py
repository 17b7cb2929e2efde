"""Terrain and orthophoto as tiled GeoTIFF with overviews."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plumbline.demo.frame import CRS, HEIGHT, ORIGIN, Bytes
from plumbline.demo.model import District
from plumbline.demo.picture import RESOLUTION

NODATA = -9999.0


def terrain(district: District, path: Path) -> None:
    """Write the ground in m as float32, 1 m cells."""
    _write(
        path,
        district.ground.astype(np.float32)[None],
        1.0,
        nodata=NODATA,
        compress="deflate",
        predictor=3,
        description="地面高程 (m)",
        resampling="average",
    )


def photo(image: Bytes, path: Path) -> None:
    """Write the orthophoto, JPEG compressed."""
    _write(
        path,
        np.moveaxis(image, 2, 0),
        RESOLUTION,
        compress="jpeg",
        photometric="ycbcr",
        jpeg_quality=88,
        resampling="average",
    )


def _write(
    path: Path,
    bands: Any,
    resolution: float,
    *,
    resampling: str,
    description: str = "",
    **options: Any,
) -> None:
    import rasterio
    from rasterio import Affine
    from rasterio.enums import Resampling

    profile = {
        "driver": "GTiff",
        "dtype": bands.dtype,
        "count": bands.shape[0],
        "height": bands.shape[1],
        "width": bands.shape[2],
        "crs": CRS,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "transform": Affine(resolution, 0, ORIGIN[0], 0, -resolution, ORIGIN[1] + HEIGHT),
        **options,
    }
    config = {"JPEG_QUALITY_OVERVIEW": "85", "INTERLEAVE_OVERVIEW": "PIXEL"}
    if options["compress"] == "jpeg":
        config |= {"COMPRESS_OVERVIEW": "JPEG", "PHOTOMETRIC_OVERVIEW": "YCBCR"}
    if bands.shape[0] == 3:
        profile["interleave"] = "pixel"
    with rasterio.Env(**config):
        with rasterio.open(path, "w", **profile) as target:
            target.write(bands)
            if description:
                target.set_band_description(1, description)
        with rasterio.open(path, "r+") as target:
            target.build_overviews([2, 4, 8], Resampling[resampling])
