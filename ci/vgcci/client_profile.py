"""Where a program's time goes, by perf: which part of the samples of all its threads lies in the collector's library.

A sample's place is its innermost frame outside of the kernel, so what the kernel does for the library, such as mapping
and clearing pages, can be told from what it does for the program. What the C library does for it (memset) counts as the
program's."""

import os
import re
import shutil

from . import client_run, process

HERTZ = 499
FRAME = re.compile(r"^\s+([0-9a-f]+) \((.*)\)$")
MAPPING = re.compile(r"^ *(\d+) PERF_RECORD_MMAP2? .*: \S+ (.*)\n", re.MULTILINE)
KERNEL = re.compile(r"^\[(kernel|guest)|\.ko$|^\[.*\](_stext)?$")


class Unavailable(Exception):
    """perf is not there, or not permitted here."""


def available():
    """Why there is no profile here, or an empty text."""
    if not shutil.which("perf"):
        return "--profile needs perf: apt-get install linux-perf"
    result = process.run(["perf", "record", "-q", "-o", os.devnull, "true"], timeout=30)
    if result.ok:
        return ""
    said = (result.output.strip().splitlines() or ["no output"])[0]
    return f"--profile: perf is not permitted here ({said}); as root: sysctl kernel.perf_event_paranoid=1"


def samples(text):
    """(pid, whether in the kernel, the object of the innermost frame outside) of each sample."""
    for block in text.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if not lines or not lines[0].split()[:1]:
            continue
        frames = [match.group(2) for match in map(FRAME.match, lines[1:]) if match]
        outside = [name for name in frames if not KERNEL.search(name) or name == "[unknown]"]
        yield int(lines[0].split()[0]), bool(frames) and frames[0] not in outside, outside[0] if outside else ""


def shares(text):
    """Of what perf script prints, the first process, which is the program: parts of 1, and which libgc it mapped."""
    every = list(samples(MAPPING.sub("", text)))
    own = [sample for sample in every if sample[0] == every[0][0]]
    count = max(1, len(own))

    def part(test):
        return sum(map(test, own)) / count

    return {"samples": len(own),
            "library": part(lambda s: not s[1] and bool(client_run.COLLECTOR.search(s[2]))),
            "kernel_for_library": part(lambda s: s[1] and bool(client_run.COLLECTOR.search(s[2]))),
            "kernel": part(lambda s: s[1]),
            "loaded": sorted({path for pid, path in MAPPING.findall(text)
                              if int(pid) == every[0][0] and client_run.COLLECTOR.search(path)})}


def of(command, folder, scratch, deadline, env):
    """The shares of one run; Unavailable if it was none."""
    scratch.mkdir(parents=True, exist_ok=True)
    data = scratch / "perf.data"
    variables = client_run.environment(folder, scratch, env)
    result = process.run(["perf", "record", "-q", "-F", HERTZ, "-g", "-o", data, "--", *command], timeout=deadline,
                         cwd=scratch, env=variables)
    if not result.ok:
        raise Unavailable(f"under perf it ends with status {result.status}")
    report = process.run(["perf", "script", "-i", data, "-F", "pid,ip,dso", "--show-mmap-events"],
                         timeout=deadline)
    if not report.ok:
        raise Unavailable("perf script: " + (report.output.strip().splitlines() or ["no output"])[-1])
    found = shares(report.output)
    wrong = client_run.wrong_library(found["loaded"], folder)
    if wrong:
        raise Unavailable(wrong)
    data.unlink()
    return found
