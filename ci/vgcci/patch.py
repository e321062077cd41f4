"""Would the suite notice? Any patch to gc/, tried against every detector, the cheapest first."""

import re
import tempfile
import time
from pathlib import Path

from . import ablation as ablations
from . import detectors, files, index, stress
from .ablate import DEADLINE, smoke
from .errors import first_error
from .paths import ROOT
from .process import run
from .seeds import commit, derive

STRESS_SECONDS = 10
STRESS_REQUESTS = 20_000
BY_HAND = "write the ablation by hand, from 'git show' (README, 'A regression test for a bug that you fixed', step 3)"


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


def _git(root, *words):
    return run(["git", "-C", root, *words])


def _at(root, revision, name):
    """A file's text in a revision, or None if it is not there."""
    shown = _git(root, "show", f"{revision}:{name}")
    return shown.output if shown.ok else None


def _taken_out(now, fixed, broken):
    """What a change from broken to fixed leaves of a text when it is taken out, or None where that conflicts."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("now", "fixed", "broken")]
        for path, text in zip(paths, (now, fixed, broken)):
            files.write(path, text)
        merged = run(["git", "merge-file", "-p", *paths])
    return merged.output if merged.ok else None


def revert(hash, tree, root=ROOT):
    """Takes a commit's changes to gc/ out of a copy of the tree, three-way, so that the code may have moved since;
    (the commit's subject, files changed)."""
    subject = _git(root, "log", "-1", "--format=%s", hash, "--")
    if not subject.ok or not subject.output.strip():
        raise PatchError("is no commit of this repository")
    changed = _git(root, "diff", "--name-only", "--no-renames", hash, f"{hash}^", "--", "gc/*.c", "gc/*.h")
    names = changed.output.split() if changed.ok else []
    if not names:
        raise PatchError("changes no source file of gc/")
    contents, conflicts = {}, []
    for name in names:
        fixed, broken = _at(root, hash, name), _at(root, f"{hash}^", name)
        if fixed is None or broken is None:
            raise PatchError(f"makes or removes {name}, which is more than a fix: {BY_HAND}")
        path = tree.source / name
        contents[name] = _taken_out(path.read_text(), fixed, broken) if path.exists() else None
        if contents[name] is None:
            conflicts.append(name)
    if conflicts:
        raise PatchError(f"cannot be taken out: {', '.join(conflicts)} changed there since: {BY_HAND}")
    if all(text == (tree.source / name).read_text() for name, text in contents.items()):
        raise PatchError("is not in this tree any more: taking it out changes nothing")
    tree.edit(contents)
    return subject.output.strip(), set(names)


def as_ablation(tree, names, id, title, detector):
    before = {name: (tree.source / name).read_text() for name in names if (tree.source / name).exists()}
    after = {name: (tree.root / name).read_text() if (tree.root / name).exists() else "" for name in names}
    made = ablations.from_contents(id, title, before, after)
    made.detector = detector
    return made
