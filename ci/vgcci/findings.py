"""What went wrong, merged: two reports with the same stacks are one finding, whatever the addresses and the run."""

import hashlib
import re
from dataclasses import dataclass, field

FRAME = re.compile(r"^\s*#\d+ (?:0x[0-9a-f]+ in )?(\S+)(?: ([^\s(][^\s]*?):(\d+)(?::\d+)?)?", re.MULTILINE)
REPORT = re.compile(r"(?:WARNING: (ThreadSanitizer): ([a-z -]+)|(?:==\d+==)?ERROR: (AddressSanitizer|LeakSanitizer): "
                    r"([a-z-]+(?: memory leaks)?)|FATAL: (ThreadSanitizer): ([^\n]+))")
UNDEFINED = re.compile(r"^(\S+?):(\d+):\d+: runtime error: (.+)$", re.MULTILINE)
ASSERTION = re.compile(r"^(?:\[   LINE   \] --- )?(\S+\.[ch]):(\d+): "
                       r"(?:error: Failure!|failed assertion: (.*)|smoke: (.*))$", re.MULTILINE)
LIBRARY = re.compile(r"^vgc: (.+)$", re.MULTILINE)
# Frames of runtimes and of the start of a thread say nothing about whose bug it is.
BORING = re.compile(r"^(__interceptor_|__tsan|__asan|__sanitizer|_start$|__libc_start|start_thread$|clone|main$|"
                    r"pthread_create$|malloc$|calloc$|free$|\(|<null>)")


@dataclass
class Finding:
    kind: str         # data race, heap-buffer-overflow, assertion, crash, deadline, survived ...
    title: str
    fingerprint: str
    command: str      # reproduces it
    stage: str
    file: str = ""    # of the topmost frame that lies in the project
    line: int = 0
    count: int = 1
    excerpt: str = ""
    tests: list = field(default_factory=list)


def _fingerprint(*parts):
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def stacks(report):
    """The stacks of a report, each a list of (function, file, line), without what says nothing."""
    found, current = [], []
    for line in report.splitlines():
        match = FRAME.match(line)
        if not match:
            if current:
                found.append(current)
                current = []
            continue
        function, file, number = match.groups()
        if not BORING.match(function):
            current.append((function, file or "", int(number or 0)))
    if current:
        found.append(current)
    return found


def _place(frames):
    for _, file, number in frames:
        match = re.search(r"(?:^|/)((?:gc|whitebox|stress|fuzz)/[\w./-]+)$", file)
        if match:
            return match.group(1), number
    return "", 0


def _sanitizer_findings(output, stage, command):
    starts = [match.start() for match in REPORT.finditer(output)] + [len(output)]
    for begin, end in zip(starts, starts[1:]):
        report = output[begin:end]
        match = REPORT.match(report)
        tool, kind = [group for group in match.groups() if group]
        # A race is between two stacks, in whatever order they were seen; the rest is about one.
        pair = stacks(report)[: 2 if tool == "ThreadSanitizer" else 1]
        names = sorted(" < ".join(function for function, _, _ in frames[:4]) for frames in pair)
        file, line = next((place for place in map(_place, pair) if place[0]), ("", 0))
        tops = " | ".join(frames[0][0] for frames in pair if frames)
        yield Finding(kind.strip(), f"{tool}: {kind.strip()}: {tops or 'no stack'}", _fingerprint(kind, *names),
                      command, stage, file, line, excerpt=report[:4000])


def from_output(output, stage, command, test):
    """Every finding in the output of something that failed; at least one."""
    found = list(_sanitizer_findings(output, stage, command))
    for match in UNDEFINED.finditer(output):
        file, line = _place([("", match.group(1), int(match.group(2)))])
        what = re.sub(r"0x[0-9a-f]+|-?\b\d+\b", "N", match.group(3))
        found.append(Finding("undefined behaviour", f"UndefinedBehaviorSanitizer: {match.group(3)}",
                             _fingerprint("ub", file, what), command, stage, file, line, excerpt=match.group(0)))
    if not found:
        match = ASSERTION.search(output)
        library = LIBRARY.search(output)
        if match:
            file, line = _place([("", match.group(1), int(match.group(2)))])
            what = match.group(3) or match.group(4) or "assertion"
            before = output[: match.start()].rstrip().rsplit("\n", 1)[-1]
            detail = before.replace("[  ERROR   ] --- ", "") if "[  ERROR   ]" in before else what
            found.append(Finding("assertion", f"{test}: {detail}", _fingerprint("assertion", test, file, what),
                                 command, stage, file, line, excerpt=output[-4000:]))
        elif library:
            what = re.sub(r"0x[0-9a-f]+|\b\d+\b", "N", library.group(1))
            found.append(Finding("check", f"{test}: vgc: {library.group(1)}", _fingerprint("check", what), command,
                                 stage, excerpt=output[-4000:]))
    if not found:
        lines = [line for line in output.splitlines() if line.strip()]
        last = lines[-1].partition("; run again: ")[0] if lines else "no output"
        shape = re.sub(r"0x[0-9a-f]+|\b\d[\d.]*\b", "N", last)
        found.append(Finding("failure", f"{test}: {last[:200]}", _fingerprint("failure", test, shape), command, stage,
                             excerpt=output[-4000:]))
    for finding in found:
        finding.tests = [test]
    return found


def from_build(error, stage, command, preset):
    """The finding of a build that failed; the same error in another preset or folder is the same finding."""
    match = re.search(r"([\w.+-]+\.[chS]):(\d+)", error)
    shape = re.sub(r"\S*/|['‘’`]", "", error)
    file = re.search(r"(?:^|/)((?:gc|whitebox|stress|fuzz)/[\w./-]+\.[chS]):", error)
    return Finding("build", f"does not build: {error}", _fingerprint("build", shape), command, stage,
                   file.group(1) if file else "", int(match.group(2)) if match else 0, excerpt=error, tests=[preset])


def merge(found):
    """One finding for each fingerprint, the first command kept, sorted by how often it was seen."""
    merged = {}
    for finding in found:
        first = merged.setdefault(finding.fingerprint, finding)
        if first is not finding:
            first.count += finding.count
            first.tests += [test for test in finding.tests if test not in first.tests]
    return sorted(merged.values(), key=lambda finding: -finding.count)
