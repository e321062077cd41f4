"""How a figure grows with the size of the problem: a run for each size and system."""

from dataclasses import dataclass
from pathlib import Path

from .benchmarks import COLLECTORS, SYSTEMS
from .measure import Failed, one_run
from .table import table

MEBIBYTE = 1 << 20
SHARE = 0.8  # of the available memory that a run may take


@dataclass(frozen=True)
class Growth:
    about: str
    program: str
    of: str  # what grows
    sizes: tuple
    systems: tuple = COLLECTORS
    unit: int = 1  # of a size on the axis
    bytes_of_unit: float = 0  # that a run takes at most, for each of a size
    threads: bool = False  # the size is the number of threads, the figure a rate


# A collector may hold twice what is live, and the graph is built with an order of its nodes beside it.
GROWTHS = {
    "graph": Growth("Full collection of a random graph of 64-byte nodes", "graph", "live bytes",
                    (16, 64, 256, 1024, 4096), (*COLLECTORS, "limit"), MEBIBYTE, 2.2 * MEBIBYTE),
    "list": Growth("Full collection of one list of 16-byte nodes", "list", "nodes",
                   (10**4, 10**5, 10**6, 10**7), bytes_of_unit=100),
    "array": Growth("Full collection beside one array of pointers", "array", "bytes of the array",
                    (16, 64, 256, 1024), unit=MEBIBYTE, bytes_of_unit=2 * MEBIBYTE),
    "roots": Growth("Full collection of a near-empty heap with added roots", "roots", "ranges added as roots",
                    (1, 10, 100, 1000, 10**4, 10**5), bytes_of_unit=1000),
    "finalizers": Growth("Full collection beside objects with a finalizer each", "finalizers", "finalizers",
                         (10**3, 10**4, 10**5, 10**6), bytes_of_unit=300),
    "batch": Growth("1000 objects allocated, then freed in random order", "batch", "threads", (1, 2, 4, 8, 16, 32, 64),
                    ("vgc", *COLLECTORS), bytes_of_unit=64 * MEBIBYTE, threads=True),
    "handoff": Growth("64 bytes, freed by another thread", "handoff", "threads", (1, 2, 4, 8, 16, 32, 64),
                      ("vgc", *COLLECTORS), bytes_of_unit=64 * MEBIBYTE, threads=True),
}
SECONDS_SPARE = 900  # the largest graphs are built for minutes
QUICK_SIZES = 3  # of each, for a look


def available_bytes(text=None):
    """What the system says that programs can have without swapping."""
    for line in (text or Path("/proc/meminfo").read_text()).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def fits(growth, size, available):
    return size * growth.bytes_of_unit <= SHARE * available


def _point(arguments, growth, size, system):
    """Seconds of a full collection, or operations a second."""
    path = SYSTEMS[system].path(arguments.build, growth.program, system)
    if growth.threads:
        one = one_run(path, size, arguments.seconds, spare=SECONDS_SPARE)
        return one["operations"] / one["seconds"]
    return one_run(path, 1, arguments.seconds, size, spare=SECONDS_SPARE)["pause_median_us"] / 1e6


def _sizes(growth, quick, progress):
    sizes = growth.sizes[:QUICK_SIZES] if quick else growth.sizes
    able = [size for size in sizes if fits(growth, size, available_bytes())]
    for size in sizes[len(able):]:
        progress.event(f"not run: {growth.program} with {size * growth.unit:,} {growth.of} wants more than {SHARE:.0%} "
                       "of the available memory")
    return able


def _plan(arguments, systems, progress):
    """(name, size, system) of every run."""
    return [(name, size, system) for name in arguments.programs
            for size in _sizes(GROWTHS[name], arguments.quick, progress)
            for system in GROWTHS[name].systems if system in systems or system == GROWTHS[name].systems[0]]


def measure(arguments, systems, progress):
    """(points, remarks): a dictionary for each point; what could not be had."""
    points, remarks = [], []
    plan = _plan(arguments, systems, progress)
    for number, (name, size, system) in enumerate(plan, 1):
        growth = GROWTHS[name]
        progress.step(f"{number} of {len(plan)}: {name}, {size * growth.unit:,} {growth.of}, {system}")
        try:
            value = _point(arguments, growth, size, system)
        except Failed as why:
            remarks.append(f"{name}, {size * growth.unit:,} {growth.of}: {why}")
            continue
        points.append({"growth": name, "system": system, "size": size * growth.unit, "value": value})
    return points, remarks


def _figure(growth, value):
    return f"{value / 1e6:.2f}" if growth.threads else f"{value * 1e3:.3f}"


def printed(points):
    """A table for each, sizes down and systems across."""
    texts = []
    for name, growth in GROWTHS.items():
        found = {(one["size"], one["system"]): one["value"] for one in points if one["growth"] == name}
        systems = [system for system in growth.systems if any(key[1] == system for key in found)]
        lines = [[f"{size:,}"] + [_figure(growth, found[size, system]) if (size, system) in found else "-"
                                  for system in systems] for size in sorted({key[0] for key in found})]
        if lines:
            unit = "millions of operations a second" if growth.threads else "milliseconds"
            texts.append(f"{growth.about}: {unit}\n\n{table(lines, [growth.of, *systems])}")
    return "\n\n".join(texts)
