r"""Formulas, rendered by KaTeX while the site builds.

KaTeX's own script comes out of the sphinxcontrib-katex wheel and runs in
mini-racer, an engine inside this process: no Node, nothing to download, and
no script for formulas on the page. Each formula becomes HTML with a MathML
twin for screen readers. A formula that KaTeX cannot read is a Sphinx
warning, so that ``-W`` stops the build.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, files

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

INNER = {
    "align": "aligned",
    "flalign": "aligned",
    "split": "aligned",
    "eqnarray": "aligned",
    "gather": "gathered",
    "multline": "gathered",
    "alignat": "alignedat",
}
"""Outer environments number their rows; these inner ones do not."""

_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([a-z]+)\*?\}")
_TOKEN = re.compile(
    r"\\(?P<edge>begin|end)\s*\{[^}]*\}|\\\\|\\.|[{}&]", re.DOTALL
)

# KaTeX repeats the LaTeX inside the MathML, where no reader is shown it.
_SOURCE = re.compile(r"<annotation .*?</annotation>", re.DOTALL)

_RENDER = """
const render = (latex, display) => {
  const options = {displayMode: display, output: "htmlAndMathml",
                   throwOnError: true, strict: "error", trust: false};
  try { return JSON.stringify({html: katex.renderToString(latex, options)}); }
  catch (error) { return JSON.stringify({error: String(error.message)}); }
};
"""


class FormulaError(ValueError):
    """A formula that KaTeX cannot read."""


def normalise(latex: str) -> str:
    r"""Return the LaTeX that KaTeX reads in place of an author's display.

    Outer environments become inner ones, and rows that stand bare (a ``&``
    or ``\\`` outside every group) are wrapped in ``aligned``.
    """

    def inner(match: re.Match[str]) -> str:
        if match[2] == "equation":
            return ""
        name = INNER.get(match[2])
        return f"\\{match[1]}{{{name}}}" if name else match[0]

    latex = _ENVIRONMENT.sub(inner, latex).strip()
    latex = re.sub(r"\\(nonumber|notag)\b", "", latex)
    if _has_bare_rows(latex):
        latex = f"\\begin{{aligned}}{latex}\\end{{aligned}}"
    return latex


def _has_bare_rows(latex: str) -> bool:
    depth = 0
    for match in _TOKEN.finditer(latex):
        token = match[0]
        if token == "{" or match["edge"] == "begin":
            depth += 1
        elif token == "}" or match["edge"] == "end":
            depth -= 1
        elif token in ("&", "\\\\") and depth == 0:
            return True
    return False


def wheel_file(package: str, name: str) -> str:
    """Return the path of the one file of this name in a package."""
    try:
        found = [path for path in files(package) or [] if path.name == name]
    except PackageNotFoundError:
        found = []
    if len(found) != 1:
        raise ExtensionError(
            f"The package {package} should hold one {name}, but holds "
            f"{len(found)}: install the versions that requirements.lock names."
        )
    return str(found[0].locate())


@cache
def _engine():
    from py_mini_racer import MiniRacer

    script = wheel_file("sphinxcontrib-katex", "katex.min.js")
    engine = MiniRacer()
    with open(script, encoding="utf-8") as source:
        engine.eval(source.read() + _RENDER)
    return engine


@cache
def render(latex: str, display: bool = False) -> str:
    """Return a formula as HTML with its MathML twin."""
    source = normalise(latex) if display else latex.strip()
    answer = json.loads(_engine().call("render", source, display))
    if "error" in answer:
        reason = answer["error"].removeprefix("KaTeX parse error: ")
        if r"\label" in latex or r"\eqref" in latex:
            reason += " Number with $$ … $$ (eq-name) and cite with {eq}."
        raise FormulaError(reason)
    return _SOURCE.sub("", answer["html"])


def _render_node(node: nodes.Element, display: bool) -> str:
    try:
        return render(node.astext(), display)
    except FormulaError as error:
        logger.warning(
            "KaTeX cannot read the formula %r: %s",
            node.astext(),
            error,
            location=node,
            type="formula",
        )
        return ""


def visit_inline(self, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    self.body.append(_render_node(node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    number = get_node_equation_number(self, node) if node["number"] else None
    # MyST gives an environment without $$ a random name, new in each build.
    if "amsmath" in node["classes"]:
        node["ids"] = []
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if number:
        self.body.append(f'<span class="eqno">({number})')
        if node["ids"]:
            self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(_render_node(node, display=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer(
        "katex", (visit_inline, None), (visit_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
