#!/usr/bin/env python3
"""The gallery's table: what interleave finds of each published bug, and ThreadSanitizer with the same sources.

interleave looks for each bug with each of several seeds and the default portfolio, and searches each correct version
with its bound of preemptions. The same programs run on real threads, again and again, under ThreadSanitizer: how many
runs had a report, failed an assertion, or hung, and which run was the first. Exit status: 0 if interleave finds every
bug with every seed and accuses no correct version, else 1; ThreadSanitizer's figures are told as they are."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

FIXED = "_fixed"


def explored(program, models, *options):
    """interleave's results by model."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "results.json"
        command = [str(program), "--check", *options, "--json", str(path), *models]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"{done.stdout}\n{program} ended with status {done.returncode}; expected 0 or 1. Run it by hand: "
                     f"{' '.join(command)}")
        return {m["model"]: m for m in json.loads(path.read_text())["models"]}


def on_threads(program, model, runs, seconds):
    """One model on real threads: the line of alone.c."""
    # Each run is judged by itself: the same race counts in each.
    options = "log_path=/dev/null:suppress_equal_stacks=0:suppress_equal_addresses=0:report_signal_unsafe=0"
    environment = dict(os.environ, TSAN_OPTIONS=options)
    done = subprocess.run([str(program), model, str(runs), str(seconds)], env=environment, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{program} {model} {runs} {seconds} ended with status {done.returncode}; expected 0. Run it by hand.")
    return json.loads(done.stdout)


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else None


def explore(options, names):
    """Rows by name of the bug, with interleave's half of the table."""
    bugs = [n for n in names if not n.endswith(FIXED)]
    rows = {n: {"bug": n, "seeds": options.seeds, "found": 0, "runs": [], "seconds": [], "kinds": set()} for n in bugs}
    for seed in range(1, options.seeds + 1):
        print(f"interleave, seed {seed} of {options.seeds}", file=sys.stderr)
        budget = str(options.seconds * len(bugs))
        for name, result in explored(options.gallery, bugs, "--seed", str(seed), "--seconds", budget).items():
            row = rows[name]
            if result["as_expected"]:
                row["found"] += 1
                row["runs"].append(result["runs"])
                row["seconds"].append(result["seconds"])
                row["kinds"].add(result["found"])
    correct = [n for n in names if n.endswith(FIXED)]
    print("interleave, correct versions", file=sys.stderr)
    for name, result in explored(options.gallery, correct, "--seconds", str(options.seconds * len(correct))).items():
        row = rows[name.removesuffix(FIXED)]
        row["correct"] = {"accused": not result["as_expected"], "verdict": result["verdict"], "runs": result["runs"],
                          "distinct": result["distinct"], "exhausted": result["exhausted"],
                          "preemptions": result["preemptions"], "seconds": result["seconds"]}
    return rows


def race(options, rows):
    """ThreadSanitizer's half. One model at a time: threads that compete for processors meet less."""
    tasks = [(name, suffix) for name in rows for suffix in ("", FIXED)]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for done, ((name, suffix), result) in enumerate(zip(tasks, pool.map(
                lambda t: on_threads(options.tsan, t[0] + t[1], options.tsan_runs, options.tsan_seconds), tasks)), 1):
            rows[name]["tsan" + suffix] = result
            print(f"ThreadSanitizer, {done} of {len(tasks)}: {name}{suffix}", file=sys.stderr)


def failures(line):
    """Of a line of alone.c: '12 of 2000' and how."""
    kinds = [(line["raced"], "report"), (line["died"], "assertion"), (line["hung"], "hang")]
    total = sum(n for n, _ in kinds)
    how = ", ".join(k for n, k in kinds if n)
    return f"{total} of {line['runs']}" + (f" ({how})" if how else "")


def table(rows, with_tsan):
    head = ["bug", "kind", "seeds", "runs to first", "ms to first", "correct version"]
    if with_tsan:
        head += ["TSan: failing runs", "first", "s", "correct"]
    lines = [head]
    for row in rows.values():
        correct = row["correct"]
        extent = f"all {correct['runs']} runs at {correct['preemptions']} preemptions" if correct["exhausted"] else \
            f"{correct['runs']} runs, not all"
        line = [row["bug"], "/".join(sorted(row["kinds"])) or "-", f"{row['found']}/{row['seeds']}",
                str(median(row["runs"]) or "-"), f"{1000 * (median(row['seconds']) or 0):.2f}",
                "ACCUSED" if correct["accused"] else f"clean, {extent}"]
        if with_tsan:
            found = row["tsan"]
            accused = sum(row["tsan" + FIXED][k] for k in ("raced", "died", "hung"))
            line += [failures(found), str(found["first"] or "-"), f"{found['seconds']:.1f}",
                     f"{accused} of {row['tsan' + FIXED]['runs']}"]
        lines.append(line)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gallery", type=pathlib.Path, help="the gallery built for interleave")
    parser.add_argument("--tsan", type=pathlib.Path, metavar="PROGRAM", help="the gallery built with ThreadSanitizer")
    parser.add_argument("--seeds", type=int, default=20, help="of interleave (default: 20)")
    parser.add_argument("--seconds", type=float, default=10, help="of interleave, a model (default: 10)")
    parser.add_argument("--tsan-runs", type=int, default=2000, help="of each model (default: 2000)")
    parser.add_argument("--tsan-seconds", type=float, default=5, help="at most, a model (default: 5)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures")
    options = parser.parse_args()
    for program in filter(None, (options.gallery, options.tsan)):
        if not program.is_file():
            parser.error(f"no program '{program}'; build the target of that name")
    listed = subprocess.run([str(options.gallery), "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = [line.split()[0] for line in listed.splitlines() if line.strip()]
    rows = explore(options, names)
    if options.tsan:
        race(options, rows)
    print(table(rows, options.tsan is not None))
    missed = [n for n, row in rows.items() if row["found"] < row["seeds"]]
    accused = [n for n, row in rows.items() if row["correct"]["accused"]]
    print(f"\ninterleave: {len(rows) - len(missed)} of {len(rows)} bugs found with each of {options.seeds} seeds, "
          f"{len(accused)} of {len(rows)} correct versions accused")
    if options.tsan:
        seen = sum(1 for row in rows.values() if row["tsan"]["first"])
        wrongly = sum(1 for row in rows.values() if row["tsan" + FIXED]["first"])
        print(f"ThreadSanitizer: {seen} of {len(rows)} bugs seen in up to {options.tsan_runs} runs or "
              f"{options.tsan_seconds:g} s, {wrongly} correct versions accused")
    if options.json:
        for row in rows.values():
            row["kinds"] = sorted(row["kinds"])
        options.json.write_text(json.dumps({"rows": list(rows.values()), "missed": missed, "accused": accused},
                                           indent=1) + "\n")
    return 1 if missed or accused else 0


if __name__ == "__main__":
    sys.exit(main())
