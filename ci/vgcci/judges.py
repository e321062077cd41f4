"""What can kill a mutant: programs of a build preset that end with a verdict. This is the one place that says which,
how each is started and what its end means."""

import re
import time
from dataclasses import dataclass

from . import detectors
from .process import run

KILLS = ("assertion", "sanitizer report", "finding", "hangs")
FOUND = re.compile(r"^(\S+): ", re.MULTILINE)
FAILED = re.compile(r"^([A-Z]\d+) failed \(([^):]+)", re.MULTILINE)


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
    target: str      # of the build, and the program's name
    seconds: int     # that a run may take
    arguments: tuple

    def command(self, tree, seed):
        program = tree.program(self.preset, self.target)
        words = [word.format(seed=seed) for word in self.arguments]
        return [*detectors.prefix(self.name), program, *words] if program else None


BUGS = ("--jobs", "1", "--deadline", "8")
INTERLEAVE_SECONDS = 20
# In the order in which they are asked; the first that kills ends it.
JUDGES = [
    Judge("interleave", "dev", "models", 10 * INTERLEAVE_SECONDS,
          ("--budget", str(INTERLEAVE_SECONDS), "--seed", "{seed}")),
    Judge("whitebox", "dev", "bugs", 120, BUGS),
    Judge("tsan", "tsan", "bugs", 400, ("--jobs", "1", "--deadline", "30")),
]


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


def _evidence(kind):
    return kind in ("assertion", "sanitizer report")


def _ask_bugs(judge, command, tree):
    """Each test has a deadline of its own; a hang or a crash is looked at again, alone."""
    def enough(line):
        match = FAILED.match(line)
        return bool(match) and _evidence(match.group(2))

    result, output = _run_to_first(command, judge.seconds, tree.root, enough)
    failed = FAILED.findall(output)
    for id, kind in failed:
        if _evidence(kind):
            again = run([*command, id], timeout=90, cwd=tree.root)  # for its whole output
            text = again.output if again.status else output
            return kind, id, text
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


def _ask_models(judge, command, tree):
    result = run(command, timeout=judge.seconds, cwd=tree.root)
    if result.timed_out:
        return "error", f"no end after {judge.seconds} s", result.output
    if result.status in (0, 1):
        found = FOUND.search(result.output) if result.status else None
        return "finding" if result.status else "clean", found.group(1) if found else "", result.output
    return "error", f"exit status {result.status}", result.output


def ask(judge, tree, seed):
    command = judge.command(tree, seed)
    if not command:
        return Verdict(judge.name, "error", detail=f"no program {judge.target} in build/{judge.preset}")
    started = time.monotonic()
    outcome, detail, output = (_ask_bugs if judge.target == "bugs" else _ask_models)(judge, command, tree)
    return Verdict(judge.name, outcome, time.monotonic() - started, detail, output)
