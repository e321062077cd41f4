#!/usr/bin/env python3
"""Joins objects compiled with -fsanitize=thread into one that links with libinterleave.

Calls of library functions that the runtime replaces (wrapped.txt) get its names; what is neither replaced nor known to
be harmless (allowed.txt) is an error: it would run behind the explorer's back. Data sections get names of their own, so
that the runtime finds their bounds; constructors are taken out of the start of the process.
"""
import argparse
import pathlib
import re
import subprocess
import sys

# They call __tsan_init: in gcc's objects and in clang's.
SANITIZER_CONSTRUCTORS = {".init_array.00099", ".init_array.0"}

HERE = pathlib.Path(__file__).resolve().parent


def names(path):
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"objects.py: {' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def symbols(path):
    """(undefined, defined) names of global symbols; those that may stay undefined are neither."""
    undefined, defined = set(), set()
    for line in run("nm", "-g", path).splitlines():
        fields = line.split()
        kind, name = fields[-2], fields[-1]
        if kind == "U":
            undefined.add(name)
        elif kind not in "wv":
            defined.add(name)
    return undefined, defined


def sections(path):
    """(name, type, flags) of each section."""
    pattern = re.compile(r"^\s*\[\s*\d+\]\s+(\S+)\s+(\S+)\s+[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)\s+[0-9a-f]+\s+(\S*)")
    for line in run("readelf", "-SW", path).splitlines():
        found = pattern.match(line)
        if found and int(found.group(3), 16) > 0:
            yield found.group(1), found.group(2), found.group(4)


def identifier(name):
    return "interleave_" + re.sub(r"\W", "_", name.lstrip("."))


def plan_sections(path):
    """(renames, writable section names, constructor section names by priority)."""
    renames, writable, constructors = {}, [], []
    for name, kind, flags in sections(path):
        if name in SANITIZER_CONSTRUCTORS:
            continue
        if kind == "INIT_ARRAY":
            priority = int(name.rsplit(".", 1)[1]) if name.count(".") > 1 else 65535
            new = f"interleave_constructors_{priority:05d}"
            renames[name] = new
            constructors.append(new)
        elif "W" in flags and "A" in flags and "T" not in flags and kind in ("PROGBITS", "NOBITS"):
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                renames[name] = identifier(name)
            writable.append(renames.get(name, name))
    return renames, sorted(set(writable)), sorted(set(constructors))


def table(name, members):
    lines = [f"extern char __start_{m}[], __stop_{m}[];" for m in members]
    entries = ", ".join(f"{{__start_{m}, __stop_{m}}}" for m in members) or "{0, 0}"
    lines.append(f"const struct section {name}[] = {{{entries}}};")
    lines.append(f"const size_t {name}_count = {len(members)};")
    return lines


def check_imports(undefined, defined, wrapped, allowed, output):
    runtime = re.compile(r"__tsan_|interleave_|__start_|__stop_|_GLOBAL_OFFSET_TABLE_")
    unknown = sorted(n for n in undefined - defined - wrapped - allowed if not runtime.match(n))
    if unknown:
        sys.exit(f"objects.py: {output}: calls of {', '.join(unknown)} would run behind the explorer's back; "
                 "write a replacement (whitebox/interleave/wrapped.txt names them) or, if the function touches no "
                 "memory that threads share and waits for nothing, allow it (allowed.txt)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="object file to write")
    parser.add_argument("--tables", required=True, help="C file to write: bounds of the sections")
    parser.add_argument("objects", nargs="+")
    arguments = parser.parse_args()
    output = pathlib.Path(arguments.output)
    run("ld", "-r", "-o", output, *arguments.objects)
    undefined, defined = symbols(output)
    wrapped, allowed = names(HERE / "wrapped.txt"), names(HERE / "allowed.txt")
    check_imports(undefined, defined, wrapped, allowed, output)
    renames, writable, constructors = plan_sections(output)
    command = ["objcopy"]
    command += [f"--redefine-sym={n}=interleave_wrap_{n}" for n in sorted(undefined & wrapped - defined)]
    # A function that the code under test defines itself (libvgc's pthread_create) stays its own, under another name:
    # the runtime calls libc's.
    command += [f"--redefine-sym={n}=interleave_own_{n}" for n in sorted(defined & wrapped)]
    # Code that asks whether a sanitizer is there is told no: what is explored is what ships.
    command += ["--redefine-sym=__tsan_init=interleave_no_sanitizer", "--weaken-symbol=__tsan_init",
                "--weaken-symbol=interleave_no_sanitizer"]
    command += [f"--remove-section={n}" for n in sorted(SANITIZER_CONSTRUCTORS)]
    command += [f"--rename-section={old}={new}" for old, new in sorted(renames.items())]
    run(*command, output)
    lines = ['#include "sections.h"'] + table("interleave_sections", writable)
    lines += table("interleave_constructors", constructors)
    pathlib.Path(arguments.tables).write_text("\n".join(lines) + "\n")


main()
