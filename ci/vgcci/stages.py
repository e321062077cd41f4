"""The stages of the gate, in order. Each fills its Stage, or raises NotRun with the reason."""

import json
import shlex

from . import host, seeds, stress
from .errors import first_error
from .explore import interleave, orders
from .gate import FAILED, NOT_RUN, PASSED, Item, NotRun
from .paths import ROOT, build_dir, relative
from .process import run

SANITIZED = {"tsan": "tsan", "asan": "asan"}


def set_up(gate, stage):
    result = run([ROOT / "ci/setup", "--check"], cwd=ROOT)
    gate.add(Item("tools", PASSED if result.ok else FAILED, result.seconds, "ci/setup", output=result.output))
    stage.detail = gate.host_remark


def build(gate, stage):
    for preset in ["dev", "tsan", "asan", *_other_presets(gate)]:
        try:
            gate.build(preset, stage)
        except NotRun:
            pass  # an item of this stage says it; what needs that build will not run


def _other_presets(gate):
    """Builds whose white-box tests run as well: what ships, and the other compiler."""
    full = ["release", "dev-clang", "release-clang", "asan-clang"]
    return {"quick": [], "default": ["release"], "full": full}[gate.mode]


def _canaries(gate, preset):
    """Whether the preset's sanitizers report what was planted; asked once. NotRun if not."""
    if preset not in gate.canaries:
        folder = gate.build(preset)
        from . import ctest
        cases, output = ctest.run_tests(folder, gate.out / f"canaries-{preset}.xml", gate.progress, include="^canary$",
                                        jobs=gate.jobs, prefix=gate.prefix)
        if not cases:
            gate.canaries[preset] = "no canary ran: " + (output.strip().splitlines() or ["no output"])[-1]
        else:
            silent = [case.name for case in cases if case.status != "passed"]
            gate.canaries[preset] = silent and (f"{', '.join(silent)} unreported in the {preset} build: that sanitizer "
                                                "is not alive here")
        for case in cases or []:
            if gate.current.name == "canaries":
                command = f"ctest --test-dir {relative(folder)} -R '^{case.name}$' --output-on-failure"
                alive = case.status == "passed"
                gate.current.items.append(Item(f"{preset}: {case.name}", PASSED if alive else NOT_RUN, case.seconds,
                                               command, "" if alive else "unreported", "" if alive else case.output))
    if gate.canaries[preset]:
        raise NotRun(gate.canaries[preset])


def canaries(gate, stage):
    silent = []
    for preset in SANITIZED:
        try:
            _canaries(gate, preset)
        except NotRun as why:
            silent.append(str(why))
    if silent:
        raise NotRun("; ".join(silent))


def whitebox(gate, stage):
    slow = "|slow" if gate.mode == "quick" else ""
    gate.ctest(gate.build("dev"), stage, exclude=f"^(stress|fuzz|canary|interleave{slow})$")
    for preset in _other_presets(gate):
        gate.ctest(gate.build(preset), stage, include="^(unit|bugs|smoke)$")


def run_stress(gate, preset, seconds, spinners=0, prefix=()):
    """Every stress program for some seconds with seeds of its own, derived from the commit."""
    programs = stress.programs(build_dir(preset))
    if not programs:
        raise NotRun(f"no stress programs in {relative(build_dir(preset))}")
    for program in programs:
        for round in range(gate.settings.rounds):
            seed = seeds.derive(gate.seed, program.name, preset, spinners, round, shard=gate.shard_parts)
            requests = gate.settings.requests // (4 if preset in SANITIZED else 1)
            arguments = stress.arguments(program, seed, seconds, requests)
            if spinners:
                arguments += ["--spinners", str(spinners)]
            line = shlex.join([program.name, *arguments])
            gate.progress.step(f"{preset}: {line}")
            result = run([*prefix, program, *arguments], cwd=ROOT,
                         timeout=seconds * 5 + 90 + gate.settings.requests / 200)
            command = f"ci/repro {'' if preset == 'dev' else f'--preset {preset} '}{shlex.quote(line)}"
            name = f"{preset}: {program.name}" + (" oversubscribed" if spinners else "") + f" seed {seed}"
            status = PASSED if result.ok else NOT_RUN if result.status == 77 else FAILED
            detail = "" if status != NOT_RUN else (result.output.strip().splitlines() or ["not applicable"])[-1]
            gate.add(Item(name, status, result.seconds, command, detail, result.output))


def plain_stress(gate, stage):
    folder = gate.build("dev")
    if gate.mode != "quick":
        # Short runs, the same on other subjects, and planted defects that every program must see.
        gate.ctest(folder, stage, include="^stress$")
        run_stress(gate, "dev", gate.settings.stress)
    run_stress(gate, "dev", gate.settings.stress, spinners=4 * host.processors())


def _sanitized(gate, stage, preset, environments=({},)):
    _canaries(gate, preset)
    folder = gate.build(preset)
    for environment in environments:
        gate.ctest(folder, stage, include="^(unit|bugs|libgc)$", prefix=gate.prefix, env=environment)
    run_stress(gate, preset, gate.settings.sanitized, prefix=gate.prefix)


def tsan(gate, stage):
    _sanitized(gate, stage, "tsan")


def asan(gate, stage):
    # Locals live in fake stacks when use-after-return is detected; the collector must find them there too (X05).
    both = [{"ASAN_OPTIONS": f"detect_stack_use_after_return={on}"} for on in (0, 1)]
    _sanitized(gate, stage, "asan", both if gate.mode != "quick" else both[1:])


def ablations(gate, stage):
    path = gate.out / "ablations.json"
    path.unlink(missing_ok=True)
    command = [ROOT / "ci/ablate", "--json", path, "--jobs", gate.jobs]
    settings = gate.settings
    if settings.ablations:
        command += ["--sample", settings.ablations, "--seed", gate.seed]
    if settings.reruns > 1:
        command += ["--reruns", settings.reruns]
    if settings.matrix:
        command += ["--matrix"]
    if gate.shard_parts:
        command += ["--shard", gate.shard]
    result = run([*gate.prefix, *command], cwd=ROOT, on_line=lambda line: gate.progress.step(line.strip()))
    if not path.exists():
        raise NotRun("ci/ablate: " + (result.output.strip().splitlines() or ["no output"])[-1])
    data = json.loads(path.read_text())
    for failure in data["clean_failures"]:
        output = failure["output"]
        if failure["what"].startswith("build of"):
            output = output.partition("\n")[0]  # the error; the rest is the compiler's whole output
        gate.add(Item(f"clean tree: {failure['what']}", FAILED, command="ci/ablate", output=output))
    for row in data["rows"]:
        if row["status"] == "not run":
            gate.add(Item(row["id"], NOT_RUN, detail=row["detail"]))
            continue
        killed = row["status"] == "killed"
        item = Item(row["id"], PASSED if killed else FAILED, row["seconds"], f"ci/ablate {row['id']}",
                    row["detail"] if killed else f"{row['status']}: {row['detail']}")
        if killed:
            gate.add(item)
        else:
            item.output = f"ablation {row['id']} {row['status']}: {row['detail']}"
            gate.add(item)
    if not data["rows"] and not data["clean_failures"]:
        raise NotRun("there is no ablation")
    stage.detail = (result.output.strip().splitlines() or [""])[-1]


def fuzz(gate, stage):
    _canaries(gate, "asan")
    if gate.mode == "quick":  # the corpus, in a build that is there anyway
        gate.ctest(gate.build("asan"), stage, include="^fuzz$", prefix=gate.prefix)
        return
    gate.ctest(gate.build("fuzz"), stage, include="^fuzz$", prefix=gate.prefix)
    seed, seconds = seeds.derive(gate.seed, "fuzz", shard=gate.shard_parts), gate.settings.fuzz
    out = gate.out / "fuzz"
    (out / "fuzz.json").unlink(missing_ok=True)
    command = [ROOT / "ci/fuzz", "--seconds", seconds, "--seed", seed, "--out", out, "--jobs", gate.jobs]
    result = run([*gate.prefix, *command], cwd=ROOT, timeout=seconds + 1200,
                 on_line=lambda line: gate.progress.now(f"fuzz: {line}"))
    if result.status not in (0, 1) or not (out / "fuzz.json").exists():
        raise NotRun("ci/fuzz: " + (result.output.strip().splitlines() or ["no output"])[-1])
    data = json.loads((out / "fuzz.json").read_text())
    for finding in data["findings"]:
        gate.add(Item(f"fuzz: {finding['input']}", FAILED, command=finding["command"], output=finding["report"]))
    if not data["findings"]:
        again = f"ci/fuzz --seconds {seconds} --seed {seed}"
        gate.add(Item(f"{seconds} s of new inputs", PASSED, result.seconds, again))
        stage.detail = f"{data['executions']} programs"


def _clients_library(gate):
    """The folder of the libgc.so.1 that is vgc; NotRun if it does not build."""
    folder = gate.build("release") / "gc" / "libgc"
    if not (folder / "libgc.so.1").exists():
        for command in (["cmake", "--preset", "release", "-DVGC_LIBGC=ON"],
                        ["cmake", "--build", "--preset", "release", "-j", gate.jobs]):
            result = run(command, cwd=ROOT, timeout=1800, on_line=lambda line: gate.progress.now(f"release: {line}"))
            if not result.ok:
                raise NotRun(f"{shlex.join(result.command)}: {first_error(result.output)}")
    if not (folder / "libgc.so.1").exists():
        raise NotRun(f"no libgc.so.1 in {relative(folder)}; cmake --preset release -DVGC_LIBGC=ON; cmake --build "
                     "build/release")
    return folder


def add_clients(gate, data):
    for item in data["items"]:
        gate.add(Item(**item))


def clients(gate, stage):
    """Real programs print the same with our libgc.so.1 as with Debian's; not with --quick collected often as well."""
    library, remarks = _clients_library(gate), []
    for options in ([["--quick"]] if gate.mode == "quick" else [["--quick"], ["--stress"]]):
        out = gate.out / f"clients{options[0].lstrip('-')}"
        path = out / "clients.json"
        path.unlink(missing_ok=True)
        result = run([ROOT / "ci/clients", *options, "--library", library, "--out", out], cwd=ROOT, timeout=3600,
                     on_line=lambda line: gate.progress.step(f"clients: {line.strip()}"))
        if not path.exists():
            raise NotRun("ci/clients: " + (result.output.strip().splitlines() or ["no output"])[-1])
        data = json.loads(path.read_text())
        add_clients(gate, data)
        remarks += [f"{name}: {line}" for name, line in data["missing"].items() if f"{name}: {line}" not in remarks]
    stage.detail = "; ".join(remarks)
    if remarks:  # what is not here was not shown to work
        raise NotRun(stage.detail)


def coverage(gate, stage):
    folder = gate.build("coverage")
    run(["find", folder, "-name", "*.gcda", "-delete"])
    gate.ctest(folder, stage, include="^(unit|bugs|smoke|linkage|fuzz)$")
    report, trace = gate.out / "coverage.txt", gate.out / "coverage-trace.json"
    common = ["gcovr", "--root", ROOT, "--exclude-throw-branches", "--exclude-unreachable-branches"]
    for command in ([*common, "--filter", f"{ROOT}/gc/", "--object-directory", folder, "--json", trace, folder],
                    [*common, "--add-tracefile", trace, "--json-summary", gate.out / "coverage.json", "--txt", report],
                    [*common, "--add-tracefile", trace, "--branches", "--txt", gate.out / "coverage-branches.txt"]):
        result = run(command, cwd=ROOT, timeout=300)
        if not result.ok:
            raise NotRun("gcovr: " + (result.output.strip().splitlines() or ["no output"])[-1])
    totals = json.loads((gate.out / "coverage.json").read_text())
    for name, floor in (("line", 95.0), ("branch", 85.0)):
        percent = totals[f"{name}_percent"]
        gate.add(Item(f"{name} coverage {percent} %", PASSED if percent >= floor else FAILED,
                      command="ci/gate --only coverage", detail=f"at least {floor:g} %",
                      output=f"{name} coverage of gc/ is {percent} %, below {floor:g} %; {relative(report)} and "
                      "coverage-branches.txt list what is uncovered"))


STAGES = [("set-up", set_up), ("build", build), ("canaries", canaries), ("whitebox", whitebox),
          ("stress", plain_stress), ("tsan", tsan), ("asan", asan), ("interleave", interleave),
          ("ablations", ablations), ("orders", orders), ("fuzz", fuzz), ("clients", clients)]
FULL_ONLY = [("coverage", coverage)]
