"""The tutorial plugin: two measurements, as analysis, panel, command and Python call.

Copy this folder to start a plugin. It has four parts, and each can be read on its own:

``plugin.toml``
    The manifest: what the plugin is called and what it offers. Read without importing anything.
``analysis.py``
    The numbers. Imports only ``plumbline.api``, so it runs on a server without Qt and VTK.
``panel.py``
    The tool in the window. May also import ``plumbline.ui_kit`` and Qt.
``translations/zh_CN.json``
    ``{"English text": "中文"}`` for every text that passes through ``tr``.

Keep this file free of imports: the plugin host looks for the manifest beside it and must not pay
for code that nobody has asked for yet.
"""
