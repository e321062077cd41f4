"""What can kill a mutant: programs of a build preset that end with a verdict. This is the one place that says which,
how each is started and what its end means."""

import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import detectors
from .process import run

KILLS = ("assertion", "sanitizer report", "finding", "hangs")
FAILED = re.compile(r"^([A-Z]\d+) failed \(([^):]+)", re.MULTILINE)
# A model's line in the explorer's table. What the explorer cannot run is no finding.
FOUND = re.compile(r"^(\w+) +\w+ .* (race|assertion|deadlock|livelock|memory|lock|mixed-size|crash|unsupported)"
                   r" in run \d+$")


@dataclass
class Verdict:
    judge: str
    outcome: str   # clean | same code | not applicable | crash | error, or one of KILLS
    seconds: float = 0.0
    detail: str = ""
    output: str = ""

    @property
    def kills(self):
        return self.outcome in KILLS


@dataclass(frozen=True)
class Judge:
    name: str
    preset: str
    target: str       # of the build, and the program's name
    seconds: int      # that a run may take
    arguments: tuple  # of each run, one after another until one kills

    def filled(self, budget):
        """The arguments of each run."""
        first, rest = budget.seconds / 3, budget.seconds * 2 / 3
        return [[word.format(seed=budget.seed, first=first, rest=rest) for word in words]
                + list(budget.models if self.target == "models" else ()) for words in self.arguments]


@dataclass(frozen=True)
class Budget:
    """What the schedule explorer is given for a mutant."""
    seed: int = 1
    seconds: float = 60.0
    models: tuple = ()  # all, if empty


EXPLORE = ("--seed", "{seed}", "--quiet", "--shrink-seconds", "0")
# In the order in which they are asked; the first that kills ends it.
JUDGES = [
    Judge("whitebox", "dev", "bugs", 120, (("--jobs", "1", "--deadline", "8"),)),
    Judge("interleave", "dev", "models", 1800,
          (("--strategy", "portfolio", "--seconds", "{first}", *EXPLORE), ("--seconds", "{rest}", *EXPLORE))),
    Judge("tsan", "tsan", "bugs", 400, (("--jobs", "1", "--deadline", "30"),)),
]
EXPLORER = JUDGES[1]


class _Enough(Exception):
    pass


def _run_to_first(command, timeout, cwd, enough):
    """Runs a program until a line says enough; (result or None, output)."""
    lines = []

    def look(line):
        lines.append(line)
        if enough(line):
            raise _Enough

    try:
        return run(command, timeout=timeout, cwd=cwd, on_line=look), "\n".join(lines) + "\n"
    except _Enough:
        return None, "\n".join(lines) + "\n"


# ---- The bug tests ----

def _evidence(kind):
    return kind in ("assertion", "sanitizer report")


def _ask_bugs(judge, command, tree):
    """Each test has a deadline of its own; a hang is looked at again, alone."""
    def enough(line):
        match = FAILED.match(line)
        return bool(match) and _evidence(match.group(2))

    result, output = _run_to_first(command, judge.seconds, tree.root, enough)
    failed = FAILED.findall(output)
    for id, kind in failed:
        if _evidence(kind):
            again = run([*command, id], timeout=90, cwd=tree.root)  # for its whole output
            return kind, id, again.output if again.status else output
    hung = [id for id, kind in failed if kind == "deadline"]
    if hung:
        again = run([*command, hung[0]], timeout=90, cwd=tree.root)
        if FAILED.findall(again.output) == [(hung[0], "deadline")]:
            return "hangs", hung[0], again.output
    if failed:
        return "crash", failed[0][0], output
    if result.timed_out:
        return "error", f"no end after {judge.seconds} s", output
    if result.status == 77:
        return "not applicable", "", output
    return ("clean", "", output) if result.status == 0 else ("error", f"exit status {result.status}", output)


# ---- The schedule explorer's models ----

def _ask_models(judge, command, tree):
    def enough(line):
        match = FOUND.match(line)
        return bool(match) and match.group(2) != "unsupported"

    result, output = _run_to_first(command, judge.seconds, tree.root, enough)
    found = [match for match in map(FOUND.match, output.splitlines()) if match]
    if result is None:
        token = run([*command[:command.index("--seed")], "--seed", command[command.index("--seed") + 1],
                     "--shrink-seconds", "1", found[-1].group(1)], timeout=judge.seconds, cwd=tree.root)
        return "finding", f"{found[-1].group(1)}: {found[-1].group(2)}", token.output if token.status else output
    if result.timed_out:
        return "error", f"no end after {judge.seconds} s", output
    if found:
        return "unsupported", found[0].group(1), output
    return ("clean", "", output) if result.status == 0 else ("error", f"exit status {result.status}", output)


def models_of(tree):
    """Names of the models, or None where there are none."""
    program = tree.program(EXPLORER.preset, EXPLORER.target)
    result = run([program, "--list"], timeout=60) if program else None
    return [line.split()[0] for line in result.output.splitlines() if line.strip()] if result and result.ok else None


def exhausted(tree, model, seconds):
    """Whether every execution of the model is clean, without preemption bound: (yes or no, what was seen)."""
    program = tree.program(EXPLORER.preset, EXPLORER.target)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.json"
        result = run([program, "--preemptions", "none", "--seconds", str(seconds), "--quiet", "--json", path, model],
                     timeout=2 * seconds + 60, cwd=tree.root)
        if not path.exists():
            return False, first_line(result.output)
        row = json.loads(path.read_text())["models"][0]
    return bool(row["exhausted"] and row["found"] == "clean"), f"{row['distinct']} executions, {row['verdict']}"


def first_line(output):
    return (output.strip().splitlines() or ["no output"])[0]


def ask(judge, tree, budget):
    started = time.monotonic()
    program = tree.program(judge.preset, judge.target)
    outcome, detail, output = "error", f"no program {judge.target} in build/{judge.preset}", ""
    look = _ask_bugs if judge.target == "bugs" else _ask_models
    said = []
    for words in judge.filled(budget) if program else ():
        outcome, detail, output = look(judge, [*detectors.prefix(judge.name), program, *words], tree)
        said.append((outcome, detail, output))
        if outcome not in ("clean", "unsupported"):
            break
    else:  # no run kills: what could not be run is worth telling
        outcome, detail, output = next((s for s in said if s[0] != "clean"), (outcome, detail, output))
    return Verdict(judge.name, outcome, time.monotonic() - started, detail, output)
