#!/usr/bin/env python3
"""The explorer's build step refuses what would run behind its back: a library call that is neither replaced nor known
to be harmless, and a sanitizer callback that the runtime has not."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INTERLEAVE = ROOT / "whitebox/interleave"

MODEL = """#include <interleave.h>
%s
static void run(void) { %s; }
INTERLEAVE_MODEL(m, .run = run);
"""
# name, declarations, statement, words of the message; None: it links
CASES = [
    ("a call of its own", "static int f(int x) { return x; }", "f(1)", None),
    ("an allowed call", "#include <string.h>", "interleave_assert(strlen(interleave_outcome ? \"a\" : \"b\"))", None),
    ("a replaced call", "#include <pthread.h>\nstatic pthread_mutex_t m;", "pthread_mutex_lock(&m)", None),
    ("an unknown call", "#include <stdlib.h>", "if (system(\"true\")) interleave_fail(\"x\")",
     "calls of system would run behind the explorer's back"),
    ("a cancellation", "#include <pthread.h>", "pthread_cancel(pthread_self())", "calls of pthread_cancel"),
    ("a 128-bit atomic", "static _Atomic __int128 w;", "__tsan_atomic128_load(&w, 0)", "__tsan_atomic128_load"),
]


def build(cc, library, folder, declarations, statement):
    source = folder / "model.c"
    if "atomic128" in statement:
        declarations += "\n__int128 __tsan_atomic128_load(const volatile void *, int);"
    source.write_text(MODEL % (declarations, statement))
    steps = [
        [cc, "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-fsanitize=thread", "-fno-pie", "-fno-stack-protector",
         "-ftls-model=initial-exec", f"-I{INTERLEAVE}", "-c", source, "-o", folder / "model.o"],
        [sys.executable, INTERLEAVE / "objects.py", "--output", folder / "joined.o", "--tables", folder / "tables.c",
         folder / "model.o"],
        [cc, "-std=gnu17", "-no-pie", f"-I{INTERLEAVE}", folder / "tables.c", folder / "joined.o", library, "-lm", "-o",
         folder / "program"],
    ]
    for step in steps:
        done = subprocess.run([str(word) for word in step], capture_output=True, text=True)
        if done.returncode:
            return done.stderr
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cc", required=True)
    parser.add_argument("--library", required=True, help="libinterleave.a")
    arguments = parser.parse_args()
    problems = []
    with tempfile.TemporaryDirectory() as name:
        for what, declarations, statement, message in CASES:
            error = build(arguments.cc, arguments.library, Path(name), declarations, statement)
            if message is None and error:
                problems.append(f"{what} does not link: {error}")
            if message is not None and (error is None or message not in error):
                problems.append(f"{what}: expected an error with '{message}', got {error}")
    for problem in problems:
        print(problem)
    print(f"{len(CASES)} programs, {len(problems)} wrong")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
