"""The stress programs of a build."""

import os
import re

# The same programs on other subjects are controls of the oracle; stress_stacks prints a hung program's threads.
NOT_OURS = re.compile(r"_(libgc|malloc|server)$|^stress_stacks$|\.(?!py$)\w+$")


def programs(build):
    """Paths of the programs that run on vgc, sorted."""
    return sorted(path for path in (build / "stress").glob("stress_*")
                  if path.is_file() and os.access(path, os.X_OK) and not NOT_OURS.search(path.name))


def arguments(program, seed, seconds, requests):
    """The HTTP server is driven for a number of requests, the others for a time. What a run must show at least, so that
    it proves something, goes with its size: collections, and responses that the server's second client verified."""
    if program.suffix == ".py":
        return ["--seed", str(seed), "--requests", str(requests), "--cycles", str(min(10, max(2, requests // 1000))),
                "--verify", str(max(10, requests // 100))]
    return ["--seed", str(seed), "--seconds", str(seconds)]
