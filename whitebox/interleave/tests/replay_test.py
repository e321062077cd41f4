#!/usr/bin/env python3
"""Random runs, told as tokens, replay to the same event hash, each in a process of its own, with address randomization
on. Also: tokens that are damaged, of another build, program or model are refused, and tell what to do."""

import argparse
import collections
import concurrent.futures
import os
import random
import re
import subprocess
import sys
import tempfile
import time

DIGITS = "0123456789abcdef"


def checksum(text):
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return f"{(value ^ value >> 16) & 0xFFFF:04x}"


def run(program, *options):
    return subprocess.run([program, *options], capture_output=True, text=True, timeout=1200)


def replay(program, tokens):
    """The problems of these tokens, replayed in one process."""
    if len(tokens) == 1:
        done = run(program, "--token", tokens[0], "--quiet")
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file:
            file.write("\n".join(tokens) + "\n")
            file.flush()
            done = run(program, "--replay", file.name)
    exact = collections.Counter(re.findall(r"event hash ([0-9a-f]{16}) as in the token", done.stdout))
    wrong = []
    for token in tokens:
        if exact[token.split(".")[-2]] == 0:
            wrong.append(token)
        exact[token.split(".")[-2]] -= 1
    if done.returncode not in (0, 1) and not wrong:
        wrong = tokens
    return [f"{token}: status {done.returncode}: {done.stderr.strip()}" for token in wrong]


def together(tokens, most):
    """Groups of tokens of one model each, in their order."""
    groups = []
    for token in tokens:
        model = token.split(".")[3]
        if not groups or len(groups[-1]) == most or groups[-1][0].split(".")[3] != model:
            groups.append([])
        groups[-1].append(token)
    return groups


def replay_all(program, tokens, most):
    problems, done, shown = [], 0, time.monotonic()
    groups = together(tokens, most)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for group, found in zip(groups, pool.map(lambda group: replay(program, group), groups)):
            done += len(group)
            problems += found
            for problem in found:
                print(problem, flush=True)
            if sys.stderr.isatty() and time.monotonic() - shown > 0.5:
                shown = time.monotonic()
                print(f"\r{done} of {len(tokens)}, {len(problems)} differ", end="", file=sys.stderr)
    return problems


def sample(program, count, seed):
    """Names of some of the program's models; none stands for all."""
    names = [line.split()[0] for line in run(program, "--list").stdout.splitlines() if line.strip()]
    return random.Random(seed).sample(names, count) if count and count < len(names) else []


def random_tokens(program, count, seed, models=()):
    print(f"{program}: {count} tokens of seed {seed}, " + (f"models {' '.join(models)}" if models else "all models"),
          flush=True)
    listing = run(program, "--tokens", str(count), "--seed", str(seed), *models)
    tokens = listing.stdout.split()
    if listing.returncode or len(tokens) != count:
        sys.exit(f"{program} --tokens {count} printed {len(tokens)}: status {listing.returncode}: {listing.stderr}")
    return tokens


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
    parser.add_argument("program", nargs="+", help="a program of models")
    parser.add_argument("--tokens", type=int, default=10_000, metavar="N",
                        help="over all models of all programs (default: 10,000)")
    parser.add_argument("--models", type=int, default=0, metavar="N",
                        help="of N models of each program, drawn by the seed (default: of all)")
    parser.add_argument("--together", type=int, default=1, metavar="N",
                        help="of one model in one process, for models that take long to set up (default: 1)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N", help="default: the time")
    arguments = parser.parse_args()
    with open("/proc/sys/kernel/randomize_va_space") as setting:
        if setting.read().strip() == "0":
            sys.exit("address randomization is off: set /proc/sys/kernel/randomize_va_space to 2")
    problems, total = [], 0
    for number, program in enumerate(arguments.program):
        count = (arguments.tokens - total) // (len(arguments.program) - number)
        tokens = random_tokens(program, count, arguments.seed, sample(program, arguments.models, arguments.seed))
        total += count
        problems += replay_all(program, tokens, arguments.together)
    print(f"{total - len(problems)} of {total} tokens replayed to the same event hash")
    problems += refusals(arguments.program[0], random_tokens(arguments.program[0], 1, arguments.seed)[0])
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
