#!/usr/bin/env python3
"""Random runs, told as tokens, replay to the same event hash, each in a process of its own, with address randomization
on. Also: tokens that are damaged, of another build, program or model are refused, and tell what to do."""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

DIGITS = "0123456789abcdef"


def checksum(text):
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return f"{(value ^ value >> 16) & 0xFFFF:04x}"


def run(program, *options):
    return subprocess.run([program, *options], capture_output=True, text=True, timeout=120)


def replay(program, token):
    """None, or what went wrong."""
    done = run(program, "--token", token, "--quiet")
    wanted = token.split(".")[-2]
    if done.returncode in (0, 1) and f"event hash {wanted} as in the token" in done.stdout:
        return None
    return f"{token}: status {done.returncode}: {done.stdout.strip()} {done.stderr.strip()}"


def replay_all(program, tokens):
    problems, shown = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, problem in enumerate(pool.map(lambda token: replay(program, token), tokens), 1):
            if problem:
                problems.append(problem)
                print(problem, flush=True)
            if sys.stderr.isatty() and time.monotonic() - shown > 0.5:
                shown = time.monotonic()
                print(f"\r{done} of {len(tokens)}, {len(problems)} differ", end="", file=sys.stderr)
    return problems


def refused(program, what, token, expected):
    done = run(program, "--token", token)
    if done.returncode == 2 and re.search(expected, done.stderr):
        return []
    problem = f"{what}: expected status 2 and '{expected}', got {done.returncode}: {done.stdout}{done.stderr}"
    print(problem)
    return [problem]


def edited(token, place, text):
    fields = token.split(".")[:-1]
    fields[place] = text
    body = ".".join(fields) + "."
    return body + checksum(body)


def refusals(program, token):
    build = token.split(".")[-4]
    other = DIGITS[(DIGITS.index(build[0]) + 1) % 16] + build[1:]
    middle = len(token) // 2
    flipped = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]
    return (refused(program, "another build", edited(token, -3, other), "of build .* this is build")
            + refused(program, "a missing model", edited(token, -4, "no_such_model"), "no model 'no_such_model'")
            + refused(program, "another program", edited(token, 2, "other"), "of the program 'other'")
            + refused(program, "a token cut short", token[:-6], "damaged")
            + refused(program, "a character changed", flipped, "damaged")
            + refused(program, "decisions that are none", edited(token, -2, "d*"), "damaged")
            + refused(program, "another version", "i9" + token[2:], "another version"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="a program of models")
    parser.add_argument("--tokens", type=int, default=10_000, metavar="N", help="over all models (default: 10,000)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N", help="default: the time")
    arguments = parser.parse_args()
    with open("/proc/sys/kernel/randomize_va_space") as setting:
        if setting.read().strip() == "0":
            sys.exit("address randomization is off: set /proc/sys/kernel/randomize_va_space to 2")
    print(f"{arguments.program}: {arguments.tokens} tokens of seed {arguments.seed}", flush=True)
    listing = run(arguments.program, "--tokens", str(arguments.tokens), "--seed", str(arguments.seed))
    tokens = listing.stdout.split()
    if listing.returncode or len(tokens) != arguments.tokens:
        sys.exit(f"--tokens {arguments.tokens} printed {len(tokens)}: status {listing.returncode}: {listing.stderr}")
    problems = replay_all(arguments.program, tokens)
    print(f"{len(tokens) - len(problems)} of {len(tokens)} tokens replayed to the same event hash")
    problems += refusals(arguments.program, tokens[0])
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
