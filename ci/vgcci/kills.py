"""What each model of the collector was seen to kill: whitebox/interleave/models/index.txt, MODEL<TAB>ids of ablations
and mutants. It tells where to look first; what a model kills it kills anew each time."""

import re

from . import files
from .paths import ROOT

INDEX = ROOT / "whitebox/interleave/models/index.txt"


def models(folder=INDEX.parent):
    """Names of the models in the sources."""
    return {name for path in folder.glob("*.c") for name in re.findall(r"_MODEL\(\s*(\w+),", path.read_text())}


def load(path=INDEX):
    """{model: [ids]}"""
    rows = (line.split("\t") for line in path.read_text().splitlines() if line.strip())
    return {model: ids.split() for model, ids in rows}


def models_of(id, index):
    return tuple(model for model, ids in index.items() if id in ids)


def record(kills, path=INDEX):
    """Adds [(model, id)]; the number of those that were not there."""
    index = load(path)
    fresh = [(model, id) for model, id in kills if id not in index.get(model, ())]
    for model, id in fresh:
        index.setdefault(model, []).append(id)
    if fresh:
        files.write(path, "".join(f"{model}\t{' '.join(ids)}\n" for model, ids in sorted(index.items())))
    return len(fresh)
