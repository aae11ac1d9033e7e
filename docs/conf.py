"""Configuration of Sphinx: ``make docs``."""

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

# A name that nothing documents is an error. What others document is linked
# without the inventories that intersphinx would download.
nitpicky = True
nitpick_ignore = [("py:class", "path-like")]
CHAINER = "https://docs.chainer.org/en/stable/reference/generated/{}.html"
NUMPY = "https://numpy.org/doc/stable/reference/generated/{}.html"
OTHERS = {
    "chainer.utils.type_check.InvalidType": None,
    "numpy.ndarray": NUMPY,
    "sys.modules": "https://docs.python.org/3/library/sys.html#{}",
}


def link(app, env, node, content):
    """Link to the page of an object of Chainer or NumPy."""
    from docutils import nodes

    target = node.get("reftarget", "")
    if not target.startswith("chainer.") and target not in OTHERS:
        return None
    page = OTHERS.get(target, CHAINER)
    if page is None:  # on no page
        return content
    uri = page.format(target)
    return nodes.reference("", "", content, refuri=uri, internal=False)


def setup(app):
    app.connect("missing-reference", link)
    return {"parallel_read_safe": True}
