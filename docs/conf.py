"""Configuration of Sphinx: ``make docs``."""

from docutils import nodes

import chainer_sdtw  # before Chainer, which autodoc imports

project = "chainer-sdtw"
author = "chainer-sdtw contributors"
copyright = author
version = release = chainer_sdtw.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme_options = {"description": "Soft-DTW for Chainer"}
html_static_path = []

# Types are in the docstrings, in Chainer's words.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# A name that nothing documents is an error, but for the words of a type such
# as "callable". What others document is linked by the pattern of their pages,
# without the inventories that intersphinx would download.
nitpicky = True
nitpick_ignore_regex = [("py:class", "[a-z-]+")]
PAGES = {
    "collections": "https://docs.python.org/3/library/collections.abc.html#{}",
    "chainer": "https://docs.chainer.org/en/stable/reference/generated/{}.html",
    "matplotlib": None,
    "numpy": "https://numpy.org/doc/stable/reference/generated/{}.html",
    "scipy": "https://docs.scipy.org/doc/scipy/reference/generated/{}.html",
    "sys": "https://docs.python.org/3/library/sys.html#{}",
}
WITHOUT_PAGE = ("chainer.serializers", "chainer.utils.type_check.InvalidType")


def link(app, env, node, content):
    """Link to the page of what another project documents."""
    target = node.get("reftarget", "")
    project = target.partition(".")[0]
    if project not in PAGES:
        return None
    if PAGES[project] is None or target in WITHOUT_PAGE:
        return content
    uri = PAGES[project].format(target)
    return nodes.reference("", "", content, refuri=uri, internal=False)


def setup(app):
    app.connect("missing-reference", link)
    return {"parallel_read_safe": True}
