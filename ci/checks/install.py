#!/usr/bin/env python3
"""Installs a build, moves the tree elsewhere, and builds a consumer against it: find_package and pkg-config, shared and
static, and the header from C++."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "whitebox/consumer"
EXAMPLE = ROOT / "whitebox/interleave/example"


def run(*command, env=None):
    command = [str(word) for word in command]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if result.returncode:
        sys.exit(f"failed ({result.returncode}): {' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def expect(condition, what):
    if not condition:
        sys.exit(f"install: {what}")


def check_files(prefix, build):
    present = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if not p.is_dir()}
    for name in ("include/vgc.h", "lib/libvgc.a", "lib/libvgc.so", "lib/libvgc.so.0", "lib/pkgconfig/vgc.pc",
                 "lib/cmake/vgc/vgc-config.cmake"):
        expect(name in present, f"{name} was not installed; there are {sorted(present)}")
    for path in prefix.rglob("*"):
        if path.suffix in (".cmake", ".pc"):
            text = path.read_text()
            for fixed in (str(ROOT), str(build), str(prefix)):
                expect(fixed not in text, f"{path.name} holds the path {fixed} and cannot be moved")
    dynamic = run("readelf", "-d", prefix / "lib/libvgc.so")
    expect(re.search(r"SONAME.*\[libvgc\.so\.0\]", dynamic), "libvgc.so has not the soname libvgc.so.0")
    expect("TEXTREL" not in dynamic, "libvgc.so has text relocations")
    expect("RPATH" not in dynamic and "RUNPATH" not in dynamic, "libvgc.so carries a run path of the build")


def check_cmake(prefix, work, cc):
    build = work / "cmake"
    run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_C_COMPILER={cc}")
    run("cmake", "--build", build)
    for name in ("consumer_shared", "consumer_static"):
        expect("consumer: ok" in run(build / name), f"{name} printed something else")
    shared = run("readelf", "-d", build / "consumer_shared")
    expect("libvgc.so.0" in shared, "consumer_shared is not linked with libvgc.so.0")
    static = run("readelf", "-d", build / "consumer_static")
    expect("libvgc" not in static, "consumer_static is linked with the shared library")


def check_pkg_config(prefix, work, cc):
    env = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "vgc", env=env).split()
    run(cc, CONSUMER / "consumer.c", "-o", work / "by_pc", *flags)
    library = {"LD_LIBRARY_PATH": str(prefix / "lib")}
    expect("consumer: ok" in run(work / "by_pc", env=library), "the program built by pkg-config printed something else")
    flags = run("pkg-config", "--static", "--cflags", "--libs", "vgc", env=env).split()
    run(cc, "-static", CONSUMER / "consumer.c", "-o", work / "by_pc_static", *flags)
    expect("consumer: ok" in run(work / "by_pc_static"), "the -static program printed something else")
    expect(run("pkg-config", "--modversion", "vgc", env=env).strip(), "vgc.pc has no version")


def readme_example():
    """The README's project and what it says that the explorer prints of it, up to the token."""
    text = textwrap.dedent((ROOT / "README.md").read_text().partition("## Every schedule")[2])
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE)
    project, report = [textwrap.dedent(block).strip("\n") for block in blocks if block.strip()][:2]
    lists, comment, source = project.partition("\n/* A stack")
    return {"CMakeLists.txt": lists.strip(), "stack.c": (comment + source).strip()}, report.partition("replay: ")[0]


def check_interleave(prefix, work, cc):
    """The README's example, as a project of its own without a build type: the explorer finds its bug and replays it."""
    if not (prefix / "lib/libinterleave.a").exists():
        return  # not x86-64, or a sanitizer's build
    build = work / "stack"
    files, report = readme_example()
    for name, text in files.items():
        expect(text == (EXAMPLE / name).read_text().strip(), f"README.md shows another {name} than {EXAMPLE}")
    run("cmake", "-G", "Ninja", "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_C_COMPILER={cc}")
    run("cmake", "--build", build)
    found = subprocess.run([build / "stack"], capture_output=True, text=True, timeout=60)
    expect(found.returncode == 1 and "assertion failed" in found.stdout,
           f"the example's bug was not found:\n{found.stdout}")
    said = "\n".join(line.rstrip() for line in found.stdout.splitlines())
    if "gcc" in Path(cc).name:
        expect(report.strip() in said, f"README.md shows another report:\n{report}\nthan this:\n{said}")
    expect("  stack.c:23" in said, f"the report names no line of the source:\n{said}")
    token = re.search(r"--token (\S+)", found.stdout)
    expect(token, "the report of the example's bug has no token")
    expect("ci/repro" not in found.stdout, "ci/repro cannot replay a token of a user's program")
    again = subprocess.run([build / "stack", "--token", token[1]], capture_output=True, text=True, timeout=60)
    expect(again.returncode == 1 and "assertion failed" in again.stdout, f"{token[1]} did not replay:\n{again.stdout}")


def check_cxx(prefix, work):
    source = work / "header.cc"
    source.write_text('#include <vgc.h>\nint main() { void *p = vgc_malloc(8); vgc_free(p); return !p; }\n')
    run("g++", "-Wall", "-Wextra", "-Werror", "-pedantic-errors", f"-I{prefix}/include", source, "-o", work / "header",
        f"-L{prefix}/lib", "-lvgc")
    run(work / "header", env={"LD_LIBRARY_PATH": str(prefix / "lib")})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=Path, help="folder of a finished build")
    parser.add_argument("--cc", required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        first = work / "first prefix"
        run("cmake", "--install", arguments.build, "--prefix", first)
        check_files(first, arguments.build)
        prefix = work / "moved"
        shutil.move(first, prefix)
        check_cmake(prefix, work, arguments.cc)
        check_pkg_config(prefix, work, arguments.cc)
        check_cxx(prefix, work)
        check_interleave(prefix, work, arguments.cc)
    print("installed, moved, and consumed by find_package, pkg-config, -static and C++")


if __name__ == "__main__":
    main()
