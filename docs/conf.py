"""The documentation's settings: `sphinx-build -W -n docs build/docs`."""

import re
from pathlib import Path

_SOURCE = (Path(__file__).parent.parent / "pypihub" / "__init__.py").read_text()  # PyPIHub itself is not installed here

project = "PyPIHub"
release = version = re.findall(r'^__version__ = "(.+)"$', _SOURCE, re.MULTILINE)[0]
author = "The PyPIHub founders"
copyright = "2026, The PyPIHub founders"  # noqa: A001 - Sphinx's name for it

extensions = ["myst_parser"]
exclude_patterns = ["changes/*"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "PyPIHub"
html_show_sphinx = False
html_theme_options = {"footer_icons": []}
