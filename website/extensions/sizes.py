"""Keep a size such as 3 × 3 on one line: its spaces do not break."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

SIZE = re.compile(r"(?<=[\w)]) × (?=[\w(])")


class WholeSizes(SphinxPostTransform):
    """Replaces the spaces round a × in running text, not in code."""

    default_priority = 900
    formats = ("html",)

    def run(self, **_: object) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, nodes.literal | nodes.literal_block):
                continue
            whole = SIZE.sub("\u00a0×\u00a0", text)
            if whole != text:
                text.parent.replace(text, nodes.Text(whole))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(WholeSizes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
