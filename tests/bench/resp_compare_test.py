import argparse
import contextlib
import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import resp_compare  # noqa: E402


class PretendedBench(resp_compare.Bench):
    """Asks no server: what each run says is made up here."""

    def __init__(self, rates, rounds=3):
        self.arguments = argparse.Namespace(rounds=rounds, twin=False)
        self.failures, self.aims, self.asked = [], {}, []
        self.rates = {name: list(values) for name, values in rates.items()}

    def load(self, name, *_):
        self.asked.append(name)
        rate = self.rates[name].pop(0)
        if rate is None:
            raise resp_compare.LoadError("no such command")
        return {"per_second": rate, "server_cpu_us": 1.0, "p50_us": 2.0, "p99_us": 3.0}

    def in_turns(self):
        targets = {name: [name] for name in self.rates}
        with contextlib.redirect_stderr(io.StringIO()):
            return resp_compare.in_turns(self, "a cell", targets, [])


class TurnsTest(unittest.TestCase):
    def test_takes_the_median_of_each_and_begins_with_another_each_time(self):
        bench = PretendedBench({"a": [1, 9, 2], "b": [5, 5, 4]})
        said = bench.in_turns()
        self.assertEqual((said["a"]["per_second"], said["b"]["per_second"]), (2, 5))
        self.assertEqual(bench.asked, ["a", "b", "b", "a", "a", "b"])

    def test_one_that_fails_is_told_once_and_has_no_figures(self):
        bench = PretendedBench({"a": [1, None, 2], "b": [5, 5, 4]})
        self.assertEqual(list(bench.in_turns()), ["b"])
        self.assertEqual(bench.asked.count("a"), 2)
        self.assertEqual(bench.failures, ["a, a cell: no such command"])


class RowTest(unittest.TestCase):
    def row(self, said, cell=("process", "tcp", "get", 1024, 50, 16)):
        self.bench = PretendedBench({})
        return resp_compare.cell_row(self.bench, cell, said, "Cirein")

    def figures(self, rate, cpu):
        return {"per_second": rate, "server_cpu_us": cpu, "p50_us": 20.0, "p99_us": 40.0}

    def test_has_both_figures_and_their_ratio(self):
        row = self.row({"Cirein": self.figures(300, 1.0), "Redis": self.figures(100, 2.0)})
        self.assertEqual(row[:4], ["tcp", "GET", "1 KiB", "50 × 16"])
        self.assertEqual(row[4:6], ["300 / 100 = **3.00**", "1.00 / 2.00 = **0.50**"])
        self.assertEqual([entry["missed"] for entry in self.bench.aims.values()], [[], []])

    def test_a_missed_aim_is_told_with_its_cell(self):
        self.row({"Cirein": self.figures(149, 0.75), "Redis": self.figures(100, 1.0)})
        self.assertEqual(
            {aim: entry["missed"] for aim, entry in self.bench.aims.items()},
            {
                "requests/s beside Redis, pipeline 16: at least 1.5": ["get 1 KiB tcp 50 × 16 (1.49)"],
                "server CPU beside Redis: at most 0.7": ["get 1 KiB tcp 50 × 16 (0.75)"],
            },
        )

    def test_the_aim_with_power_is_another_one(self):
        cell = ("power", "unix", "incr", 64, 50, 1)
        self.row({"Cirein": self.figures(120, 0.5), "Redis": self.figures(100, 1.0)}, cell)
        self.assertIn("requests/s beside Redis, `power`, 50 connections: at least 1.5", self.bench.aims)

    def test_a_server_that_is_not_there_leaves_a_dash(self):
        row = self.row({"Redis": self.figures(100, 1.0)})
        self.assertEqual(row[4], "— / 100 = **—**")
        self.assertEqual(row[8:], ["—", "—"])
        self.assertEqual(self.bench.aims, {})


class TextTest(unittest.TestCase):
    def test_sizes_and_numbers(self):
        sizes = [resp_compare.size_text(size) for size in (64, 1024, 1 << 20, 64 << 20, 1500)]
        self.assertEqual(sizes, ["64 B", "1 KiB", "1 MiB", "64 MiB", "1500 B"])
        numbers = [resp_compare.number(value) for value in (None, 0.123, 12.34, 1234.5)]
        self.assertEqual(numbers, ["—", "0.12", "12.3", "1234"])


if __name__ == "__main__":
    unittest.main()
