"""Which models of the schedule explorer reach a line of gc/: a mutant is shown to those, not to all."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

from . import elf
from .paths import OUT
from .process import run

KEPT = OUT / "mutate" / "reach.json"
RUNS = 8  # of each model, traced
TOKEN = re.compile(r"^i\d+\.\S+$", re.MULTILINE)
PLACE = re.compile(r"\b(\w+\.[ch]):(\d+)\b")


def _lines(program, model, seed):
    """{"cache.c:41"} of some random runs."""
    tokens = TOKEN.findall(run([program, "--tokens", str(RUNS), "--seed", str(seed), model], timeout=300).output)
    found = set()
    for token in tokens:
        output = run([program, "--token", token, "--trace", "--full-trace"], timeout=300).output
        found |= {":".join(place) for place in PLACE.findall(output)}
    return found


def measure(program, models, root, jobs):
    """{model: sorted lines}; kept by the program's fingerprint."""
    print = elf.fingerprint(program, root)
    if KEPT.exists():
        kept = json.loads(KEPT.read_text())
        if kept["print"] == print and set(models) <= kept["models"].keys():
            return {model: kept["models"][model] for model in models}
    with ThreadPoolExecutor(jobs) as pool:
        lines = pool.map(lambda model: sorted(_lines(program, model, 1)), models)
        reached = dict(zip(models, lines))
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps({"print": print, "models": reached}))
    return reached


def models_for(mutant, sources, reached):
    """Those that reach a line which the mutant changes; if there are none, a function that it changes."""
    lines, functions = set(), set()
    for file, start, end, _ in mutant.edits:
        source, name = sources[file], file.removeprefix("gc/")
        lines |= {f"{name}:{n}" for n in range(source.line(start), source.line(end) + 1)}
        function = source.function_at(start)
        if function:
            functions |= {f"{name}:{n}" for n in range(source.line(function.start), source.line(function.end) + 1)}
    for wanted in (lines, functions):
        found = [model for model, places in reached.items() if wanted & set(places)]
        if found:
            return found
    return []
