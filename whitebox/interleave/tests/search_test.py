#!/usr/bin/env python3
"""The search finds what is there: sleep sets find exactly the executions that plain enumeration finds, a bound that is
large enough as well, and a search that was interrupted goes on where it was, also behind a failure."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

failures = []


def explore(program, model, *options):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        done = subprocess.run([program, "--quiet", "--shrink-seconds", "0", "--json", out.name, *options, model],
                              capture_output=True, text=True, timeout=300)
        if done.returncode not in (0, 1):
            print(done.stdout, done.stderr)
            sys.exit(f"{program} {' '.join(options)} {model}: status {done.returncode}")
        return json.load(open(out.name))["models"][0]


def check(condition, text):
    if not condition:
        failures.append(text)
        print(f"FAILED: {text}")


def compare_reduction(program, model):
    naive = explore(program, model, "--strategy", "naive", "--seconds", "60")
    if naive["found"] != "clean" or not naive["exhausted"]:
        return f"{model}: {naive['found']}, not enumerated in {naive['runs']} runs"
    reduced = explore(program, model, "--preemptions", "none", "--seconds", "60")
    check(reduced["exhausted"], f"{model}: the reduced search did not end")
    check(naive["distinct"] == reduced["distinct"],
          f"{model}: {naive['distinct']} executions in {naive['runs']} runs when enumerated, {reduced['distinct']} in "
          f"{reduced['runs']} with sleep sets")
    check(set(naive["outcomes"]) == set(reduced["outcomes"]), f"{model}: other outcomes with sleep sets")
    check(reduced["runs"] <= naive["runs"], f"{model}: more runs with sleep sets")
    bounded = explore(program, model, "--preemptions", "1000", "--seconds", "60")
    check(bounded["distinct"] == naive["distinct"] and bounded["runs"] == naive["runs"],
          f"{model}: a bound beyond reach changes the search: {bounded['runs']} runs, not {naive['runs']}")
    return f"{model}: {naive['distinct']} executions in {naive['runs']} runs, {reduced['runs']} with sleep sets"


def bounds_grow(program, model):
    before, rows = None, []
    for bound in range(4):
        found = explore(program, model, "--preemptions", str(bound), "--seconds", "60")
        check(found["exhausted"], f"{model}: bound {bound} did not end")
        check(before is None or found["runs"] >= before, f"{model}: fewer runs at bound {bound} than below it")
        before = found["runs"]
        rows.append(before)
    return f"{model}: runs at bounds 0 to 3: {rows}"


def in_pieces(program, model, piece, *options):
    """The same search in sessions of so many runs each; also how many failures it met."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "search"
        for session in range(1, 10_000):
            resume = ["--resume", str(state)] if state.exists() else []
            result = explore(program, model, *options, "--seconds", "60", "--runs", str(session * piece), "--save",
                             str(state), *resume)
            failed += result["found"] != "clean"
            if result["exhausted"]:
                return result, failed
    sys.exit(f"{model}: no end")


def compare_pieces(program, model, *options):
    whole = explore(program, model, *options, "--seconds", "60")
    pieces, failed = in_pieces(program, model, max(1, whole["runs"] // 7), *options)
    check(failed == 0 and all(whole[what] == pieces[what] for what in ("runs", "distinct", "outcomes", "redundant")),
          f"{model}: in pieces {pieces['runs']} runs, {pieces['distinct']} distinct; at once {whole['runs']} runs, "
          f"{whole['distinct']} distinct")
    return f"{model}: the same in pieces"


def behind_failures(program, model, told):
    """A search that stops at each failure and is resumed makes the same runs as one of a model that does the same and
    does not fail."""
    rows = []
    for bound in ("1", "none"):
        result, failed = in_pieces(program, model, 1_000_000, "--preemptions", bound)
        whole = explore(program, told, "--preemptions", bound, "--seconds", "60")
        check(result["runs"] == whole["runs"] and failed == whole["outcomes"]["1"],
              f"{model}, bound {bound}: {failed} failures of {result['runs']} runs; there are "
              f"{whole['outcomes']['1']} of {whole['runs']}")
        check(result["distinct"] == 4, f"{model}, bound {bound}: {result['distinct']} clean executions; there are 4, "
              "by who comes first, and whose store to b does")
        rows.append(f"{failed} of {result['runs']}")
    return f"{model}: failures at bound 1 and without: {', '.join(rows)}"


def shrinks(program, model):
    """Whatever run a strategy found it in, the failure is told with the one preemption that it needs."""
    for seed in range(1, 9):
        strategy = ("random", "pos", "pct3", "portfolio")[seed % 4]
        done = subprocess.run([program, "--strategy", strategy, "--seed", str(seed), "--seconds", "60", model],
                              capture_output=True, text=True, timeout=300)
        told = re.search(r"(\d+) steps, (\d+) preemptions?,", done.stdout)
        what = told[0] if told else done.stdout + done.stderr
        check(done.returncode == 1 and told and told[2] == "1",
              f"{model}, {strategy}, seed {seed}: expected 1 preemption, not {what}")
    return f"{model}: 1 preemption, from 8 seeds"


def in_turns(program, models, failing):
    """Models that take turns all have theirs, and the first failure ends it, long before the time is over."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        how = ["--quiet", "--shrink-seconds", "0", "--json", out.name, "--strategy", "portfolio", "--processor-time",
               "--first", "--seconds", "60"]
        done = subprocess.run([program, *how, *models, failing], capture_output=True, text=True, timeout=300)
        table = json.load(open(out.name))
    found = {row["model"]: row["found"] for row in table["models"]}
    check(done.returncode == 1 and found == {**dict.fromkeys(models, "clean"), failing: "assertion"},
          f"in turns: {found}, status {done.returncode}")
    check(all(row["runs"] for row in table["models"]), "in turns: one had none")
    check(table["processor_seconds"] < 30, f"in turns: a failure after {table['processor_seconds']} s")
    return f"in turns: {len(models)} clean models and {failing}: {table['processor_seconds']:.1f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="a program of models")
    parser.add_argument("model", nargs="*", help="default: those named search_*")
    arguments = parser.parse_args()
    listing = subprocess.run([arguments.program, "--list"], capture_output=True, text=True, check=True).stdout
    models = arguments.model or [line.split()[0] for line in listing.splitlines() if line.startswith("search_")]
    failing = [model for model in models if model == "search_lost_update"]
    shrinking = [model for model in models if model == "search_lost_at_length"]
    models = [model for model in models if model not in shrinking]
    clean = [model for model in models if model not in failing]
    if not models and not shrinking:
        sys.exit(f"{arguments.program}: no models to compare")
    for model in clean:
        print(compare_reduction(arguments.program, model), flush=True)
        print(bounds_grow(arguments.program, model), flush=True)
    for model in clean[:3]:
        print(compare_pieces(arguments.program, model, "--preemptions", "none"), flush=True)
        print(compare_pieces(arguments.program, model, "--preemptions", "2"), flush=True)
    for model in failing:
        print(behind_failures(arguments.program, model, "search_told_update"), flush=True)
    for model in failing:
        print(in_turns(arguments.program, clean, model), flush=True)
    for model in shrinking:
        print(shrinks(arguments.program, model), flush=True)
    print(f"{len(failures)} failures, {len(models) + len(shrinking)} models")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
