"""What the book's widgets share.

A widget is a folder with ``__init__.py`` (a subclass of ``BookWidget``),
``widget.mjs`` and ``widget.css``. The subclass names its folder in ``_name``,
declares its public state as traits with ``.tag(sync=True)``, draws itself
without a script in ``_static()`` (a ``<figure>`` with the result in words),
and has a ``__repr__`` that says the same on every run.

``widget.mjs`` ends in ``export default { render };``, imports nothing, and
may use every name of ``base.mjs``, which stands before it: ``html``, ``svg``
and ``fill`` make elements, ``slider``, ``choice``, ``button``, ``player``
make controls, ``bind``, ``change``, ``batched`` and ``announce`` join them to
the model, ``outputSize`` and ``receptiveFields`` compute. ``render`` fills
``el`` and returns a function that takes its listeners away. A large widget
may keep plain functions in other ``.mjs`` files beside it; by their names,
they come before ``widget.mjs``. Two widgets share what a line
``// include ../question/core.mjs`` names.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets

HERE = Path(__file__).parent
_INCLUDE = re.compile(r"^(?://|/\*) include (\S+)(?: \*/)?$", re.MULTILINE)


class BookWidget(anywidget.AnyWidget):
    """A widget that also stands on a page as a picture with its state."""

    _name: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Join the shared script and style to the widget's own."""
        if "_name" in cls.__dict__:
            folder = HERE / cls._name
            widget = folder / "widget.mjs"
            others = sorted({*folder.glob("*.mjs")} - {widget})
            script = _joined(HERE / "base.mjs", *others, widget)
            cls._esm = script.replace(
                "export default { render };",
                "export default { render: keepingKeys(render) };",
            )
            cls._css = _joined(HERE / "base.css", folder / "widget.css")
        super().__init_subclass__(**kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The style is written for these classes, on a page and in a kernel.
        self.add_class("cnn-widget").add_class(f"cnn-{self._name}")

    def state(self) -> dict[str, Any]:
        """Return the public traits, as the page's script reads them."""
        inherited = ipywidgets.DOMWidget.class_trait_names(sync=True)
        return {
            name: getattr(self, name)
            for name in sorted(self.trait_names(sync=True))
            if not name.startswith("_") and name not in inherited
        }

    def to_html(self) -> str:
        """Return the picture with its state, which a page brings to life."""
        state = json.dumps(self.state(), ensure_ascii=False, sort_keys=True)
        state = html.escape(state, quote=False).replace("'", "&#39;")
        return (
            f'<div class="cnn-widget cnn-{self._name}" '
            f"data-widget=\"{self._name}\" data-state='{state}'>"
            f"{self._static()}</div>"
        )

    def _static(self) -> str:
        raise NotImplementedError(
            f"{type(self).__name__} has no picture: write its _static()."
        )

    def _repr_mimebundle_(
        self, **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        data["text/plain"] = repr(self)
        data["text/html"] = self.to_html()
        return data, metadata


def _joined(*paths: Path) -> str:
    return "\n".join(map(_read, paths))


def _read(path: Path) -> str:
    """Read a file; a line that names another becomes what stands there."""
    return _INCLUDE.sub(
        lambda line: _read(path.parent / line[1]),
        path.read_text(encoding="utf-8"),
    )
