"""Would the suite notice? Any patch to gc/, tried against every detector, the cheapest first."""

import re
import time

from . import ablation as ablations
from . import detectors, files, index, stress
from .ablate import DEADLINE, smoke
from .errors import first_error
from .paths import ROOT
from .process import run
from .seeds import commit, derive

STRESS_SECONDS = 10
STRESS_REQUESTS = 20_000


class PatchError(Exception):
    pass


def files_of(text):
    """Paths that a unified diff touches."""
    names = set()
    for line in text.splitlines():
        match = re.match(r"^(?:---|\+\+\+) (?:[ab]/)?([^\t\n]+)", line)
        if match and match.group(1) != "/dev/null":
            names.add(match.group(1).strip())
    return names


def apply_diff(text, tree):
    """Applies a unified diff to a copy of the tree; what cannot be applied is a PatchError."""
    names = files_of(text)
    if not names:
        raise PatchError("holds no unified diff ('--- a/gc/FILE' and '+++ b/gc/FILE' lines)")
    outside = sorted(name for name in names if not name.startswith("gc/") or ".." in name)
    if outside:
        raise PatchError(f"changes {outside[0]}; only files of gc/ may be changed")
    scratch = tree.root / "applied.patch"
    files.write(scratch, text if text.endswith("\n") else text + "\n")
    try:
        tree.edited |= {name for name in names if (tree.source / name).exists()}
        result = run(["patch", "-p1", "--batch", "--forward", "--no-backup-if-mismatch", "-r", "-", "-i", scratch],
                     cwd=tree.root)
    finally:
        scratch.unlink()
    if not result.ok:
        tree.sync()
        raise PatchError("does not apply to this tree: " + result.output.strip().replace("\n", "; "))
    return names


def suite(tree, jobs):
    """Yields (name, outcome, seconds, evidence, detector line) for each detector, cheapest first."""
    yield from _dev(tree, jobs)
    for name in ("tsan", "asan"):
        yield from _bugs(tree, name, jobs)
    for name in ("stress", "tsan", "asan"):
        yield from _stress(tree, name, jobs)


def _built(tree, preset, jobs, targets=()):
    result = tree.build(preset, targets, jobs, timeout=1800)
    if not result.ok:
        raise PatchError(f"does not build ({preset}): {first_error(result.output)}")


def _dev(tree, jobs):
    _built(tree, "dev", jobs, ["smoke", "bugs"])
    result = smoke(tree)
    yield "smoke", "clean" if result.ok else "failed", result.seconds, result.output, None
    yield from _bugs(tree, "whitebox", jobs)
    _built(tree, "dev", jobs)
    result = run(["ctest", "--test-dir", tree.root / "build/dev", "-L", "unit", "-j", jobs, "--stop-on-failure",
                  "--output-on-failure"], timeout=300)
    seen = re.findall(r"^\s+\d+ - (\S+) \(", result.output, re.MULTILINE)
    yield "unit", "clean" if result.ok else "failed " + " ".join(seen[:5]), result.seconds, result.output, None


def _bugs(tree, name, jobs):
    detector = detectors.Detector(name, "bugs", [])
    _built(tree, detector.preset, jobs, ["bugs"])
    ids = [row.id for row in index.load()]
    if not ids:
        return
    started = time.monotonic()
    result = run([*detectors.prefix(name), tree.program(detector.preset, "bugs"), "--deadline", DEADLINE],
                 timeout=30 + DEADLINE * len(ids))
    seen = re.findall(r"^([A-Z]\d+) failed \(", result.output, re.MULTILINE)
    outcome = "clean" if result.status in (0, 77) else "failed " + " ".join(seen[:5])
    yield f"bugs ({name})", outcome, time.monotonic() - started, result.output, name


def _stress(tree, name, jobs):
    preset = detectors.PRESETS[name]
    _built(tree, preset, jobs)
    seed = derive(commit(), "patch")
    for path in stress.programs(tree.root / "build" / preset):
        program = path.name
        arguments = stress.arguments(program, seed, STRESS_SECONDS, STRESS_REQUESTS)
        detector = detectors.Detector(name, program, arguments)
        verdict = detectors.detect(detector, tree, STRESS_SECONDS * 6)
        yield f"{program} ({name})", verdict.outcome, verdict.seconds, verdict.output, str(detector)


def reverse_of(hash):
    """The diff that takes a commit's changes to gc/ out again, and its subject."""
    subject = run(["git", "-C", ROOT, "log", "-1", "--format=%s", hash])
    if not subject.ok:
        raise PatchError(f"'{hash}' is no commit of this repository")
    diff = run(["git", "-C", ROOT, "diff", "--full-index", hash, f"{hash}^", "--", "gc/*.c", "gc/*.h"])
    if not diff.ok or not diff.output.strip():
        raise PatchError(f"commit {hash} changes no source file of gc/")
    return diff.output, subject.output.strip()


def as_ablation(tree, names, id, title, detector):
    before = {name: (tree.source / name).read_text() for name in names if (tree.source / name).exists()}
    after = {name: (tree.root / name).read_text() if (tree.root / name).exists() else "" for name in names}
    made = ablations.from_contents(id, title, before, after)
    made.detector = detector
    return made
