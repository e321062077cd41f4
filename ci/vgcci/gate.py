"""The gate: stages in order, each with its items; a verdict that calls nothing passed that did not run."""

import time
from dataclasses import dataclass, field

from . import findings, host, seeds
from .errors import first_error
from .paths import ROOT, build_dir, relative
from .process import run

PASSED, FAILED, NOT_RUN, NOT_ASKED = "passed", "failed", "not run", "not asked"


@dataclass
class Item:
    name: str
    status: str
    seconds: float = 0.0
    command: str = ""
    detail: str = ""
    output: str = ""


@dataclass
class Stage:
    name: str
    status: str = NOT_ASKED
    seconds: float = 0.0
    detail: str = ""
    items: list = field(default_factory=list)

    def count(self, status):
        return sum(item.status == status for item in self.items)

    @property
    def passed(self):
        return self.count(PASSED)

    @property
    def failed(self):
        return self.count(FAILED)

    @property
    def not_run(self):
        return self.count(NOT_RUN)


class NotRun(Exception):
    """The stage cannot run here, or what it needs failed."""


@dataclass
class Mode:
    """How much of everything. Seconds are for each program."""
    name: str
    stress: int           # plain build, once as it is and once with more spinning threads than processors
    sanitized: int        # stress in a sanitizer build
    rounds: int           # seeds for each stress program
    requests: int         # made of the HTTP server; a quarter in a sanitizer build
    fuzz: int             # seconds of new inputs after the corpus
    ablations: int        # size of the sample; 0: all
    reruns: int
    matrix: bool
    explore: int          # seconds of the schedule explorer, for all models of the collector
    mutants: int          # size of the sample; 0: all
    mutant: int           # seconds of the schedule explorer for each


QUICK = Mode("quick", stress=2, sanitized=2, rounds=1, requests=4_000, fuzz=0, ablations=8, reruns=1, matrix=False,
             explore=10, mutants=2, mutant=10)
DEFAULT = Mode("default", stress=3, sanitized=4, rounds=1, requests=40_000, fuzz=60, ablations=0, reruns=1,
               matrix=False, explore=60, mutants=12, mutant=20)
FULL = Mode("full", stress=60, sanitized=60, rounds=5, requests=1_000_000, fuzz=600, ablations=0, reruns=20,
            matrix=True, explore=900, mutants=0, mutant=60)


class Gate:
    def __init__(self, mode, out, progress, seed=None, shard=None, jobs=None):
        self.settings, self.out, self.progress, self.shard_parts = mode, out, progress, shard
        self.jobs = jobs or host.processors()
        self.commit = seeds.commit()
        self.dirty = seeds.is_dirty()
        self.seed = seed if seed is not None else seeds.derive(self.commit)
        self.stages, self.findings = [], []
        self.started = time.monotonic()
        self.built = {}     # preset -> None or why not
        self.canaries = {}  # preset -> None or why not
        self.prefix, self.host_remark = host.sanitizer_prefix()

    @property
    def mode(self):
        return self.settings.name

    @property
    def shard(self):
        return "/".join(map(str, self.shard_parts)) if self.shard_parts else ""

    @property
    def seconds(self):
        return time.monotonic() - self.started

    # Parts that several stages share.

    def build(self, preset, stage=None):
        """Configures and builds once; NotRun if that failed."""
        if preset not in self.built:
            self.built[preset] = self._build(preset, stage)
        if self.built[preset]:
            raise NotRun(f"{preset} does not build")
        return build_dir(preset)

    def _build(self, preset, stage):
        command = ["cmake", "--preset", preset]
        self.progress.step(f"{preset}: build")
        began = time.monotonic()
        result = run(command, cwd=ROOT, timeout=300)
        if result.ok:
            command = ["cmake", "--build", "--preset", preset, "-j", str(self.jobs)]
            result = run(command, cwd=ROOT, timeout=1800,
                         on_line=lambda line: line.startswith("[") and self.progress.now(f"{preset}: {line}"))
        item = Item(preset, PASSED if result.ok else FAILED, time.monotonic() - began, " ".join(map(str, command)),
                    output="" if result.ok else result.output[-8000:])
        if not result.ok:
            item.detail = first_error(result.output)
            self.findings.append(findings.from_build(item.detail, (stage or self.current).name, item.command, preset))
        (stage or self.current).items.append(item)
        return None if result.ok else item.detail

    def ctest(self, build, stage, **options):
        """Runs tests of a build folder as items of the stage."""
        from . import ctest
        junit = self.out / f"ctest-{build.name}-{stage.name.replace(' ', '-')}-{len(stage.items)}.xml"
        cases, output = ctest.run_tests(build, junit, self.progress, jobs=self.jobs, **options)
        if cases is None:
            raise NotRun("ctest: " + (output.strip().splitlines() or ["no output"])[-1])
        for case in cases:
            command = f"ctest --test-dir {relative(build)} -R '^{case.program}$' --output-on-failure"
            if options.get("prefix"):
                command = " ".join(options["prefix"]) + " " + command
            environment = " ".join(f"{k}={v}" for k, v in (options.get("env") or {}).items())
            item = Item(case.name, case.status, case.seconds, f"{environment} {command}".strip(), output=case.output)
            if case.status == NOT_RUN:
                # The program itself said that it cannot apply to this build; nothing was left out by the gate.
                item.detail = next((line for line in case.output.splitlines() if "not applicable" in line), "skipped")
            self.add(item)

    def add(self, item):
        """Records an item of the current stage; a failed one becomes findings."""
        self.current.items.append(item)
        if item.status == FAILED:
            self.progress.event(f"{self.current.name}: {item.name} failed")
            self.report(item.output, item)
        else:
            item.output = ""

    def report(self, output, item):
        self.findings += findings.from_output(output, self.current.name, item.command, item.name)
        if not item.detail:
            item.detail = self.findings[-1].title

    # The run.

    def run(self, table, only):
        """table: [(name, function(gate, stage))]. Stages that nobody asked for are listed as such."""
        for name, body in table:
            stage = Stage(name)
            self.stages.append(stage)
            if only and name not in only:
                continue
            self.current = stage
            stage.status, stage.detail = NOT_RUN, "interrupted"  # which is what it is until it has ended
            began = time.monotonic()
            try:
                body(self, stage)
                stage.status, stage.detail = self._judge(stage), "" if stage.detail == "interrupted" else stage.detail
            except NotRun as why:
                stage.status, stage.detail = FAILED if stage.failed else NOT_RUN, str(why)
            stage.seconds = time.monotonic() - began
            self.progress.event(f"{name}: {stage.status}" + (f" ({stage.detail})" if stage.detail else ""))
        self.findings = findings.merge(self.findings)

    @staticmethod
    def _judge(stage):
        if stage.failed:
            return FAILED
        return PASSED if stage.passed else NOT_RUN

    @property
    def asked(self):
        return [stage for stage in self.stages if stage.status != NOT_ASKED]

    @property
    def verdict(self):
        if any(stage.status == FAILED for stage in self.asked):
            return "failed"
        if not self.asked or any(stage.status != PASSED for stage in self.asked):
            return "incomplete"
        return "passed"

    @property
    def exit_code(self):
        return {"passed": 0, "failed": 1, "incomplete": 2}[self.verdict]
