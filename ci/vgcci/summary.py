"""Of many runs the figures that are printed."""

import statistics

from .benchmarks import PROGRAMS, cells
from .table import table


def rate(one):
    if PROGRAMS[one["program"]].is_latency:
        return 1e6 / one["pause_median_us"]
    return one["operations"] / one["seconds"]


def cpu_rate(one):
    return one["operations"] / one["cpu_seconds"]


def quartiles(values):
    """Lower, median, upper."""
    return tuple(statistics.quantiles(values, n=4, method="inclusive")) if len(values) > 1 else (values[0],) * 3


def paired(of, ones, bases):
    """Quartiles of the ratio to the base's run in the same round."""
    base = {one["round"]: of(one) for one in bases}
    return quartiles([of(one) / base[one["round"]] for one in ones])


def row(program, threads, system, ones, bases):
    low, ratio, high = paired(rate, ones, bases)
    return {"program": program, "threads": threads, "system": system, "rounds": len(ones),
            "rate": statistics.median(map(rate, ones)),
            "ratio": ratio, "ratio_low": low, "ratio_high": high, "cpu_ratio": paired(cpu_rate, ones, bases)[1],
            "rss_kib": max(one["rss_kib"] for one in ones),
            "pauses": statistics.median(one["pauses"] for one in ones),
            "pause_median_us": statistics.median(one["pause_median_us"] for one in ones),
            "pause_longest_us": max(one["pause_longest_us"] for one in ones)}


def summarise(runs, programs, threads, systems):
    rows = []
    for program, count, able in cells(programs, threads, systems):
        cell = {system: [one for one in runs if (one["program"], one["threads"], one["system"]) ==
                         (program, count, system)] for system in able}
        rows += [row(program, count, system, cell[system], cell[able[0]]) for system in able]
    return rows


def _rate(value):
    return f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value:,.0f}"


def _duration(microseconds):
    return f"{microseconds / 1000:.1f} ms" if microseconds >= 1000 else f"{microseconds:.0f} µs"


def _cells(one, base):
    return [one["system"], _rate(one["rate"]), f"{one['ratio']:.2f}",
            "" if one["system"] == base or one["rounds"] < 2 else f"{one['ratio_low']:.2f} to {one['ratio_high']:.2f}",
            "" if PROGRAMS[one["program"]].is_latency else f"{one['cpu_ratio']:.2f}", f"{one['rss_kib'] / 1024:.1f}"]


def _pause_cells(one):
    return [f"{one['pauses']:.0f}"] + [_duration(one[name]) if one["pauses"] else ""
                                       for name in ("pause_median_us", "pause_longest_us")]


def printed(rows):
    """One table, and one of the programs that report pauses."""
    texts = []
    for with_pauses in (False, True):
        lines, last = [], None
        for one in rows:
            program, cell = PROGRAMS[one["program"]], (one["program"], one["threads"])
            if bool(program.pauses) is with_pauses:
                lines.append([*(cell if cell != last else ("", "")), *_cells(one, program.systems[0]),
                              *(_pause_cells(one) if with_pauses else [])])
                last = cell
        if lines:
            texts.append(table(lines, ["program", "threads", "system", "a second", "to vgc", "quartiles", "by cpu",
                                       "peak MiB", *(["pauses", "median", "longest"] if with_pauses else [])]))
    names = [f"{name}: {PROGRAMS[name].pauses}" for name in dict.fromkeys(one["program"] for one in rows)
             if PROGRAMS[name].pauses]
    return "\n\n".join(texts + ["pauses are, of " + "; ".join(names)] if names else texts)
