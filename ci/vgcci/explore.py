"""Stages of the gate that run the schedule explorer: the models, and the mutants that they must kill."""

import json
import shlex
import sys
from pathlib import Path

from . import seeds
from .gate import FAILED, NOT_RUN, PASSED, Item, NotRun
from .paths import ROOT, relative
from .process import run

PROGRAMS = "whitebox/interleave/*/models"
REPLAY = "whitebox/interleave/tests/replay_test.py"
TOKENS = 10_000


def interleave(gate, stage):
    """Litmus tests, gallery and the runtime's own tests as CTest knows them; then the collector's models with seeds of
    this commit."""
    presets = ["dev", "dev-clang"] if gate.mode == "full" else ["dev"]
    runs = models = 0
    for preset in presets:
        folder = gate.build(preset)
        gate.ctest(folder, stage, include="^interleave$")
        programs = sorted(folder.glob(PROGRAMS))
        if not programs:
            raise NotRun(f"no models in {relative(folder)}: interleave runs on x86-64 alone")
        for program in programs:
            table = explore(gate, preset, program)
            runs += sum(row["runs"] for row in table)
            models += len(table)
        if gate.mode == "full":
            replays(gate, preset, programs)
    stage.detail = f"{models} models, {runs} schedules"


def replays(gate, preset, programs):
    """Tokens of random runs of the collector's models, in processes that did not make them."""
    seed = seeds.derive(gate.seed, "replay", preset, shard=gate.shard_parts) % 2**32
    command = [ROOT / REPLAY, *programs, "--tokens", TOKENS, "--together", 100, "--seed", seed]
    result = run([sys.executable, *command], cwd=ROOT, on_line=lambda line: gate.progress.step(line.strip()))
    gate.add(Item(f"{preset}: {TOKENS} tokens", PASSED if result.ok else FAILED, result.seconds,
                  " ".join(["python3", *map(relative_or_word, command)]), output=result.output))


def relative_or_word(word):
    return relative(word) if isinstance(word, Path) else str(word)


def explore(gate, preset, program):
    seed = seeds.derive(gate.seed, "interleave", preset, shard=gate.shard_parts) % 2**32
    path = gate.out / f"interleave-{preset}.json"
    path.unlink(missing_ok=True)
    command = [program, "--strategy", "portfolio", "--seed", seed, "--seconds", gate.settings.explore, "--json", path]
    line = f"{relative(program)} --strategy portfolio --seed {seed} --seconds {gate.settings.explore}"
    gate.progress.step(line)
    result = run(command, cwd=ROOT, timeout=gate.settings.explore * 3 + 300)
    if not path.exists():
        raise NotRun(f"{line}: " + (result.output.strip().splitlines() or ["no output"])[-1])
    rows = json.loads(path.read_text())["models"]
    for row in rows:
        found_none = row["found"] == "clean"
        command = f"ci/repro {row['token']}" if row["token"] else f"{line} {shlex.quote(row['model'])}"
        gate.add(Item(f"{preset}: {row['model']}", PASSED if found_none else FAILED, row["seconds"], command,
                      f"{row['runs']} schedules" if found_none else row["verdict"],
                      "" if found_none else f"interleave: {row['model']}: {row['verdict']}"))
    return rows


def orders(gate, stage):
    """Mutants of what orders gc/'s threads: all of them in the full gate, else a sample that the commit chooses."""
    path = gate.out / "mutants.json"
    path.unlink(missing_ok=True)
    command = [ROOT / "ci/mutate", "--json", path, "--jobs", gate.jobs, "--explore", gate.settings.mutant]
    if gate.settings.mutants:
        command += ["--sample", gate.settings.mutants, "--seed", gate.seed]
    result = run([*gate.prefix, *command], cwd=ROOT, on_line=lambda text: gate.progress.step(text.strip()))
    if not path.exists():
        raise NotRun("ci/mutate: " + (result.output.strip().splitlines() or ["no output"])[-1])
    for row in json.loads(path.read_text())["rows"]:
        held = row["status"] in ("killed", "equivalent")
        status = PASSED if held else NOT_RUN if row["status"] == "not run" else FAILED
        gate.add(Item(row["id"], status, row["seconds"], f"ci/mutate --only {row['id']}",
                      row["status"] if held else f"{row['status']}: {row['detail']}",
                      "" if held else f"mutant {row['id']} {row['status']}: {row['detail']}"))
    stage.detail = (result.output.strip().splitlines() or [""])[-1]
