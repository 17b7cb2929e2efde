"""Qt blocks that the window and the panels of plugins are built from.

`theme` and `icons` give the look; `panel`, `forms` and `fields` give a tool its place, its inputs
and its result; `charts` draws profiles and counts. ``python -m plumbline.ui_kit.gallery`` shows
everything.
"""

from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.charts import Chart, Series
from plumbline.ui_kit.dock import make_dock
from plumbline.ui_kit.field_specs import LayerChoice
from plumbline.ui_kit.fields import (
    ColorButton,
    ComboBox,
    CoordinateEdit,
    MessageBar,
    PointsEdit,
    ProgressRow,
    SearchField,
    SegmentedControl,
    Swatch,
    UnitSpinBox,
    inset,
)
from plumbline.ui_kit.fonts import setup_fonts, ui_font
from plumbline.ui_kit.forms import ParameterForm
from plumbline.ui_kit.icons import app_icon, icon, icon_names, pixmap, set_icon
from plumbline.ui_kit.labels import ElidedLabel, label, line, set_property
from plumbline.ui_kit.live import follow, on_language, on_theme
from plumbline.ui_kit.panel import EmptyState, Panel, ResultCard, Section, scroll_area
from plumbline.ui_kit.theme import Theme, apply_theme, current_mode, current_theme, theme_changed
from plumbline.ui_kit.views import set_up_calendar, set_up_table, set_up_tree, table_view, tree_view

__all__ = [
    "Chart",
    "ColorButton",
    "ComboBox",
    "CoordinateEdit",
    "ElidedLabel",
    "EmptyState",
    "LayerChoice",
    "MessageBar",
    "Panel",
    "ParameterForm",
    "PointsEdit",
    "ProgressRow",
    "ResultCard",
    "SearchField",
    "Section",
    "SegmentedControl",
    "Series",
    "Swatch",
    "Theme",
    "UnitSpinBox",
    "app_icon",
    "apply_theme",
    "button",
    "current_mode",
    "current_theme",
    "follow",
    "icon",
    "icon_names",
    "inset",
    "label",
    "line",
    "make_dock",
    "on_language",
    "on_theme",
    "pixmap",
    "scroll_area",
    "set_icon",
    "set_property",
    "set_up_calendar",
    "set_up_table",
    "set_up_tree",
    "setup_fonts",
    "table_view",
    "theme_changed",
    "tool_button",
    "tree_view",
    "ui_font",
]
