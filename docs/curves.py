"""Curves as SVG, for the pages that are made from the code: a few lines through points, axes, and a legend."""

import numpy as np

WIDTH, HEIGHT, MARGIN = 300, 200, 26
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#666666")  # told apart by all kinds of colour vision


def curves(x, lines, *, low=None, high=None, title=""):
    """A picture of several lines over the same x, each by its name; what is outside low and high is cut off."""
    shown = np.concatenate([y[np.isfinite(y)] for y in lines.values()])
    low = float(shown.min()) if low is None else low
    high = float(shown.max()) if high is None else high
    high = high if high > low else low + 1
    gap = 0.06 * (high - low)
    low, high = low - gap, high + gap

    def across(value):
        return MARGIN + (value - x[0]) / (x[-1] - x[0]) * (WIDTH - 2 * MARGIN)

    def down(value):
        return HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="9">',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for value in _ticks(x[0], x[-1]):
        place = across(value)
        parts.append(f'<path d="M{place:.1f} {MARGIN}V{HEIGHT - MARGIN}" stroke="{_grey(value)}"/>')
        parts.append(f'<text x="{place:.1f}" y="{HEIGHT - MARGIN + 11}" text-anchor="middle">{value:g}</text>')
    for value in _ticks(low, high):
        place = down(value)
        parts.append(f'<path d="M{MARGIN} {place:.1f}H{WIDTH - MARGIN}" stroke="{_grey(value)}"/>')
        parts.append(f'<text x="{MARGIN - 4}" y="{place + 3:.1f}" text-anchor="end">{value:g}</text>')
    for number, (name, y) in enumerate(lines.items()):
        color = COLORS[number]
        for piece in _pieces(x, y, low, high):
            points = " ".join(f"{across(a):.1f},{down(b):.1f}" for a, b in piece)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"/>')
        parts.append(f'<text x="{MARGIN + 4 + 62 * number}" y="{MARGIN - 8}" fill="{color}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _ticks(low, high):
    """Round numbers between two, about five."""
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [round(float(step * i), 10) for i in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _grey(value):
    return "#999999" if value == 0 else "#e4e4e4"


def _pieces(x, y, low, high):
    """The parts of a line that can be drawn: it breaks where it leaves the picture, and where it jumps."""
    pieces, last = [[]], None
    for a, b in zip(x, y, strict=True):
        inside = np.isfinite(b) and low <= b <= high
        if not inside or (last is not None and abs(b - last) > (high - low) / 8):
            pieces.append([])
        if inside:
            pieces[-1].append((a, b))
        last = b if inside else None
    return [piece for piece in pieces if len(piece) > 1]
