"""Runs ablations: for each one apply, build, smoke, detect, revert, in parallel copies of the tree."""

import json
import os
import queue
import threading
import time
from dataclasses import asdict, dataclass, field

from . import ablation as ablations
from . import detectors, files
from .errors import first_error
from .process import run
from .worktree import Pool

DEADLINE = 8  # seconds for each detector run after its build; with the start and end of the process under 10


@dataclass
class Row:
    id: str
    title: str = ""
    detector: str = ""
    status: str = "not run"  # killed | survived | error | smoke | crash | deadline | not run
    seconds: float = 0.0     # of the slowest detector run that counts
    build_seconds: float = 0.0
    killed_runs: int = 0
    runs: int = 0
    detail: str = ""
    command: str = ""
    matrix: dict = field(default_factory=dict)  # detector -> "outcome seconds"
    each: list = field(default_factory=list)    # of each run: detector, outcome, seconds, detail, command
    output: str = ""


def wanted_detectors(row_ablation, matrix, only=None):
    """The declared one first, or the only one."""
    declared = detectors.parse(only or row_ablation.detector, row_ablation.id)
    if not matrix:
        return [declared]
    every = [declared]
    for name in ("whitebox", "tsan", "asan"):
        if (name, "bugs") != (declared.name, declared.program):
            every.append(detectors.Detector(name, "bugs", [row_ablation.id]))
    if declared.name != "interleave":
        every.append(detectors.parse("interleave", row_ablation.id))
    return every


def targets_for(preset, every, alone=False):
    """Programs to build in a preset for these detectors; alone: of the bug tests only the one in question."""
    programs = {d.alone if alone else d.program for d in every if d.preset == preset}
    if preset == "dev":
        programs.add("smoke")
    return sorted(programs)


def presets_for(every):
    return sorted({"dev", *(d.preset for d in every)})


def smoke(tree):
    program = tree.program("dev", "smoke")
    return run([program], timeout=DEADLINE, cwd=tree.root)


class Runner:
    def __init__(self, chosen, jobs, reruns=1, matrix=False, budget=None, progress=None, on_row=None,
                 detector=None):
        self.chosen = chosen  # [(id, Ablation or AblationError)]
        self.jobs = max(1, min(jobs, len(chosen)))
        self.ninja_jobs = max(1, (os.cpu_count() or 1) // self.jobs)
        self.reruns, self.matrix, self.budget = reruns, matrix, budget
        self.detector = detector  # in place of the declared one
        self.progress = progress
        self.on_row = on_row or (lambda row: None)
        self.pool = Pool()
        self.started = time.monotonic()
        self.failure = None
        self.active = {}

    def wanted(self, ablation):
        return wanted_detectors(ablation, self.matrix, self.detector)

    # The clean tree first: a test that fails without any ablation proves nothing.

    def clean_failures(self, tree):
        """[(what, output)] of what fails in the unedited tree."""
        every = [d for _, a in self.chosen if not isinstance(a, Exception) for d in self.wanted(a)]
        for preset in presets_for(every):
            self.note("clean tree", f"building {preset}")
            built = tree.build(preset, targets_for(preset, every), os.cpu_count() or 1, timeout=1800)
            if not built.ok:
                return [(f"build of {preset}", first_error(built.output) + "\n" + built.output[-3000:])]
        failures = []
        result = smoke(tree)
        if not result.ok:
            failures.append(("smoke", result.output))
        ran = set()
        for detector in every:
            if str(detector) in ran and detector.program != "bugs":
                continue
            if detector.name == "interleave":
                ran.add(str(detector))
                failures += self.clean_models(tree, [d for d in every if d.name == "interleave"])
            elif detector.program == "bugs":
                if detector.name in ran:
                    continue
                ids = sorted({d.arguments[0] for d in every if d.program == "bugs" and d.name == detector.name})
                self.note("clean tree", f"bugs, {detector.preset} build")
                result = run([*detectors.prefix(detector.name), tree.program(detector.preset, "bugs"), *ids],
                             timeout=60 + 10 * len(ids), cwd=tree.root)
                ran.add(detector.name)
                if result.status not in (0, 77):
                    failures.append((f"bugs ({detector.preset} build)", result.output))
            else:
                self.note("clean tree", str(detector))
                verdict = detectors.detect(detector, tree, 6 * DEADLINE)
                ran.add(str(detector))
                if verdict.outcome != "clean":
                    failures.append((str(detector), verdict.output))
        return failures

    def clean_models(self, tree, every):
        """All models that are to be asked, a second each."""
        asked = sorted({model for detector in every for model in detector.arguments})
        if not all(detector.arguments for detector in every):
            asked = []  # an id has no model of its own
        detector = detectors.Detector("interleave", "models", asked)
        self.note("clean tree", f"{len(asked)} models")
        verdict = detectors.explore(detector, tree, tree.program(detector.preset, "models"), DEADLINE, 0,
                                    max(len(asked), detectors.INTERLEAVE_SECONDS))
        return [] if verdict.outcome == "clean" else [(verdict.command, verdict.output)]

    def judge(self, tree, id, ablation):
        row = Row(id)
        if isinstance(ablation, Exception):
            row.status, row.detail = "error", str(ablation)
            return row
        every = self.wanted(ablation)
        declared = every[0]
        row.title, row.detector = ablation.title, str(declared)
        try:
            tree.edit(ablations.apply(ablation, tree.source))
        except ablations.AblationError as error:
            row.status, row.detail = "error", str(error)
            return row
        started = time.monotonic()
        for preset in presets_for(every):
            built = tree.build(preset, targets_for(preset, every, alone=True), self.ninja_jobs)
            if not built.ok:
                row.status, row.output = "error", built.output
                row.detail = "does not build: " + first_error(built.output)
                return row
        row.build_seconds = time.monotonic() - started
        smoked = smoke(tree)
        if not smoked.ok:
            row.status, row.detail, row.output = "smoke", "the smoke suite fails too: a wreck, not a bug", smoked.output
            return row
        self.run_detectors(tree, ablation, every, row)
        return row

    def run_detectors(self, tree, ablation, every, row):
        for detector in every:
            outcomes, seconds, killed = [], 0.0, 0
            for number in range(self.reruns):
                self.note(row.id, f"{detector.name} {number + 1} of {self.reruns}")
                verdict = detectors.detect(detector, tree, DEADLINE, alone=True, run_number=number)
                outcomes.append(verdict.outcome)
                row.each.append({"detector": detector.name, "outcome": verdict.outcome, "detail": verdict.detail,
                                 "seconds": round(verdict.seconds, 3), "command": verdict.command})
                seconds = max(seconds, verdict.seconds)
                killed += verdict.kills(ablation)
                if detector is every[0] and (not row.output or not verdict.kills(ablation)):
                    row.output, row.command = verdict.output, verdict.command
            seen = outcomes[0] if killed in (0, self.reruns) else f"{killed} of {self.reruns}"
            row.matrix[detector.name] = f"{'killed' if killed == self.reruns else seen} {seconds:.1f} s"
            if detector is not every[0]:
                continue
            row.runs, row.killed_runs, row.seconds = self.reruns, killed, seconds
            missed = [o for o in outcomes if o not in detectors.KILLS]
            if killed == self.reruns:
                row.status, row.detail = "killed", outcomes[0]
            elif killed:
                row.status, row.detail = "survived", f"killed in {killed} of {self.reruns} reruns, else {missed[0]}"
            elif missed[0] in ("clean", "not applicable"):
                row.status, row.detail = "survived", missed[0]
            elif missed[0] == "deadline":
                row.status, row.detail = "deadline", "hangs, but the ablation does not declare 'kill: deadlock'"
            elif missed[0] == "crash":
                row.status, row.detail = "crash", "crashes without an executed assertion or report"
            else:
                row.status, row.detail = "error", first_error(row.output)

    def note(self, id, what):
        if self.progress:
            self.active[threading.get_ident()] = f"{id} {what}"
            self.progress.now("  ".join(self.active.values()))

    def work(self, tree, todo, rows):
        while not self.failure:
            try:
                index, id, ablation = todo.get_nowait()
            except queue.Empty:
                return
            try:
                if self.budget and time.monotonic() - self.started > self.budget:
                    rows[index] = Row(id, getattr(ablation, "title", ""), detail="out of budget")
                    continue
                self.note(id, "")
                try:
                    rows[index] = self.judge(tree, id, ablation)
                finally:
                    tree.revert()
                self.on_row(rows[index])
            except Exception as error:  # of this program, or a full disk; ends all workers
                self.failure = error

    def run(self):
        """(rows, clean failures)"""
        try:
            first = self.pool.claim()
            first.sync()
            failures = self.clean_failures(first)
            if failures:
                return [], failures
            trees = [first] + [self.pool.claim() for _ in range(self.jobs - 1)]
            for tree in trees[1:]:
                tree.sync()
            todo = queue.Queue()
            for index, (id, ablation) in enumerate(self.chosen):
                todo.put((index, id, ablation))
            rows = [Row(id, getattr(a, "title", "")) for id, a in self.chosen]
            threads = [threading.Thread(target=self.work, args=(tree, todo, rows)) for tree in trees]
            for thread in threads:
                thread.start()
            try:
                for thread in threads:
                    thread.join()
            finally:  # interrupted: the copies are theirs until they have ended
                for thread in threads:
                    thread.join()
            if self.failure:
                raise self.failure
            return rows, []
        finally:
            self.pool.close()


def tally(rows):
    killed = sum(row.status == "killed" for row in rows)
    survived = sum(row.status == "survived" for row in rows)
    not_run = sum(row.status == "not run" for row in rows)
    return killed, survived, len(rows) - killed - survived - not_run, not_run


def closing_line(rows):
    killed, survived, errors, _ = tally(rows)
    return f"ablations: {killed} killed, {survived} survived, {errors} errors of {len(rows)}"


def save(path, rows, clean_failures):
    killed, survived, errors, not_run = tally(rows)
    data = {"killed": killed, "survived": survived, "errors": errors, "not_run": not_run, "total": len(rows),
            "clean_failures": [{"what": what, "output": output[-8000:]} for what, output in clean_failures],
            "rows": [{**asdict(row), "output": row.output[-8000:]} for row in rows]}
    files.write(path, json.dumps(data, indent=2) + "\n")
