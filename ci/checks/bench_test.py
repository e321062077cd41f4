#!/usr/bin/env python3
"""What ci/bench does without a clock: who runs when and on what, the arithmetic of its figures, and its plots."""

import sys
import types
import unittest
import unittest.mock
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from vgcci import benchmarks, growth, measure, plot, process, summary  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def one(system, number, seconds, program="batch", **more):
    return {"program": program, "system": system, "threads": 1, "round": number, "operations": 100, "seconds": seconds,
            "cpu_seconds": seconds / 2, "rss_kib": 1000 + number, "pauses": 0, "pause_median_us": 0,
            "pause_longest_us": 0, **more}


class OrderTest(unittest.TestCase):
    def test_each_is_first_once(self):
        systems = list(benchmarks.PROGRAMS["handoff"].systems)
        turns = [benchmarks.in_turn(systems, number) for number in range(len(systems))]
        self.assertEqual({turn[0] for turn in turns}, set(systems))
        for turn in turns:
            self.assertEqual(sorted(turn), sorted(systems))

    def test_who_needs_a_peak_runs_after_who_has_it(self):
        systems = list(benchmarks.PROGRAMS["trees"].systems)
        for number in range(len(systems)):
            turn = benchmarks.in_turn(systems, number)
            self.assertEqual(sorted(turn), sorted(systems))
            self.assertLess(turn.index("vgc-collect"), turn.index("libgc-equal"), turn)

    def test_what_others_are_measured_by_runs_unasked(self):
        self.assertEqual(benchmarks.chosen_of("batch", ["libgc-equal"]), ["vgc", "vgc-collect", "libgc-equal"])
        self.assertEqual(benchmarks.chosen_of("graph", ["vgc", "mimalloc"]), ["vgc-collect"])

    def test_threads_of_its_own(self):
        found = benchmarks.cells(["pairs", "stop"], [1, 4], ["vgc"])
        self.assertEqual([cell[:2] for cell in found], [("pairs", 1), ("pairs", 4), ("stop", 2), ("stop", 3),
                                                        ("stop", 5)])


class RunTest(unittest.TestCase):
    def arguments(self, **more):
        return types.SimpleNamespace(build=Path("b"), rounds=2, seconds=1.0, quick=False, programs=["trees"],
                                     threads=[1], **more)

    def rounds(self, arguments, systems, status=0):
        calls = []

        def fake(command, timeout, env):
            calls.append(([str(word) for word in command], env))
            text = f'{{"threads": 1, "rss_kib": {len(calls)}}}' if status == 0 else "it broke\n"
            return process.Result(command, status, text, 1.0)

        with unittest.mock.patch("vgcci.measure.run", fake):
            return measure.rounds(arguments, systems, unittest.mock.Mock()), calls

    def test_equal_memory_is_that_of_the_same_round(self):
        runs, calls = self.rounds(self.arguments(), ["libgc-equal"])
        self.assertEqual(len(runs), 6)
        peaks = {run["round"]: run["rss_kib"] for run in runs if run["system"] == "vgc-collect"}
        given = [env["GC_INITIAL_HEAP_SIZE"] for command, env in calls if env]
        self.assertEqual(given, [str(1024 * peaks[number]) for number in (0, 1)])
        self.assertEqual({Path(command[0]).name for command, env in calls if env}, {"bench_trees_libgc"})

    def test_a_look_is_at_small_trees(self):
        arguments = self.arguments()
        arguments.quick = True
        for command, _ in self.rounds(arguments, ["vgc"])[1]:
            self.assertEqual(command[-2:], ["--size", "14"])

    def test_a_run_that_failed_is_no_result(self):
        with self.assertRaisesRegex(measure.Failed, "bench_trees_vgc with 1 threads: status 1: it broke"):
            self.rounds(self.arguments(), ["vgc"], status=1)


class SummaryTest(unittest.TestCase):
    def test_ratios_are_paired(self):
        # Each round twice as slow as the one before; the ratio stays.
        bases = [one("vgc", number, 2.0 ** number) for number in range(3)]
        ones = [one("glibc", number, 2.0 ** number * 2) for number in (2, 0, 1)]
        row = summary.row("batch", 1, "glibc", ones, bases)
        self.assertEqual((row["ratio_low"], row["ratio"], row["ratio_high"], row["cpu_ratio"]), (0.5, 0.5, 0.5, 0.5))
        self.assertEqual((row["rate"], row["rss_kib"]), (25, 1002))

    def test_quartiles(self):
        self.assertEqual(summary.quartiles([5, 1, 4, 2, 3]), (2, 3, 4))
        self.assertEqual(summary.quartiles([7]), (7, 7, 7))

    def test_a_latency_is_its_own_rate(self):
        stop = [one("limit", 0, 10.0, "stop", pause_median_us=20)]
        self.assertEqual(summary.row("stop", 2, "limit", stop, stop)["rate"], 50000)

    def test_pauses_stand_in_a_table_of_their_own(self):
        rows = [summary.row(program, 1, "vgc", ones, ones) for program, ones in (
            ("batch", [one("vgc", 0, 1.0)]),
            ("replace", [one("vgc", 0, 1.0, "replace", pauses=3, pause_median_us=1500, pause_longest_us=20500)]))]
        first, second, names = summary.printed(rows).split("\n\n")
        self.assertNotRegex(first, "pauses|replace")
        self.assertNotIn("batch", second)
        self.assertRegex(second, r"replace .* 3 +1\.5 ms +20\.5 ms")
        self.assertIn("1 ms or more", names)


class GrowthTest(unittest.TestCase):
    def test_what_does_not_fit_is_not_run(self):
        graph = growth.GROWTHS["graph"]
        self.assertTrue(growth.fits(graph, 1024, 4 << 30))
        self.assertFalse(growth.fits(graph, 4096, 4 << 30))
        self.assertEqual(growth.available_bytes("MemFree: 1 kB\nMemAvailable:  12 kB\n"), 12288)

    def test_a_point_that_failed_is_a_remark(self):
        def fake(path, threads, seconds, size=0, spare=0):
            if path.name == "bench_roots_libgc" and size > 1000:
                raise measure.Failed("Too many root sets")
            return {"pause_median_us": 2000, "operations": 5e6, "seconds": 1}

        arguments = types.SimpleNamespace(build=Path("b"), quick=False, seconds=1, programs=["roots", "list"])
        with unittest.mock.patch("vgcci.growth.one_run", fake), \
                unittest.mock.patch("vgcci.growth.available_bytes", lambda: 1 << 40):
            points, remarks = growth.measure(arguments, ["vgc", "libgc"], unittest.mock.Mock())
        self.assertEqual(remarks, [f"roots, {count} ranges added as roots: Too many root sets"
                                   for count in ("10,000", "100,000")])
        self.assertRegex(growth.printed(points), r"\n100,000 +2\.000 +-$")


class PlotTest(unittest.TestCase):
    def test_axes(self):
        for values in ([1], [0.03, 7], [1, 1e5], [3.2, 3.3], [1e-5, 40]):
            axis = plot.LogAxis(values, 100, 0)
            self.assertTrue(2 <= len(axis.ticks) <= 10, axis.ticks)
            for value in values:
                self.assertTrue(0 <= axis.place(value) <= 100, values)
        close = plot.LogAxis([3.2, 3.3], 0, 100)
        self.assertEqual((close.low, close.high), (2, 5))
        self.assertAlmostEqual(plot.LogAxis([1, 100], 0, 300).place(10), 150)

    def test_units(self):
        self.assertEqual([plot.seconds_text(value) for value in (2e-5, 0.03, 5)], ["20 µs", "30 ms", "5 s"])
        self.assertEqual([plot.bytes_text(value) for value in (16 << 20, 4 << 30)], ["16 MiB", "4 GiB"])

    def test_bars_are_well_formed_and_begin_at_one(self):
        bases = [one("vgc", number, 1.0) for number in range(3)]
        rows = [summary.row("batch", 1, name, [one(name, number, seconds) for number in range(3)], bases)
                for name, seconds in (("vgc", 1.0), ("libgc", 4.0), ("mimalloc", 0.5))]
        (name, text), = plot.of_ratios(rows).items()
        self.assertEqual(name, "ratio-batch")
        top = ElementTree.fromstring(text)
        slow, fast = [bar for bar in top.iter(SVG + "rect") if bar.get("fill")]
        end = float(slow.get("x")) + float(slow.get("width"))
        self.assertAlmostEqual(end, float(fast.get("x")), delta=0.2)
        self.assertAlmostEqual(float(slow.get("width")), 2 * float(fast.get("width")), delta=0.3)

    def test_lines_are_well_formed(self):
        points = [{"growth": "graph", "system": system, "size": size << 20, "value": size / 100}
                  for system in growth.COLLECTORS for size in (16, 64, 256)]
        (name, text), = plot.of_growth(points).items()
        top = ElementTree.fromstring(text)
        self.assertEqual(name, "growth-graph")
        self.assertEqual(len(list(top.iter(SVG + "polyline"))), 2)
        self.assertLessEqual({"16 MiB", "256 MiB", "live bytes", "libgc"},
                             {element.text for element in top.iter(SVG + "text")})

    def test_every_system_has_a_colour(self):
        self.assertEqual(set(plot.COLOURS), set(benchmarks.SYSTEMS))


if __name__ == "__main__":
    unittest.main()
