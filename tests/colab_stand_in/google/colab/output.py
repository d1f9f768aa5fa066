"""What the cell for Colab asks of the page around it."""

asked: list[str] = []


def enable_custom_widget_manager() -> None:
    """Remember that widgets were asked for."""
    asked.append("widgets")
