#!/usr/bin/env python3
"""Checks the explorer against what is known of its models by other means.

Runs the litmus program and compares, model by model:
  - what it shows with what the model declares (the program's own --check), all of a clean one's executions explored;
  - its number of distinct executions with the number of execution graphs that the axioms allow (axioms.py);
  - for the counted models (search_*) that number with the number of their outcomes, each of which is one execution;
  - the search that prunes with the one that does not: the same outcomes, the same number of distinct executions."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import axioms


def run(program, folder, *options):
    """Results by model."""
    path = pathlib.Path(folder) / "results.json"
    command = [str(program), *options, "--json", str(path)]
    print("running", " ".join(command), file=sys.stderr)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{done.stdout}\n{command[0]} ended with status {done.returncode}; expected 0 or 1. Run it by hand.")
    return {m["model"]: m for m in json.loads(path.read_text())["models"]}


def graphs(sources):
    """Outcomes and number of graphs of each test that axioms.py can read."""
    found = {}
    for name, declared, registers, finish, threads in axioms.tests(sources):
        if declared is not None:
            all_of_them = [outcome for outcome, _ in axioms.executions(threads, finish, registers)]
            found[name] = (set(all_of_them), len(all_of_them))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path, help="the litmus program")
    parser.add_argument("--sources", nargs="+", type=pathlib.Path, metavar="FILE",
                        default=sorted(axioms.HERE.glob("*.c")), help="its sources (default: those beside this script)")
    parser.add_argument("--seconds", type=float, default=60, help="for the search that does not prune (default: 60)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures")
    options = parser.parse_args()
    if not options.program.is_file():
        parser.error(f"no program '{options.program}'; build the target litmus")
    with tempfile.TemporaryDirectory() as folder:
        pruned = run(options.program, folder, "--check")
        naive = run(options.program, folder, "--strategy", "naive", "--preemptions", "none", "--seconds",
                    str(options.seconds))
    problems, by_axioms, by_count, by_search = [], 0, 0, 0
    for name, model in pruned.items():
        if not model["as_expected"]:
            problems.append(f"{name}: {model['verdict']}")
        elif model["expected"] == "clean" and not model["exhausted"]:
            problems.append(f"{name}: clean in {model['runs']} runs, but the search did not end")
    for name, (outcomes, count) in graphs(options.sources).items():
        model = pruned.get(name)
        if model is None and name.startswith("cas_weak"):
            continue  # clang's build has none
        if model is None or not model["exhausted"]:
            problems.append(f"{name}: not explored to the end, so its {count} graphs cannot be compared")
        elif model["distinct"] != count or set(model["outcomes"]) != outcomes:
            problems.append(f"{name}: {model['distinct']} distinct executions with {sorted(model['outcomes'])}; the "
                            f"axioms allow {count} graphs with {sorted(outcomes)}")
        else:
            by_axioms += 1
    for name, model in pruned.items():
        if name.startswith("search_") and model["exhausted"]:
            by_count += 1
            if model["distinct"] != len(model["outcomes"]):
                problems.append(f"{name}: {model['distinct']} distinct executions, {len(model['outcomes'])} outcomes")
        other = naive[name]
        if other["exhausted"] and model["exhausted"] and model["preemptions"] is None:
            by_search += 1
            if other["distinct"] != model["distinct"] or set(other["outcomes"]) != set(model["outcomes"]):
                problems.append(f"{name}: {model['distinct']} distinct executions, {other['distinct']} without "
                                f"pruning; outcomes {sorted(model['outcomes'])} and {sorted(other['outcomes'])}")
    for problem in problems:
        print(problem, file=sys.stderr)
    figures = {"models": len(pruned), "as_axioms": by_axioms, "as_counted": by_count, "as_naive": by_search,
               "runs": sum(m["runs"] for m in pruned.values()), "naive_runs": sum(m["runs"] for m in naive.values()),
               "problems": problems}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"{len(pruned)} models in {figures['runs']} runs; executions counted by the axioms: {by_axioms}, by hand: "
          f"{by_count}, by {figures['naive_runs']} runs without pruning: {by_search}; {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
