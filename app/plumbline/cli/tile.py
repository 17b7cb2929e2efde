"""``tile``: large meshes, rasters, vector layers and clouds tiled once into a tree."""

from __future__ import annotations

import argparse
from pathlib import Path

from plumbline.cli.common import add_json, key_value
from plumbline.cli.main import Command
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr


def add_tile(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``tile``."""
    parser.add_argument("file", metavar="FILE")
    parser.add_argument(
        "--out",
        required=True,
        help=tr("folder for the tileset, or a file NAME.copc.laz for a cloud"),
    )
    parser.add_argument("--crs", help=tr("CRS of the file, where it says none or a wrong one"))
    parser.add_argument(
        "--to", metavar="CRS", help=tr("CRS of the tiles; that of the file otherwise")
    )
    parser.add_argument(
        "--layer", default="", help=tr("only this layer of a file that holds several")
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=key_value,
        metavar="K=V",
        help=tr("option of the loader"),
    )
    parser.add_argument(
        "--height",
        default="",
        metavar="COLUMN",
        help=tr("column with heights in metres to which areas are raised"),
    )
    parser.add_argument(
        "--width", type=float, default=1.0, metavar="M", help=tr("width of lines, metres")
    )
    parser.add_argument(
        "--overwrite", action="store_true", help=tr("replace what was tiled there before")
    )
    add_json(parser)
    parser.set_defaults(function=tile)


def tile(command: Command) -> None:
    """Tile a file."""
    from plumbline.core.crs import parse_crs
    from plumbline.io.registry import load
    from plumbline.io.tiling import TilingOptions, is_cloud_file, tile_cloud_file, tile_layer
    from plumbline.services.paths import cache_folder

    options = command.options
    source, target = Path(options.file), Path(options.out).expanduser().absolute()
    if not 0 < options.width < 1e6:
        raise UsageError(
            tr("The width of lines must be a positive number of metres."), tr("E.g. --width 0.5")
        )
    if is_cloud_file(source) and not (options.crs or options.to or options.option):
        done = tile_cloud_file(source, target, options.overwrite, command.feedback)
    else:
        layers = load(
            source,
            dict(options.option),
            command.feedback.part(0.0, 0.4),
            crs=options.crs,
            target_crs=parse_crs(options.to) if options.to else None,
            sublayer=options.layer,
            cache=cache_folder(),
            digest=False,
        )
        if len(layers) != 1:
            raise UsageError(
                tr("“{name}” holds {n} layers.", name=source.name, n=len(layers)),
                tr("Choose one with --layer: {names}.", names=", ".join(la.name for la in layers)),
            )
        for warning in layers[0].warnings:
            command.note(warning)
        how = TilingOptions(options.height, options.width, options.overwrite)
        done = tile_layer(layers[0], target, how, command.feedback.part(0.4, 1.0))
    counts = ", ".join(f"{v:,} {k}" for k, v in done.items() if isinstance(v, int))
    command.answer(done, tr("Tiled into {path}: {counts}.", path=done["path"], counts=counts))
