"""What can see a bug: the white-box test, the sanitizers' builds of it, a stress program, the schedule explorer. Each
runs one command in a copy of the tree and judges how it ended."""

import functools
import json
import re
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import host, kills, seeds
from .process import run

PRESETS = {"whitebox": "dev", "stress": "dev", "tsan": "tsan", "asan": "asan", "interleave": "dev"}
# Of processor time, which is what an idle core gives: the same for every bug, for starting, for learning and for
# searching. The models that are about the bug share it; a bug that has none shares it among all.
INTERLEAVE_SECONDS = 10
# What the explorer cannot run is no finding.
INTERLEAVE_KILLS = ("race", "assertion", "deadlock", "livelock", "memory", "lock", "crash")
SANITIZER_REPORT = re.compile(r"WARNING: ThreadSanitizer|FATAL: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer"
                              r"|runtime error: ")
# A stress program's oracle, its watchdog, and the library's own checks say so in these words.
ASSERTION = re.compile(r"failed assertion|\[  FAILED  \]|^vgc: |oracle|check failed", re.MULTILINE)


KILLS = ("assertion", "sanitizer report", "finding")


@dataclass
class Verdict:
    outcome: str  # clean | assertion | sanitizer report | finding | deadline | crash | not applicable | error
    seconds: float  # of the explorer: of processor time
    output: str
    command: str
    detail: str = ""

    def kills(self, ablation):
        return self.outcome in KILLS or (
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
        return Detector("interleave", "models", list(kills.models_of(id, kills.load())))
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


def explore(detector, tree, program, deadline, run_number, seconds=INTERLEAVE_SECONDS):
    """Another seed of the commit's for each run number, the same for every bug."""
    seed = seeds.derive(seeds.commit(), "interleave", run_number)
    command = [detector.program, "--strategy", "portfolio", "--first", "--processor-time", "--seconds", str(seconds),
               "--shrink-seconds", "0", "--seed", str(seed), *detector.arguments]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.json"
        # A busy machine gives a fraction of the time that passes.
        result = run([program, "--json", path, *command[1:]], timeout=max(deadline, 12 * seconds), cwd=tree.root)
        table = json.loads(path.read_text()) if path.exists() and result.status in (0, 1) else None
    return explored(table, result, shlex.join(command))


def explored(table, result, command):
    """The verdict of an explorer's run. Its own defects (status 3) are none of the bug's."""
    if not table:
        return Verdict("error", result.seconds, result.output, command, "no end" if result.timed_out else "no table")
    found = [row for row in table["models"] if row["found"] in INTERLEAVE_KILLS]
    outcome = "finding" if found else "clean"
    runs = sum(row["runs"] for row in table["models"])
    detail = f"{found[0]['model']}: {found[0]['verdict']}" if found else f"{runs} runs"
    return Verdict(outcome, table["processor_seconds"], result.output, command, detail)


@functools.cache
def prefix(name):
    """What the programs of a sanitizer's build are started with on this host."""
    return host.sanitizer_prefix()[0] if name in ("tsan", "asan") else ()


def detect(detector, tree, deadline, alone=False, run_number=0):
    name = detector.alone if alone else detector.program
    program = tree.program(detector.preset, name)
    if not program:
        return Verdict("error", 0.0, f"no program {name} in build/{detector.preset}", "")
    if detector.name == "interleave":
        return explore(detector, tree, program, deadline, run_number)
    arguments = detector.arguments
    if detector.program == "bugs":
        arguments = ["--deadline", str(deadline), *arguments]
    result = run([*prefix(detector.name), program, *arguments], timeout=deadline + 3, cwd=tree.root)
    judge = _bugs_outcome if detector.program == "bugs" else _program_outcome
    return Verdict(judge(result), result.seconds, result.output, shlex.join([detector.program, *detector.arguments]))
