#!/usr/bin/env python3
"""Assembles the seeds (seeds/*.txt) into the corpus that the engines read (corpus/ops/)."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

FUZZ = pathlib.Path(__file__).resolve().parent
CORPUS = FUZZ / "corpus" / "ops"


def assemble(replay, seed, to):
    subprocess.run([replay, "--assemble", str(to), str(seed)], check=True)


def check(replay, seeds):
    """Seeds whose bytes in the corpus are not what the text says."""
    stale = []
    with tempfile.TemporaryDirectory() as directory:
        for seed in seeds:
            fresh = pathlib.Path(directory) / seed.stem
            kept = CORPUS / seed.stem
            assemble(replay, seed, fresh)
            if not kept.exists() or kept.read_bytes() != fresh.read_bytes():
                stale.append(seed.name)
    return stale


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="Exit status: 0 done, 1 the corpus is stale, 2 error.")
    parser.add_argument("--replay", required=True, metavar="FILE", help="the built fuzz_replay")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a seed and its bytes differ")
    arguments = parser.parse_args()
    seeds = sorted((FUZZ / "seeds").glob("*.txt"))
    try:
        if arguments.check:
            stale = check(arguments.replay, seeds)
            if stale:
                print(f"stale in fuzz/corpus/ops: {' '.join(stale)}; run fuzz/corpus.py --replay {arguments.replay}",
                      file=sys.stderr)
                return 1
        else:
            CORPUS.mkdir(parents=True, exist_ok=True)
            for seed in seeds:
                assemble(arguments.replay, seed, CORPUS / seed.stem)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"corpus.py: {error}", file=sys.stderr)
        return 2
    print(f"{len(seeds)} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
