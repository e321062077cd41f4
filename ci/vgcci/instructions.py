"""Instructions that an operation of a benchmark takes, as valgrind counts them: the same on a busy machine."""

import json
import re
import shutil

from .process import run

TOTAL = re.compile(r"I +refs: +([\d,]+)")
SECONDS = 1800


def available():
    return shutil.which("valgrind") is not None


def _run(path, rounds, size):
    """(instructions, operations) of a run of that many rounds, or what went wrong."""
    result = run(["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", path,
                  "--repeat", rounds, *(["--size", size] if size else [])], timeout=SECONDS)
    total = TOTAL.search(result.output)
    reports = [line for line in result.output.splitlines() if line.startswith("{")]
    if not result.ok or not total or not reports:
        return f"{path.name} failed under valgrind: status {result.status}\n{result.output[-3000:]}"
    return int(total.group(1).replace(",", "")), json.loads(reports[0])["operations"]


def of_an_operation(path, size=0):
    """What a longer run takes more, for one operation, for start-up cancels out; or what went wrong, as text."""
    short, long = _run(path, 1, size), _run(path, 3, size)
    for one in (short, long):
        if isinstance(one, str):
            return one
    return (long[0] - short[0]) / (long[1] - short[1])
