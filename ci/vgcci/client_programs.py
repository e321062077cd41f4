"""The programs that ci/clients runs: real ones that Debian links with libgc, each with one or two workloads of
stress/clients/."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .paths import ROOT

SOURCES = ROOT / "stress" / "clients"
HEAP_OF_NIX = {"GC_INITIAL_HEAP_SIZE": "65536"}  # else nix begins with 384 MiB and hardly collects


@dataclass(frozen=True)
class Place:
    """Of one run."""
    size: int
    prepared: Path  # what the preparation left, the same for every run
    scratch: Path   # the working folder, of this run alone


def _nothing(_):
    return []


@dataclass(frozen=True)
class Workload:
    about: str
    program: str
    packages: str         # of Debian
    needs: tuple          # commands
    sizes: dict           # full, quick, stress
    command: Callable     # of the run that is measured, from its Place
    prepare: Callable = _nothing  # commands before, with the library that is trusted
    after: Callable = _nothing    # commands after each run, with that library: what they print is compared too
    env: tuple = ()               # names and values
    stress_env: tuple = ()        # with --stress as well
    collect_every: int = 5000     # VGC_COLLECT_EVERY of --stress: some hundred collections
    minimum_heap: int = 65536     # VGC_MINIMUM_HEAP of --stress

    def missing(self):
        return [name for name in self.needs if not shutil.which(name)]


def _sizes(full, quick, stress):
    return {"full": full, "quick": quick, "stress": stress}


def _guile(place):
    return ["guile", "--no-auto-compile", "-c", f'(load-compiled "{place.prepared}/mutator.go")', place.size]


def _guile_compile(place):
    return ["guile", "--no-auto-compile", "-s", SOURCES / "guile/compile.scm", place.size, place.scratch]


def _ecl(file, call):
    return ["ecl", "--norc", "--eval", "(setf *load-verbose* nil)", "--load", file, "--eval", call,
            "--eval", "(ext:quit 0)"]


def _ecl_prepare(place):
    compiled = f'(compile-file "{SOURCES}/ecl/mutator.lisp" :output-file "{place.prepared}/mutator.fas")'
    return [["ecl", "--norc", "--eval", compiled, "--eval", "(ext:quit 0)"]]


def _ecl_compile(place):
    return _ecl(SOURCES / "ecl/compile.lisp", f'(compiling:main {place.size} "{place.scratch}")')


def _crystal_build(place):
    return ["crystal", "build", "--no-color", "-o", place.scratch / "built", SOURCES / "crystal/mutator.cr"]


def _crystal_prepare(place):
    return [["crystal", "build", "--no-color", "-o", place.prepared / "mutator", SOURCES / "crystal/mutator.cr"]]


def _nix(place):
    return ["nix-instantiate", "--eval", "--strict", "--store", "dummy://", "--arg", "size", place.size,
            SOURCES / "nix/mutator.nix"]


def _pages(place):
    return [["python3", SOURCES / "w3m/pages.py", place.size, place.prepared]]


def _w3m(place):
    pages = [place.prepared / f"page{number}.html" for number in range(4)]
    return ["w3m", "-dump", "-I", "UTF-8", "-O", "UTF-8", "-T", "text/html", "-cols", "140", *pages, *pages]


def _nekoc(place):
    return ["nekoc", "-o", place.scratch, *(place.prepared / f"source{number}.neko" for number in range(place.size))]


WORKLOADS = {
    "guile": Workload(
        "threads, weak tables, guardians, big numbers", "guile", "guile-3.0 guile-3.0-dev", ("guile", "guild"),
        _sizes(900, 250, 40), _guile,
        lambda place: [["guild", "compile", "-o", place.prepared / "mutator.go", SOURCES / "guile/mutator.scm"]],
        env=(("GUILE_AUTO_COMPILE", "0"),)),
    "guile-compile": Workload(
        "its compiler on a large module, which is run", "guile", "guile-3.0", ("guile",), _sizes(14, 4, 2),
        _guile_compile, env=(("GUILE_AUTO_COMPILE", "0"),), collect_every=20000),
    "ecl": Workload(
        "threads, hash tables, finalizers, big numbers, code made as it runs", "ecl", "ecl gcc", ("ecl", "gcc"),
        _sizes(350, 80, 20), lambda place: _ecl(place.prepared / "mutator.fas", f"(mutator:main {place.size})"),
        _ecl_prepare),
    "ecl-compile": Workload(
        "its compilers to C and to bytecode, the results loaded and run", "ecl", "ecl gcc", ("ecl", "gcc"),
        _sizes(30, 8, 3), _ecl_compile, collect_every=20000),
    "crystal": Workload(
        "fibers, channels, tables, churn, finalizers", "crystal", "crystal libgmp-dev", ("crystal",),
        _sizes(2000, 300, 120), lambda place: [place.prepared / "mutator", place.size], _crystal_prepare),
    "crystal-build": Workload(
        "the compiler builds a program, which is run", "crystal", "crystal libgmp-dev", ("crystal",),
        _sizes(20, 20, 20), _crystal_build, after=lambda place: [[place.scratch / "built", place.size]],
        collect_every=50000),
    "nix": Workload(
        "a large expression: fixed points, folds, strings, thunks", "nix", "nix-bin", ("nix-instantiate",),
        _sizes(700, 250, 20), _nix, stress_env=tuple(HEAP_OF_NIX.items()),
        # Only its evaluator, in malloc's memory, holds the base environment while it is made: a collection then
        # crashes it with Debian's library, too, if dead frames have left no word of it.
        minimum_heap=262144),
    "w3m": Workload("big pages with nested tables", "w3m", "w3m", ("w3m",), _sizes(40, 12, 3), _w3m, _pages,
                    collect_every=20000),
    "nekoc": Workload(
        "the compiler on many sources; what it writes is compared", "neko", "neko", ("nekoc",), _sizes(25, 5, 1),
        _nekoc,
        lambda place: [["python3", SOURCES / "neko/source.py", place.size, place.prepared]],
        lambda place: [["sha256sum", *(f"source{number}.n" for number in range(place.size))]]),
    "neko": Workload(
        "objects, tables, strings, closures, threads", "neko", "neko", ("neko", "nekoc"), _sizes(4000, 800, 100),
        lambda place: ["neko", place.prepared / "mutator.n", place.size],
        lambda place: [["nekoc", "-o", place.prepared, SOURCES / "neko/mutator.neko"]]),
}
PROGRAMS = list(dict.fromkeys(workload.program for workload in WORKLOADS.values()))


def chosen(names):
    """Workloads of programs or of their own names, in order. ValueError names what is neither."""
    for name in names:
        if name not in WORKLOADS and name not in PROGRAMS:
            raise ValueError(f"unknown program '{name}'; known: {', '.join(dict.fromkeys([*PROGRAMS, *WORKLOADS]))}")
    return [name for name, workload in WORKLOADS.items() if not names or name in names or workload.program in names]
