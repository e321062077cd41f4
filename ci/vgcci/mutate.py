"""Runs mutants: for each one build, smoke, and the judges in turn, in parallel copies of the tree. What a judge said of
a program is kept by the program's fingerprint, so that only what changed is asked again."""

import hashlib
import json
import os
import queue
import shutil
import threading
import time
from dataclasses import asdict, dataclass, field, replace

from . import elf, files, kills, ledger, reach
from .ablate import smoke
from .errors import first_error
from .judges import EXPLORER, Verdict, ask, exhausted, models_of
from .paths import OUT
from .worktree import Pool

KEPT = OUT / "mutate" / "verdicts.json"
CLEAN = OUT / "mutate" / "clean" / EXPLORER.target  # the explorer's program of the clean tree
PROOF_SECONDS = 300  # that exhausting the model of an equivalent may take


@dataclass
class Row:
    id: str
    kind: str
    description: str
    status: str = "not run"  # killed | equivalent | survived | smoke | error | not run
    judge: str = ""
    outcome: str = ""
    detail: str = ""
    seconds: float = 0.0        # from the first build to the verdict
    build_seconds: float = 0.0
    asked: dict = field(default_factory=dict)  # judge -> "outcome detail seconds"
    output: str = ""


class Memory:
    """Verdicts of earlier runs, by fingerprint and command."""

    def __init__(self, path, fresh):
        self.path, self.lock, self.known = path, threading.Lock(), {}
        if path.exists() and not fresh:
            try:
                self.known = json.loads(path.read_text())
            except ValueError:
                pass  # written by a run that was ended: begin anew

    @staticmethod
    def key(judge, budget, print):
        said = json.dumps([judge.name, judge.filled(budget), print])
        return hashlib.sha256(said.encode()).hexdigest()

    def get(self, key):
        with self.lock:
            return Verdict(**self.known[key]) if key in self.known else None

    def put(self, key, verdict):
        with self.lock:
            self.known[key] = {**asdict(verdict), "output": verdict.output[-4000:]}
            scratch = self.path.with_suffix(".new")
            files.write(scratch, json.dumps(self.known))
            scratch.replace(self.path)


class Runner:
    def __init__(self, mutants, sources, judges, equivalents, options, progress=None, on_row=None):
        self.mutants, self.sources, self.judges, self.equivalents = mutants, sources, judges, equivalents
        self.options, self.progress = options, progress
        self.on_row = on_row or (lambda row: None)
        self.jobs = max(1, min(options.jobs, len(mutants)))
        self.ninja_jobs = max(1, (os.cpu_count() or 1) // self.jobs)
        self.memory = Memory(KEPT, options.fresh)
        self.pool = Pool()
        self.started = time.monotonic()
        self.failure = None
        self.kills = kills.load()
        self.models = []  # of the clean tree
        self.reach, self.reaching = None, threading.Lock()
        self.clean = {}  # judge -> fingerprint of its program in the clean tree
        self.active = {}

    def note(self, id, what):
        if self.progress:
            self.active[threading.get_ident()] = f"{id} {what}"
            self.progress.now("  ".join(self.active.values()))

    def targets(self, judge):
        return sorted({judge.target, "smoke"} if judge.preset == "dev" else {judge.target})

    def restore(self, tree, names):
        """The sources from which the mutants were made, whatever has become of them since."""
        for name in names:
            path = tree.root / name
            if path.read_text() != self.sources[name].text:
                files.write(path, self.sources[name].text)
        tree.edited.clear()

    def prepare(self, tree, source):
        tree.source = source
        tree.sync()
        self.restore(tree, list(self.sources))

    # The clean tree: what it fails proves nothing against a mutant.

    def clean_failures(self, tree):
        for judge in self.judges:
            self.note("clean tree", f"building for {judge.name}")
            built = tree.build(judge.preset, self.targets(judge), os.cpu_count() or 1, timeout=1800)
            if not built.ok:
                return [(f"build for {judge.name}", first_error(built.output) + "\n" + built.output[-3000:])]
        failures = []
        result = smoke(tree)
        if not result.ok:
            failures.append(("smoke", result.output))
        for judge in self.judges:
            self.note("clean tree", judge.name)
            self.clean[judge.name] = elf.fingerprint(tree.program(judge.preset, judge.target), tree.root)
            verdict = self.asked(judge, tree, self.clean[judge.name])
            if verdict.outcome not in ("clean", "not applicable"):
                failures.append((f"{judge.name}: {verdict.outcome} {verdict.detail}", verdict.output))
        if EXPLORER in self.judges:
            self.models = models_of(tree) or []
            CLEAN.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree.program(EXPLORER.preset, EXPLORER.target), CLEAN)
            failures += [("ci/equivalents.txt", problem)
                         for problem in ledger.check_models(self.equivalents, self.models, "ci/equivalents.txt")]
        return failures

    def reached(self, tree):
        """{model: lines of gc/}, of the clean tree; looked at only for a mutant that no known killer kills."""
        with self.reaching:
            if self.reach is None:
                self.reach = reach.measure(CLEAN, self.wanted(self.models), tree.root, self.jobs)
            return self.reach

    def wanted(self, models):
        chosen = self.options.budget.models
        return tuple(model for model in models if model in chosen or not chosen)

    def asked(self, judge, tree, print, mutant=None):
        """What the judge says of the clean tree, or of a mutant: the explorer's known killers of it come first."""
        budget = self.options.budget
        if not mutant or judge is not EXPLORER:
            return self.remembered(judge, tree, print, budget)
        verdict, likely = None, kills.models_of(mutant.id, self.kills)
        likely = self.wanted(model for model in likely if model in self.models)
        if likely:
            verdict = self.remembered(judge, tree, print, replace(budget, models=likely))
            if verdict.kills:
                return verdict
        rest = tuple(m for m in reach.models_for(mutant, self.sources, self.reached(tree)) if m not in likely)
        return self.remembered(judge, tree, print, replace(budget, models=rest)) if rest else verdict

    def remembered(self, judge, tree, print, budget):
        key = self.memory.key(judge, budget, print)
        verdict = self.memory.get(key)
        if not verdict:
            verdict = ask(judge, tree, budget)
            if verdict.outcome != "error":
                self.memory.put(key, verdict)
        return verdict

    def judge(self, tree, mutant):
        row = Row(mutant.id, mutant.kind, mutant.description)
        started = time.monotonic()
        tree.edit(mutant.contents(self.sources))
        smoked = False
        for judge in self.judges:
            self.note(mutant.id, judge.name)
            if not self.built(tree, judge, row):
                break
            if judge.preset == "dev" and not smoked:
                smoked = True
                result = smoke(tree)
                if not result.ok:
                    row.status, row.detail, row.output = "smoke", "the smoke suite fails too", result.output
                    break
            print = elf.fingerprint(tree.program(judge.preset, judge.target), tree.root)
            same = print == self.clean[judge.name]
            self.record(row, Verdict(judge.name, "same code") if same else self.asked(judge, tree, print, mutant))
            if row.status == "killed" and not self.options.matrix:
                break
        self.settle(tree, row)
        row.seconds = time.monotonic() - started
        return row

    def built(self, tree, judge, row):
        result = tree.build(judge.preset, self.targets(judge), self.ninja_jobs)
        row.build_seconds += result.seconds
        if not result.ok:
            row.status, row.output = "error", result.output
            row.detail = "does not build: " + first_error(result.output)
        return result.ok

    @staticmethod
    def record(row, verdict):
        row.asked[verdict.judge] = " ".join(filter(None, [verdict.outcome, verdict.detail, f"{verdict.seconds:.1f} s"]))
        if verdict.kills and row.status != "killed":
            row.status, row.judge, row.outcome = "killed", verdict.judge, verdict.outcome
            row.detail, row.output = verdict.detail, verdict.output

    def settle(self, tree, row):
        """With what the ledger says of it."""
        entry = self.equivalents.get(row.id)
        if row.status == "not run" and not entry:
            row.status, row.detail = "survived", "; ".join(f"{judge}: {said}" for judge, said in row.asked.items())
        elif row.status == "not run":
            self.note(row.id, f"exhausting {entry.model}")
            proved, said = exhausted(tree, entry.model, PROOF_SECONDS)
            row.status = "equivalent" if proved else "error"
            row.detail = f"model {entry.model}: {said}" + ("" if proved else ", so it proves nothing")
        elif entry and row.status == "killed":
            row.status = "error"
            row.detail = f"ci/equivalents.txt calls it equivalent, but {row.judge} kills it: {row.detail}"

    def work(self, tree, todo, rows):
        while not self.failure:
            try:
                place, mutant = todo.get_nowait()
            except queue.Empty:
                return
            try:
                if self.options.within and time.monotonic() - self.started > self.options.within:
                    rows[place].detail = "out of time"
                    continue
                try:
                    rows[place] = self.judge(tree, mutant)
                finally:
                    self.restore(tree, set(tree.edited))
                self.on_row(rows[place])
            except Exception as error:  # of this program, or a full disk; ends all workers
                self.failure = error

    def run(self):
        """(rows, clean failures)"""
        try:
            first = self.pool.claim()
            self.prepare(first, first.source)
            failures = self.clean_failures(first)
            if failures:
                return [], failures
            trees = [first] + [self.pool.claim() for _ in range(self.jobs - 1)]
            for tree in trees[1:]:
                self.prepare(tree, first.root)
            todo = queue.Queue()
            for pair in enumerate(self.mutants):
                todo.put(pair)
            rows = [Row(m.id, m.kind, m.description) for m in self.mutants]
            threads = [threading.Thread(target=self.work, args=(tree, todo, rows)) for tree in trees]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if self.failure:
                raise self.failure
            return rows, []
        finally:
            self.pool.close()


def count(rows, status):
    return sum(row.status == status for row in rows)


def errors(rows):
    return [row for row in rows if row.status in ("error", "smoke")]


def closing_line(rows):
    wrong = f", {len(errors(rows))} errors" if errors(rows) else ""
    return (f"mutants: {count(rows, 'killed')} killed, {count(rows, 'equivalent')} equivalent, "
            f"{count(rows, 'survived')} survived{wrong} of {len(rows)}")


def kills_of(rows):
    """[(model, id)] of what the schedule explorer killed."""
    return [(row.detail.partition(":")[0], row.id) for row in rows
            if row.status == "killed" and row.judge == EXPLORER.name]


def save(path, rows, failures):
    data = {"killed": count(rows, "killed"), "equivalent": count(rows, "equivalent"),
            "survived": count(rows, "survived"), "errors": len(errors(rows)), "not_run": count(rows, "not run"),
            "total": len(rows), "clean_failures": [{"what": w, "output": o[-8000:]} for w, o in failures],
            "rows": [{**asdict(row), "output": row.output[-8000:]} for row in rows]}
    files.write(path, json.dumps(data, indent=2) + "\n")
