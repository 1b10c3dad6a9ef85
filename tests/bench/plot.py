"""Bar charts as SVG, without any package: a group of bars for each label, one bar a series."""

from __future__ import annotations

import html
import pathlib

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 360, 60, 56, 48


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{html.escape(text)}</text>"
    )


def _bar(x: float, y: float, width: float, colour: str, value: float) -> str:
    base = HEIGHT - BOTTOM
    box = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{base - y:.1f}"'
    return f'{box} fill="{colour}"/>' + _text(x + width / 2, y - 4, f"{value:.3g}", size=11)


def bars(
    path: pathlib.Path, title: str, unit: str, labels: list[str], series: dict[str, list[float]]
) -> None:
    """Writes the chart; every series has a value for each label."""
    top = max(max(values) for values in series.values()) * 1.1 or 1.0
    height = HEIGHT - TOP - BOTTOM
    group = (WIDTH - LEFT - 16) / len(labels)
    width = 0.8 * group / len(series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 20, title, size=15),
        _text(LEFT - 8, TOP - 8, unit, "start"),
        f'<line x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - 16}" y2="{HEIGHT - BOTTOM}" '
        'stroke="black"/>',
    ]
    for i, label in enumerate(labels):
        parts.append(_text(LEFT + group * (i + 0.5), HEIGHT - BOTTOM + 18, label))
        for k, values in enumerate(series.values()):
            x = LEFT + group * (i + 0.1) + width * k
            y = TOP + height * (1 - values[i] / top)
            parts.append(_bar(x, y, width * 0.92, COLOURS[k % len(COLOURS)], values[i]))
    for k, name in enumerate(series):
        x = LEFT + 150 * k
        colour = COLOURS[k % len(COLOURS)]
        parts.append(f'<rect x="{x}" y="{HEIGHT - 20}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 18, HEIGHT - 10, name, "start"))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
