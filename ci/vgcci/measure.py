"""Runs of the benchmark programs: one, or all in rounds."""

import json
import time

from .benchmarks import PROGRAMS, SYSTEMS, cells, in_turn
from .process import run

SECONDS_SPARE = 120  # the round that does not count, and one that began before time was up
SECONDS_BESIDE = 0.3  # of a usual run, beside what it measures


class Failed(Exception):
    """A run that did not end with its result."""


def duration(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def one_run(path, threads, seconds, size=0, env=None, spare=SECONDS_SPARE):
    """What the program reports."""
    command = [path, "--threads", threads, "--seconds", seconds, *(["--size", size] if size else [])]
    result = run(command, timeout=seconds + spare, env=env)
    if not result.ok:
        said = result.output.strip().splitlines() or ["no output"]
        raise Failed(f"{path.name} with {threads} threads: status {result.status}"
                     f"{', past its deadline' if result.timed_out else ''}: {said[-1]}")
    return json.loads(result.output)


def _round(arguments, number, cell, step):
    program, threads, systems = cell
    size, runs = PROGRAMS[program].quick_size if arguments.quick else 0, {}
    for name in in_turn(systems, number):
        system = SYSTEMS[name]
        step(f"round {number + 1} of {arguments.rounds}: {program}, {threads} threads, {name}")
        env = {"GC_INITIAL_HEAP_SIZE": str(runs[system.memory_of]["rss_kib"] * 1024)} if system.memory_of else {}
        runs[name] = one_run(system.path(arguments.build, program, name), threads, arguments.seconds, size, env)
    return [{"program": program, "system": name, "round": number, **one} for name, one in runs.items()]


def rounds(arguments, systems, progress):
    """Every run: a list of dictionaries."""
    runs, every, done = [], cells(arguments.programs, arguments.threads, systems), 0
    total = arguments.rounds * sum(len(able) for _, _, able in every)
    progress.event(f"{total} runs; about {duration(total * (arguments.seconds + SECONDS_BESIDE))} or more")
    began = time.monotonic()

    def with_left(text):
        seconds = (time.monotonic() - began) * (total - done) / done if done else 0
        return f"{text}; about {duration(seconds)} left" if seconds else text

    def step(text):
        nonlocal done
        progress.now(with_left(text))
        done += 1

    for number in range(arguments.rounds):
        for cell in every:
            runs += _round(arguments, number, cell, step)
        progress.event(with_left(f"round {number + 1} of {arguments.rounds} is done"))
    return runs
