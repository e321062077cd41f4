"""Plots as SVG, readable on light and on dark pages: bars of ratios, lines on logarithmic axes."""

import math
import xml.etree.ElementTree as ElementTree

from .benchmarks import PROGRAMS
from .growth import GROWTHS

# Told apart on white and on black, also by most who are colour-blind.
COLOURS = {
    "vgc": "#2f81d6", "vgc-collect": "#56b4e9", "libgc": "#d55e00", "libgc-equal": "#b5533c", "libgc-free": "#e8945a",
    "mimalloc": "#009e73", "mimalloc-zero": "#6cc6a4", "jemalloc": "#c9a227", "glibc": "#9a78c8", "go": "#cc79a7",
    "limit": "#8b949e",
}
STYLE = """
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.faint { fill: #57606a }
.paper { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.axis { stroke: #57606a; stroke-width: 1.5 }
.range { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .faint { fill: #9198a1 }
  .paper { fill: #0d1117 }
  .grid { stroke: #2d333b }
  .axis { stroke: #9198a1 }
  .range { stroke: #e6edf3 }
}
"""


class Drawing:
    """An SVG of that size. Coordinates are rounded: a difference between two plots is one between their data."""

    def __init__(self, width, height, title):
        self.top = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}",
                                       width=str(width), height=str(height), role="img")
        ElementTree.SubElement(self.top, "title").text = title
        ElementTree.SubElement(self.top, "style").text = STYLE
        self.add("rect", "paper", x=0, y=0, width=width, height=height)
        self.text(16, 26, title, "title")

    def add(self, tag, css=None, **attributes):
        values = {name.replace("_", "-"): f"{value:.1f}" if isinstance(value, float) else str(value)
                  for name, value in attributes.items()}
        return ElementTree.SubElement(self.top, tag, {**({"class": css} if css else {}), **values})

    def text(self, x, y, text, css=None, anchor="start", **attributes):
        self.add("text", css, x=x, y=y, text_anchor=anchor, **attributes).text = text

    def line(self, css, x1, y1, x2, y2):
        self.add("line", css, x1=x1, y1=y1, x2=x2, y2=y2)

    def finish(self):
        ElementTree.indent(self.top)
        return ElementTree.tostring(self.top, encoding="unicode") + "\n"


class LogAxis:
    """From values to coordinates; the bounds are the ticks around the values."""

    def __init__(self, values, start, end, steps=(1, 2, 5)):
        self.start, self.end = start, end
        low, high = min(values), max(values)
        powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        for chosen in (steps, (1, 3), (1,)):
            every = [step * 10.0 ** power for power in powers for step in chosen]
            self.low = max(tick for tick in every if tick <= low * 1.0001)
            self.high = min(tick for tick in every if tick >= high * 0.9999 and tick > self.low)
            self.ticks = [tick for tick in every if self.low * 0.9999 <= tick <= self.high * 1.0001]
            if len(self.ticks) <= 8:
                break

    def place(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def count_text(value):
    return f"{value:,.0f}"


def bytes_text(value):
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if value >= 1 << power:
            return f"{value / (1 << power):g} {unit}"
    return f"{value:g} B"


def seconds_text(value):
    for scale, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * scale >= 0.9999:
            return f"{value * scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def rate_text(value):
    return f"{value / 1e6:.3g} M/s"


# ---- Lines ----

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 86, 40, 70, 60


def _legend(drawing, names, y):
    x = 16
    for name in names:
        drawing.add("rect", x=x, y=y - 9, width=18, height=4, rx=2, fill=COLOURS[name])
        drawing.text(x + 24, y - 2, name)
        x += 40 + 7.2 * len(name)


def lines(title, x_title, y_title, series, x_text, y_text):
    """series: {system: [(x, y), ...]}."""
    drawing = Drawing(WIDTH, HEIGHT, title)
    points = [point for every in series.values() for point in every]
    across = LogAxis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = LogAxis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    _legend(drawing, series, 50)
    for tick in up.ticks:
        y = up.place(tick)
        drawing.line("grid", LEFT, y, WIDTH - RIGHT, y)
        drawing.text(LEFT - 8, y + 4, y_text(tick), "faint", "end")
    xs = sorted({x for x, _ in points})
    across.low, across.high = xs[0], xs[-1] if len(xs) > 1 else 2 * xs[0]
    for x_value in xs:
        x = across.place(x_value)
        drawing.line("grid", x, TOP, x, HEIGHT - BOTTOM)
        drawing.text(x, HEIGHT - BOTTOM + 18, x_text(x_value), "faint", "middle")
    drawing.line("axis", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM)
    drawing.line("axis", LEFT, TOP, LEFT, HEIGHT - BOTTOM)
    drawing.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, x_title, anchor="middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    drawing.text(20, middle, y_title, anchor="middle", transform=f"rotate(-90 20 {middle:.1f})")
    for name, every in series.items():
        places = [(across.place(x), up.place(y)) for x, y in sorted(every)]
        drawing.add("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), fill="none",
                    stroke=COLOURS[name], stroke_width=2.5, stroke_linejoin="round")
        for x, y in places:
            drawing.add("circle", cx=x, cy=y, r=3.5, fill=COLOURS[name])
    return drawing.finish()


def of_growth(points):
    plots = {}
    for name, growth in GROWTHS.items():
        series = {}
        for one in (one for one in points if one["growth"] == name):
            series.setdefault(one["system"], []).append((one["size"], one["value"]))
        if series:
            y_title, y_text = (("operations a second", rate_text) if growth.threads else
                               ("time of a collection", seconds_text))
            plots[f"growth-{name}"] = lines(growth.about, growth.of, y_title, series,
                                            bytes_text if growth.unit > 1 else count_text, y_text)
    return plots


# ---- Bars ----

ROW, PANEL_GAP, NAMES, PANEL, VALUE, HEAD, FOOT = 22, 28, 120, 240, 44, 76, 56


def _panel(drawing, axis, rows, threads, bottom):
    """Bars from 1 to the right for faster, to the left for slower; a fine line over each from quartile to quartile."""
    drawing.text((axis.start + axis.end) / 2, HEAD - 22, f"{threads} thread{'s' if threads != 1 else ''}",
                 anchor="middle")
    for tick in axis.ticks:
        x = axis.place(tick)
        drawing.line("grid", x, HEAD - 8, x, bottom)
        drawing.text(x, bottom + 16, f"{tick:g}", "faint", "middle")
    one = axis.place(1)
    for number, row in enumerate(rows):
        y, x = HEAD + number * ROW, axis.place(row["ratio"])
        drawing.add("rect", x=min(one, x), y=y, width=max(abs(x - one), 1.0), height=ROW - 8, rx=2,
                    fill=COLOURS[row["system"]])
        low, high = axis.place(row["ratio_low"]), axis.place(row["ratio_high"])
        drawing.line("range", low, y + ROW / 2 - 4, high, y + ROW / 2 - 4)
        drawing.text(axis.end + 8, y + ROW / 2, f"{row['ratio']:.2f}")
    drawing.line("axis", one, HEAD - 8, one, bottom)


def bars(title, base, panels):
    """panels: {threads: rows as summary.row makes them, without the base's}."""
    names = list(dict.fromkeys(row["system"] for rows in panels.values() for row in rows))
    width = NAMES + len(panels) * (PANEL + VALUE) + (len(panels) - 1) * PANEL_GAP + 12
    bottom = HEAD + len(names) * ROW - 2
    drawing = Drawing(width, bottom + FOOT, title)
    for number, name in enumerate(names):
        drawing.text(NAMES - 12, HEAD + number * ROW + ROW / 2, name, anchor="end")
    values = [row[key] for rows in panels.values() for row in rows for key in ("ratio_low", "ratio_high")] + [1]
    for number, (threads, rows) in enumerate(panels.items()):
        start = NAMES + number * (PANEL + VALUE + PANEL_GAP)
        ordered = sorted(rows, key=lambda row: names.index(row["system"]))
        _panel(drawing, LogAxis(values, start, start + PANEL), ordered, threads, bottom)
    drawing.text(16, bottom + FOOT - 14, f"speed relative to {base}, which is 1; further right is faster (logarithmic)",
                 "faint")
    return drawing.finish()


def of_ratios(rows):
    plots = {}
    for program in dict.fromkeys(row["program"] for row in rows):
        base, panels = PROGRAMS[program].systems[0], {}
        for row in rows:
            if row["program"] == program and row["system"] != base:
                panels.setdefault(row["threads"], []).append(row)
        if panels:
            plots[f"ratio-{program}"] = bars(f"{program}: {PROGRAMS[program].about}", base, panels)
    return plots
