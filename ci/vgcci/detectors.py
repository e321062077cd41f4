"""What can see a bug: the white-box test, the sanitizers' builds of it, a stress program, the schedule explorer. Each
runs one command in a copy of the tree and judges how it ended."""

import functools
import itertools
import re
import shlex
from dataclasses import dataclass

from . import host, seeds
from .process import run

PRESETS = {"whitebox": "dev", "stress": "dev", "tsan": "tsan", "asan": "asan", "interleave": "dev"}
# The same for every bug: all models share it, none is told what to look for.
INTERLEAVE_SECONDS = 10
# A row of the explorer's table: model, strategy, ..., what it found and in which run.
INTERLEAVE_FOUND = re.compile(r"^(\w+) +portfolio .* (race|assertion|deadlock|livelock|memory|lock|crash) in run \d+",
                              re.MULTILINE)
SANITIZER_REPORT = re.compile(r"WARNING: ThreadSanitizer|FATAL: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer"
                              r"|runtime error: ")
# A stress program's oracle, its watchdog, and the library's own checks say so in these words.
ASSERTION = re.compile(r"failed assertion|\[  FAILED  \]|^vgc: |oracle|check failed", re.MULTILINE)


@dataclass
class Verdict:
    outcome: str  # clean | assertion | sanitizer report | deadline | crash | not applicable | error
    seconds: float
    output: str
    command: str

    def kills(self, ablation):
        return self.outcome in ("assertion", "sanitizer report") or (
            self.outcome == "deadline" and ablation.kill == "deadlock")


@dataclass
class Detector:
    name: str     # whitebox | tsan | asan | stress | interleave
    program: str  # bugs, models, or a stress program
    arguments: list

    @property
    def preset(self):
        return PRESETS[self.name]

    @property
    def alone(self):
        """The program that holds only this test."""
        return f"bug_{self.arguments[0]}" if self.program == "bugs" else self.program

    def __str__(self):
        return self.name if self.program in ("bugs", "models") else " ".join([self.name, self.program, *self.arguments])


def parse(text, id):
    """A detector from the 'detector:' line of an ablation."""
    words = shlex.split(text)
    if words[0] == "interleave":
        return Detector("interleave", "models", [])
    if len(words) > 1:
        program = words[1] if words[1].startswith("stress_") else f"stress_{words[1]}"
        return Detector(words[0], program, words[2:])
    return Detector(words[0], "bugs", [id])


def _bugs_outcome(result):
    failed = re.search(r"^[A-Z]\d+ failed \(([^):]+)", result.output, re.MULTILINE)
    if failed:
        kind = failed.group(1)
        return kind if kind in ("assertion", "sanitizer report", "deadline", "crash") else "error"
    if result.timed_out:
        return "deadline"
    if result.status == 77:
        return "not applicable"
    return "clean" if result.status == 0 else "error"


def _program_outcome(result):
    if SANITIZER_REPORT.search(result.output):
        return "sanitizer report"
    if result.timed_out or "watchdog" in result.output and result.status:
        return "deadline"
    if result.status == 0:
        return "clean"
    if ASSERTION.search(result.output) or result.status == 1:
        return "assertion"
    return "crash" if result.status < 0 or result.status > 128 else "error"


def _models_outcome(result):
    """The explorer's own defects (status 3) are none of the bug's."""
    if result.timed_out or result.status not in (0, 1):
        return "error"
    return "assertion" if INTERLEAVE_FOUND.search(result.output) else "clean"


def _exploration(run_number):
    seed = seeds.derive(seeds.commit(), "interleave", run_number)
    limits = ["--seconds", str(INTERLEAVE_SECONDS), "--shrink-seconds", "0"]
    return ["--strategy", "portfolio", *limits, "--seed", str(seed)]


_explorations = itertools.count()


@functools.cache
def prefix(name):
    """What the programs of a sanitizer's build are started with on this host."""
    return host.sanitizer_prefix()[0] if name in ("tsan", "asan") else ()


def detect(detector, tree, deadline, alone=False):
    name = detector.alone if alone else detector.program
    program = tree.program(detector.preset, name)
    if not program:
        return Verdict("error", 0.0, f"no program {name} in build/{detector.preset}", "")
    arguments = detector.arguments
    if detector.name == "interleave":
        deadline = max(deadline, 6 * INTERLEAVE_SECONDS)
        arguments = [*_exploration(next(_explorations)), *arguments]
    if detector.program == "bugs":
        arguments = ["--deadline", str(deadline), *arguments]
    result = run([*prefix(detector.name), program, *arguments], timeout=deadline + 3, cwd=tree.root)
    judge = {"bugs": _bugs_outcome, "models": _models_outcome}.get(detector.program, _program_outcome)
    shown = arguments if detector.name == "interleave" else detector.arguments
    return Verdict(judge(result), result.seconds, result.output, shlex.join([detector.program, *shown]))
