"""Which models of the schedule explorer reach a line of gc/: a mutant is shown to those, not to all."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

from . import elf
from .files import write
from .paths import OUT
from .process import run

KEPT = OUT / "mutate" / "reach.json"
RUNS = 2  # of each model, traced
TOKEN = re.compile(r"^i\d+\.\w+\.\w+\.(\w+)\.\S+$", re.MULTILINE)
PLACE = re.compile(r"\b(\w+\.[ch]):(\d+)\b")


def _lines(program, token):
    """{"cache.c:41"} of a run; "+cache.c:41" if another thread than the first is there."""
    found = set()
    for line in run([program, "--token", token, "--trace", "--full-trace"], timeout=300).output.splitlines():
        for place in PLACE.finditer(line):
            found.add(place.group(0))
            if "|" in line[:place.start()]:  # a column for each thread
                found.add(f"+{place.group(0)}")
    return found


def measure(program, models, root, jobs):
    """{model: sorted lines}; kept by the program's fingerprint."""
    print = elf.fingerprint(program, root)
    if KEPT.exists():
        kept = json.loads(KEPT.read_text())
        if kept["print"] == print and set(models) <= kept["models"].keys():
            return {model: kept["models"][model] for model in models}
    said = run([program, "--tokens", str(RUNS * len(models)), *models], timeout=600).output  # in all
    tokens = [(match.group(1), match.group(0)) for match in TOKEN.finditer(said)]
    reached = {model: set() for model in models}
    with ThreadPoolExecutor(jobs) as pool:
        for (model, _), lines in zip(tokens, pool.map(lambda pair: _lines(program, pair[1]), tokens)):
            reached[model] |= lines
    reached = {model: sorted(lines) for model, lines in reached.items()}
    write(KEPT, json.dumps({"print": print, "models": reached}))
    return reached


def models_for(mutant, sources, reached):
    """Those that reach a line which the mutant changes, best with several threads; else a function, else a file. All,
    if a trace shows nothing of the file: it may only call others."""
    lines, functions, files = set(), set(), set()
    for file, start, end, _ in mutant.edits:
        source, name = sources[file], file.removeprefix("gc/")
        lines |= {f"{name}:{n}" for n in range(source.line(start), source.line(end) + 1)}
        function = source.function_at(start)
        if function:
            functions |= {f"{name}:{n}" for n in range(source.line(function.start), source.line(function.end) + 1)}
        files |= {f"{name}:{n}" for n in range(1, source.text.count("\n") + 2)}
    for wanted in (lines, functions, files):
        for mark in ("+", ""):
            found = [model for model, places in reached.items() if {mark + place for place in wanted} & set(places)]
            if found:
                return found
    return list(reached)
