"""What ci/clients does: the same programs with two libraries that are loaded as libgc.so.1, one trusted, one under
test. What they print must be the same bytes; what they take is compared as ratios."""

import shlex
import shutil
import statistics
from dataclasses import dataclass, field
from pathlib import Path

from . import client_profile, client_run, files
from .client_programs import WORKLOADS, Place
from .paths import relative
from .process import run as run_plainly
from .table import table

TRUSTED, TESTED = "against", "library"
PREPARE_SECONDS = 300
FIGURES = ("seconds", "cpu_seconds", "peak_kib")


@dataclass
class Settings:
    library: Path
    against: Path
    out: Path
    size: str = "full"       # or quick, stress
    rounds: int = 3
    repeat: int = 0
    stress: bool = False
    profile: bool = False
    deadline: float = 120.0  # seconds for a run

    def folder(self, which):
        return self.library if which == TESTED else self.against


@dataclass
class Item:
    """One verdict."""
    name: str
    status: str  # passed, failed, not run
    seconds: float = 0.0
    command: str = ""
    detail: str = ""
    output: str = ""


@dataclass
class Outcome:
    items: list = field(default_factory=list)
    runs: list = field(default_factory=list)     # every run that was compared
    rows: list = field(default_factory=list)     # the figures of each program
    shares: list = field(default_factory=list)   # of its time
    missing: dict = field(default_factory=dict)  # workload -> what to install


class Failed(Exception):
    """A run that is no proof: it failed, or printed something else."""

    def __init__(self, why, which, kept=()):
        super().__init__(why)
        self.which, self.kept = which, kept


def difference(expected, got):
    """Where two outputs part, or an empty text."""
    if expected == got:
        return ""
    place = next((n for n, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
    line = expected[:place].count(b"\n")

    def shown(data):
        lines = data.splitlines()
        return repr(lines[line].decode(errors="replace")[:100]) if line < len(lines) else "the end"

    return (f"prints something else: byte {place}, line {line + 1}: expected {shown(expected)}, got {shown(got)}; "
            f"{len(expected)} and {len(got)} bytes in all")


class Bench:
    """Runs one workload, as often as wanted."""

    def __init__(self, name, settings, outcome, progress):
        self.name, self.workload, self.settings = name, WORKLOADS[name], settings
        self.outcome, self.progress = outcome, progress
        self.out = settings.out / name
        self.expected = None  # what the first run with the trusted library printed
        self.count = 0
        shutil.rmtree(self.out, ignore_errors=True)
        self.prepared = self.out / "prepared"
        self.prepared.mkdir(parents=True)

    def place(self, scratch):
        return Place(self.workload.sizes[self.settings.size], self.prepared, scratch)

    def _plain(self, command, scratch):
        env = client_run.environment(self.settings.against, scratch, self.workload.env)
        result = run_plainly(command, timeout=PREPARE_SECONDS, cwd=scratch, env=env)
        if not result.ok:
            log = self.out / "preparation"
            files.write(log, f"{shlex.join(result.command)}\n{result.output}")
            raise Failed(f"{result.command[0]} beside it, with the trusted library, ends with status {result.status}: "
                         f"{(result.output.strip().splitlines() or ['no output'])[-1][:200]}", TRUSTED, [log])
        return result.output.encode()

    def prepare(self):
        self.progress.now(f"{self.name}: preparation")
        for command in self.workload.prepare(self.place(self.prepared)):
            self._plain(command, self.prepared)

    def run(self, which, environment=(), what=""):
        """One run, judged. Failed if it is not what it should be; then its files stay."""
        settings, workload = self.settings, self.workload
        self.count += 1
        logs = self.out / f"run{self.count}-{which}"
        scratch = logs / "scratch"
        env = [*workload.env, *(workload.stress_env if settings.size == "stress" else ()), *environment]
        self.progress.now(f"{self.name}: {which} {what}".strip())
        one = client_run.run(workload.command(self.place(scratch)), settings.folder(which), scratch, settings.deadline,
                             env, logs)
        said = one.stdout
        if not one.failure:
            for command in workload.after(self.place(scratch)):
                try:
                    said += self._plain(command, scratch)
                except Failed as why:
                    one.failure = f"what it made is bad: {why}"
        if not one.failure and self.expected is not None:
            one.failure = difference(self.expected, said)
        self.outcome.runs.append({"workload": self.name, "which": which, "environment": dict(environment),
                                  "status": one.status, "failure": one.failure, "loaded": one.loaded,
                                  **{figure: getattr(one, figure) for figure in FIGURES}})
        if one.failure:
            raise Failed(one.failure, which, [logs])
        if self.expected is None:
            self.expected = said
        shutil.rmtree(logs)
        return one

    def in_rounds(self):
        """Turn and turn about, so that what disturbs the machine disturbs both."""
        runs = {TRUSTED: [], TESTED: []}
        for number in range(self.settings.rounds):
            for which in (TRUSTED, TESTED) if number % 2 == 0 else (TESTED, TRUSTED):
                runs[which].append(self.run(which, what=f"round {number + 1} of {self.settings.rounds}"))
        row = {"workload": self.name, "size": self.workload.sizes[self.settings.size], "rounds": self.settings.rounds}
        for figure in FIGURES:
            pairs = [(getattr(a, figure), getattr(b, figure)) for a, b in zip(runs[TRUSTED], runs[TESTED])]
            ratios = [b / a for a, b in pairs if a]
            row[figure] = {TRUSTED: statistics.median(a for a, _ in pairs),
                           TESTED: statistics.median(b for _, b in pairs),
                           "ratio": statistics.median(ratios) if ratios else None}
        self.outcome.rows.append(row)

    def profiled(self):
        for which in (TRUSTED, TESTED):
            self.progress.now(f"{self.name}: {which}, profile")
            scratch = self.out / "profile"
            try:
                found = client_profile.of(self.workload.command(self.place(scratch)), self.settings.folder(which),
                                          scratch, self.settings.deadline * 2, self.workload.env)
            except client_profile.Unavailable as why:
                raise Failed(f"no profile: {why}", which, [self.out]) from None
            self.outcome.shares.append({"workload": self.name, "which": which, **found})
            shutil.rmtree(scratch)


def environments(workload):
    """What --stress runs each program under, in turn."""
    return [{"VGC_COLLECT_EVERY": str(workload.collect_every)},
            {"VGC_MINIMUM_HEAP": str(workload.minimum_heap)}, {"VGC_CHECK_LEVEL": "3"}]


def command_of(name, settings, library):
    """What a person types to see it again."""
    size = ["--stress"] if settings.stress else ["--quick"] if settings.size == "quick" else []
    repeat = ["--repeat", settings.repeat] if settings.repeat else []
    return shlex.join(map(str, ["ci/clients", "--programs", name, *size, *repeat, "--library", relative(library)]))


def _tasks(bench):
    """(name, function) of each item, in order."""
    settings, times = bench.settings, max(1, bench.settings.repeat)

    def under(environment):
        words = " ".join(f"{name}={value}" for name, value in environment.items())

        def repeat():
            if bench.expected is None:
                bench.run(TRUSTED)
            for number in range(times):
                bench.run(TESTED, environment.items(), f"{words} run {number + 1} of {times}".strip())

        return " ".join(filter(None, [bench.name, words, f"{times} runs" if settings.repeat else ""])), repeat

    if settings.stress:
        return [under(environment) for environment in environments(bench.workload)]
    if settings.repeat:
        return [under({})]
    tasks = [(bench.name, bench.in_rounds)]
    return tasks + ([(f"{bench.name} profile", bench.profiled)] if settings.profile else [])


def _kept(paths):
    return f"; kept: {', '.join(relative(path) for path in paths)}" if paths else ""


def one_program(name, settings, outcome, progress):
    workload = WORKLOADS[name]
    missing = workload.missing()
    if missing:
        line = f"apt-get install --no-install-recommends {workload.packages}"
        outcome.missing[name] = line
        outcome.items.append(Item(name, "not run", detail=f"no {', '.join(missing)} here; {line}"))
        progress.event(f"{name}: not run: no {', '.join(missing)} here; {line}")
        return
    bench = Bench(name, settings, outcome, progress)
    command = command_of(name, settings, settings.library)
    try:
        bench.prepare()
    except Failed as why:
        outcome.items.append(Item(name, "failed", 0.0, command, str(why), f"{name}: {why}{_kept(why.kept)}"))
        progress.event(f"{name}: failed: {why}")
        return
    for item, task in _tasks(bench):
        before = len(outcome.runs)
        try:
            task()
            status, detail, output = "passed", "", ""
        except Failed as why:
            with_which = f"with {relative(settings.folder(why.which))}: "
            status, detail, output = "failed", f"{with_which}{why}", f"{item}: {with_which}{why}{_kept(why.kept)}"
        seconds = sum(one["seconds"] for one in outcome.runs[before:])
        outcome.items.append(Item(item, status, seconds, command, detail, output))
        progress.event(f"{item}: {status}{f': {detail}{_kept([bench.out])}' if detail else f', {seconds:.1f} s'}")
    if all(item.status == "passed" for item in outcome.items if item.name.split()[0] == name):
        shutil.rmtree(bench.out)


def run(names, settings, progress):
    outcome = Outcome()
    for name in names:
        one_program(name, settings, outcome, progress)
    return outcome


# ---- What is printed ----

def _ratio(value):
    return "-" if value is None else f"{value:.2f}"


def printed(outcome):
    parts = []
    if outcome.rows:
        lines = []
        for row in outcome.rows:
            wall, cpu, peak = (row[figure] for figure in FIGURES)
            lines.append([row["workload"], *(f"{wall[w]:.2f}" for w in (TRUSTED, TESTED)), _ratio(wall["ratio"]),
                          *(f"{cpu[w]:.2f}" for w in (TRUSTED, TESTED)), _ratio(cpu["ratio"]),
                          *(f"{peak[w] / 1024:.1f}" for w in (TRUSTED, TESTED)), _ratio(peak["ratio"])])
        parts.append(table(lines, ["program", "s", "ours", "ratio", "cpu s", "ours", "ratio", "peak MiB", "ours",
                                   "ratio"]))
    if outcome.shares:
        lines = []
        for name in dict.fromkeys(share["workload"] for share in outcome.shares):
            two = {share["which"]: share for share in outcome.shares if share["workload"] == name}
            parts_of = (("library",), ("library", "kernel_for_library"))
            lines.append([name] + [f"{100 * sum(two[which][key] for key in keys):.1f} %" if which in two else "-"
                                   for keys in parts_of for which in (TRUSTED, TESTED)])
        parts.append(table(lines, ["program", "share in the library", "ours", "and in the kernel for it", "ours"]))
    failed = [item for item in outcome.items if item.status == "failed"]
    for item in failed:
        parts.append(f"failed: {item.output}\n  {item.command}")
    for name, line in outcome.missing.items():
        parts.append(f"not run: {name}; {line}")
    done = sum(item.status == "passed" for item in outcome.items)
    parts.append(f"{done} passed, {len(failed)} failed, {len(outcome.items) - done - len(failed)} not run")
    return "\n\n".join(parts)


def exit_code(outcome):
    statuses = [item.status for item in outcome.items]
    return 1 if "failed" in statuses else 2 if "not run" in statuses or not statuses else 0
