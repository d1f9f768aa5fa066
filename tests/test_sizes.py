"""A size such as 3 × 3 stays on one line."""

import pytest
from docutils import nodes
from docutils.utils import new_document

from website.extensions.sizes import WholeSizes

HARD = "\u00a0×\u00a0"


def transformed(*children):
    document = new_document("page")
    document += nodes.paragraph("", "", *children)
    WholeSizes(document).run()
    return document.astext()


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("a 3 × 3 window", f"a 3{HARD}3 window"),
        ("55 × 55 × 96 maps", f"55{HARD}55{HARD}96 maps"),
        ("(H − 1) × W", f"(H − 1){HARD}W"),
        ("12 times", "12 times"),
        ("the sign × itself,", f"the sign{HARD}itself,"),
        ("× alone", "× alone"),
    ],
)
def test_the_spaces_of_a_size_do_not_break(text, whole):
    assert transformed(nodes.Text(text)) == whole


def test_code_is_left_alone():
    assert transformed(nodes.literal(text="3 × 3")) == "3 × 3"


def test_the_pages_have_it(built_site):
    page = (built_site / "chapters/vgg.html").read_text("utf-8")
    assert f"3{HARD}3" in page
