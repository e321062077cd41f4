"""CTest runs: live lines to the progress display, results from its JUnit file.

A CMocka program is one test to CTest; its cases that do not apply are told apart, for nothing passed in them.
"""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from .process import run

# What CMocka says of a case as it begins and as it is skipped, and in between the case itself.
SAID = re.compile(r"^(?:\[ (?P<run>RUN) .*|\[  SKIPPED \] (?P<skipped>\w+)|(?P<reason>not applicable: .*))$", re.M)
LINE = re.compile(r"^\s*(\d+)/(\d+) Test\s+#\d+: (\S+) \.*\s*(\S.*?)\s+[\d.]+ sec")


@dataclass
class Case:
    name: str
    status: str  # passed | failed | not run
    seconds: float
    output: str
    program: str  # as CTest names it


def run_tests(build, junit, progress, include=None, exclude=None, match=None, jobs=2, prefix=(), env=None,
              timeout=None):
    """(cases, output). prefix is a command that runs ctest, such as setarch -R."""
    command = [*prefix, "ctest", "--test-dir", build, "-j", str(jobs), "--output-on-failure", "--output-junit", junit,
               "--no-tests=error", "--test-output-size-passed", "1048576"]
    if include:
        command += ["-L", include]
    if exclude:
        command += ["-LE", exclude]
    if match:
        command += ["-R", match]

    def on_line(line):
        seen = LINE.match(line)
        if seen:
            number, total, name, status = seen.groups()
            if "Passed" in status or "Skipped" in status:
                progress.now(f"{number}/{total} {name}")
            else:
                progress.event(f"{name}: {status.strip('* ')}")

    junit.unlink(missing_ok=True)
    result = run(command, on_line=on_line, env=env, timeout=timeout)
    if not junit.exists():
        return None, result.output
    return list(cases(junit)), result.output


def cases(junit):
    """A program's, then those of its cases that it skipped."""
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        status = {"run": "passed", "fail": "failed", "notrun": "not run", "disabled": "not run"}.get(
            case.get("status"), "failed")
        if case.find("failure") is not None:
            status = "failed"
        elif case.find("skipped") is not None and status != "failed":
            # Only the test itself may say that it does not apply; a program that is not there is a failure.
            said_so = "SKIP_RETURN_CODE" in case.find("skipped").get("message", "")
            status = "not run" if said_so else "failed"
        output = case.findtext("system-out") or ""
        name = case.get("name")
        yield Case(name, status, float(case.get("time") or 0), output, name)
        if status == "passed":
            yield from _skipped(name, output)


def _skipped(program, output):
    seen, reason = set(), None
    for said in SAID.finditer(output):
        name = said["skipped"]
        if name and name not in seen:  # they are listed once more at the end
            seen.add(name)
            yield Case(f"{program}:{name}", "not run", 0.0, reason or "skipped", program)
        reason = said["reason"]
