#!/usr/bin/env python3
"""Drives the stress HTTP server with wrk, and checks every answer.

wrk keeps 256 connections busy with Connection: close; its Lua script checks every body. Meanwhile a second client here
verifies responses of its own. Passed means: as many requests as asked for, none wrong, no socket error, the server's
resident memory flat, and the server's own counts right at its end.

Exit status: 0 passed, 1 failed, 2 usage, 77 not applicable (no wrk, or a subject that cannot run in this build)."""
import argparse
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Room for what is not growth: a heap between two collections, per-thread caches, malloc's own.
FLAT_FACTOR, FLAT_BYTES = 1.15, 8 << 20
LEAST_SAMPLES = 30  # in each third; ten a second


class Failure(Exception):
    """What is wrong, in one line."""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=str(HERE / "stress_httpd_server"),
                        help="server executable (default: %(default)s)")
    parser.add_argument("--subject", help="subject of the server (default: its own)")
    parser.add_argument("--requests", type=int, default=1_000_000, help="made by wrk (default: %(default)s)")
    parser.add_argument("--verify", type=int,
                        help="responses that the second client checks at least (default: 1 in 100)")
    parser.add_argument("--quick", action="store_true", help="20,000 requests")
    parser.add_argument("--connections", type=int, default=256, help="kept open by wrk (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="reactors (default: %(default)s)")
    parser.add_argument("--spinners", type=int, default=0, help="threads of the server that only compute (default: 0)")
    parser.add_argument("--cycles", type=int, default=3, help="collections that must happen (default: %(default)s)")
    parser.add_argument("--seed", help="of all inputs (default: VGC_STRESS_SEED, else random)")
    parser.add_argument("--limit", type=float, default=1800,
                        help="seconds after which it has failed (default: %(default)s)")
    parser.add_argument("--report", help="write the result as JSON")
    options = parser.parse_args()
    if options.quick:
        options.requests = 20_000
    if options.verify is None:
        options.verify = max(options.requests // 100, 10)
    seed = options.seed or os.environ.get("VGC_STRESS_SEED") or str(secrets.randbits(63))
    try:
        options.seed = int(seed, 0)
    except ValueError:
        parser.error(f"--seed is '{seed}'; expected a number, decimal or 0x...")
    for name in ("requests", "connections", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; expected at least 1")
    return options


def command_again(options):
    words = [f"{k}={v}" for k, v in sorted(os.environ.items())
             if k.startswith("VGC_") and not k.startswith("VGC_STRESS_")]
    words += [sys.argv[0], "--server", options.server, "--seed", str(options.seed), "--requests", str(options.requests),
              "--verify", str(options.verify), "--connections", str(options.connections), "--threads",
              str(options.threads), "--spinners", str(options.spinners), "--cycles", str(options.cycles)]
    return " ".join(words + (["--subject", options.subject] if options.subject else []))


class Server:
    """The process under test and what it printed."""

    def __init__(self, options):
        command = [options.server, "--seconds", "1000000", "--seed", str(options.seed),
                   "--threads", str(options.threads),
                   "--spinners", str(options.spinners), "--cycles", str(options.cycles)]
        if options.subject:
            command += ["--subject", options.subject]
        self.lines = []
        self.ready = threading.Event()
        self.port = self.pid = None
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        errors="replace")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.ready.wait()
        if self.port is None:
            self.reader.join()
            status = self.process.wait()
            if status == 77:
                sys.exit(77)
            raise Failure(f"the server did not start (exit status {status})")

    def read(self):
        for line in self.process.stdout:
            print(line, end="", flush=True)
            self.lines.append(line.rstrip("\n"))
            found = re.match(r"listening on port (\d+) in process (\d+)", line)
            if found:
                self.port, self.pid = map(int, found.groups())
                self.ready.set()
        self.ready.set()

    def resident(self):
        """Bytes, or None when the process is gone."""
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_text().split()
            return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") or None
        except (OSError, IndexError):
            return None

    def stop(self):
        """Asks for the end; raises Failure with the server's own failure line."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            raise Failure("server: does not end when asked to") from None
        self.reader.join()
        for line in self.lines:
            if ": FAILED: " in line:
                raise Failure("server: " + line.split(": FAILED: ", 1)[1].split("; run again: ")[0])
        if status != 0:
            raise Failure(f"server: exit status {status}")
        return next((line for line in self.lines if ": passed: " in line), "")


class Verifier:
    """The second client: one request at a time in each of a few threads, every byte compared."""

    def __init__(self, options, port):
        self.port, self.seed = port, options.seed
        self.checked, self.wrong = 0, None
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(6)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        serial = 0
        while not self.stopping.is_set() and not self.wrong:
            serial += 1
            identity = (1000 + number) * 2**32 + serial
            size = zlib.crc32(f"{self.seed} {identity}".encode()) % (40_000 if serial % 50 == 0 else 600)
            why = self.exchange(identity, size)
            with self.lock:
                self.checked += 1
                if why and not self.stopping.is_set():
                    self.wrong = f"second client, item {identity}: {why}"

    def exchange(self, identity, size):
        """None, or what is wrong with the response."""
        address = (f"127.0.0.{identity % 8 + 1}", self.port)
        try:
            with socket.create_connection(address, timeout=120) as connection:
                request = f"GET /item/{identity}/{size} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                connection.sendall(request.encode())
                response = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError as error:
            return f"{type(error).__name__}: {error}"
        a = identity % 9973
        data = bytes(97 + (a + i * (a % 23 + 1) + i * i % 251) % 26 for i in range(size))
        body = b"%d %d %d\n" % (identity, size, zlib.adler32(data)) + data
        head = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                % len(body))
        if response != head + body:
            expected = head + body
            at = next((i for i, (x, y) in enumerate(zip(response, expected)) if x != y),
                      min(len(response), len(expected)))
            return (f"{len(response)} bytes, expected {len(expected)}; first difference at byte {at}: "
                    f"{response[at:at + 40]!r}")
        return None

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Wrk:
    """The load. It sleeps for its full duration whatever its threads do, so it is woken when all have done their
    share."""

    def __init__(self, options, port):
        threads = min(4, options.connections)
        share = -(-options.requests // threads)
        self.output, self.missing = "", threads
        self.process = subprocess.Popen(
            ["wrk", "-t", str(threads), "-c", str(options.connections), "-d", f"{int(options.limit)}s",
             "--timeout", "120s", "-s", str(HERE / "httpd.lua"), f"http://127.0.0.1:{port}/", "--", "8", str(share),
             str(options.seed % 2**31)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if line != "LIMIT\n":
                self.output += line
                continue
            self.missing -= 1
            if self.missing == 0:
                self.process.send_signal(signal.SIGINT)

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        if not self.ended():
            self.process.kill()
        self.process.wait()
        self.reader.join()


def watch(options, server, wrk, verifier):
    """Waits for wrk. Returns resident bytes over time."""
    samples, said, began = [], 0.0, time.monotonic()
    while not wrk.ended():
        time.sleep(0.1)  # the sampling period
        resident, now = server.resident(), time.monotonic()
        if resident:
            samples.append(resident)
        if now - said > 5 and resident:
            said = now
            print(f"  {now - began:5.0f} s: {resident >> 20} MB resident, {verifier.checked} verified", flush=True)
        if verifier.wrong:
            raise Failure(verifier.wrong)
        if server.process.poll() is not None:
            raise Failure("the server ended early")
        if now - began > options.limit:
            raise Failure(f"not finished after {options.limit:.0f} s")
    return samples


def check_flat(samples):
    """The last third against the one before: growth while the load is the same is a leak. Before some seconds have
    passed it is only the heap, or AddressSanitizer's quarantine, on its way to its size."""
    third = len(samples) // 3
    if third < LEAST_SAMPLES:
        return "resident memory: not applicable, the run is too short"
    early, late = max(samples[third:2 * third]), max(samples[2 * third:])
    if late > early * FLAT_FACTOR + FLAT_BYTES:
        raise Failure(f"resident memory grows: {early >> 20} MB, later {late >> 20} MB")
    return f"resident memory flat: {early >> 20} MB, later {late >> 20} MB"


def check_wrk(options, output):
    print(output, end="")
    found = re.search(r"^JSON (\{.*\})$", output, re.MULTILINE)
    if not found:
        raise Failure("wrk gave no result")
    result = json.loads(found.group(1))
    if result["wrong"] or result["not_200"]:
        raise Failure(f"wrk saw {result['wrong']} wrong bodies, {result['not_200']} other statuses: {result['reason']}")
    errors = {name: result[name] for name in ("connect", "read", "write", "status", "timeout") if result[name]}
    if errors:
        raise Failure(f"wrk had socket errors: {errors}")
    if result["checked"] < options.requests:
        raise Failure(f"wrk checked {result['checked']} responses, {options.requests} are needed")
    return result


def run(options, result):
    server = Server(options)
    wrk = verifier = None
    try:
        verifier = Verifier(options, server.port)
        wrk = Wrk(options, server.port)
        samples = watch(options, server, wrk, verifier)
        verified = verifier.checked
        wrk.reader.join()
        result["wrk"] = check_wrk(options, wrk.output)
        if verifier.wrong:
            raise Failure(verifier.wrong)
        if verified < options.verify:
            raise Failure(f"the second client verified {verified} responses meanwhile, {options.verify} are needed")
        result["verified"] = verified
        result["resident_bytes"] = samples[:: max(1, len(samples) // 100)]
        result["memory"] = check_flat(samples)
    except Failure:
        server.stop()  # raises what it has to say itself, which tells more
        raise
    finally:
        if verifier:
            verifier.stop()
        if wrk:
            wrk.kill()
        if sys.exc_info()[0] and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
    result["server"] = server.stop()


def main():
    options = parse_arguments()
    print(f"stress_httpd: seed {str(options.seed)}, {options.requests} requests, {options.connections} connections, "
          f"{options.threads} reactors, {options.spinners} spinners", flush=True)
    if not shutil.which("wrk"):
        print("not applicable: wrk is not installed (apt-get install wrk)")
        sys.exit(77)
    result = {"program": "httpd", "seed": str(options.seed), "result": "passed", "spinners": options.spinners}
    status = 0
    try:
        run(options, result)
        rate = result["wrk"]["requests"] / (result["wrk"]["microseconds"] / 1e6)
        print(f"stress_httpd: passed: {result['wrk']['checked']} responses checked by wrk ({rate:.0f}/s), "
              f"{result['verified']} by the second client; {result['memory']}")
    except Failure as failure:
        result.update(result="failed", message=str(failure))
        status = 1
        sys.stdout.flush()
        print(f"stress_httpd: FAILED: {failure}; run again: {command_again(options)}", file=sys.stderr)
    if options.report:
        Path(options.report).write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
