"""A bar chart as SVG, by hand: groups of bars, each with its name and value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _LEFT, _RIGHT, _LINE, _TOP = 760, 250, 90, 20, 34


def bars(title: str, unit: str, groups: Mapping[str, Sequence[tuple[str, float]]]) -> str:
    """The SVG text; all groups share one scale."""
    top = max(value for group in groups.values() for _, value in group)
    body, y = [_text(12, 22, f"{title} ({unit})", 14)], _TOP
    for name, group in groups.items():
        y += _LINE
        body.append(_text(12, y, name, 12))
        for label, value in group:
            y += _LINE
            width = round(value / top * (_WIDTH - _LEFT - _RIGHT), 1)
            body.append(_text(28, y, label))
            body.append(
                f'<rect x="{_LEFT}" y="{y - 11}" width="{width}" height="14" fill="#1f6feb"/>'
            )
            body.append(_text(_LEFT + width + 6, y, f"{value:,.2f}"))
        y += _LINE // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + _LINE}" '
        'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>'
        + "".join(body)
        + "</svg>\n"
    )


def _text(x: float, y: float, text: str, size: int = 11) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="#24292f">{escape(text)}</text>'
