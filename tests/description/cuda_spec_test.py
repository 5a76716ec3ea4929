"""Facts of the CUDA driver API that the description must hold, whatever else changes in it."""

import re
import unittest

import generated
from gen import coverage, entry_table, test_uses

EXPORTED = 637  # of the library that CUDA 13.0 links programs with
FUNCTIONS = 540
PER_THREAD = 97
PER_THREAD_NAMES = 84

# What cuGetProcAddress answers for a base name from a version on, as the public headers pair them.
VARIANTS = {
    "cuMemAlloc": {2000: "cuMemAlloc", 3020: "cuMemAlloc_v2"},
    "cuMemcpyHtoD": {2000: "cuMemcpyHtoD", 3020: "cuMemcpyHtoD_v2"},
    "cuCtxCreate": {2000: "cuCtxCreate", 3020: "cuCtxCreate_v2", 11040: "cuCtxCreate_v3", 12050: "cuCtxCreate_v4"},
    "cuGetProcAddress": {11030: "cuGetProcAddress", 12000: "cuGetProcAddress_v2"},
    "cuEventElapsedTime": {2000: "cuEventElapsedTime", 12080: "cuEventElapsedTime_v2"},
    "cuStreamGetCaptureInfo": {10010: "cuStreamGetCaptureInfo", 11030: "cuStreamGetCaptureInfo_v2",
                               12030: "cuStreamGetCaptureInfo_v3"},
    "cuLaunchKernel": {4000: "cuLaunchKernel"},
    "cuInit": {2000: "cuInit"},
}
PER_THREAD_VARIANTS = {
    "cuMemcpyHtoD": {7000: "cuMemcpyHtoD_v2_ptds"},
    "cuLaunchKernel": {7000: "cuLaunchKernel_ptsz"},
    "cuStreamGetCtx": {9020: "cuStreamGetCtx_ptsz", 12050: "cuStreamGetCtx_v2_ptsz"},
    "cuStreamBeginCapture": {10000: "cuStreamBeginCapture_ptsz", 10010: "cuStreamBeginCapture_v2_ptsz"},
    "cuStreamGetCaptureInfo": {10010: "cuStreamGetCaptureInfo_ptsz", 11030: "cuStreamGetCaptureInfo_v2_ptsz",
                               12030: "cuStreamGetCaptureInfo_v3_ptsz"},
    "cuStreamWaitValue32": {8000: "cuStreamWaitValue32_ptsz", 11070: "cuStreamWaitValue32_v2_ptsz"},
    "cuGraphLaunch": {10000: "cuGraphLaunch_ptsz"},
}


def newest(rows, version, since, symbol):
    """The answer for a version: the last row that is old enough. `since` and `symbol` are columns."""
    fitting = [row[symbol] for row in rows if row[since] and row[since] <= version]
    return fitting[-1] if fitting else None


class Exports(unittest.TestCase):
    def setUp(self):
        self.spec = generated.real_spec()
        self.exports = entry_table.exports(self.spec)

    def test_there_are_as_many_as_in_the_library(self):
        self.assertEqual(len(self.exports), EXPORTED)
        self.assertEqual(len(set(self.exports)), EXPORTED)
        self.assertEqual(len(self.spec.functions), FUNCTIONS)
        self.assertEqual(sum(bool(f.variant) for f in self.spec.functions), PER_THREAD)

    def test_the_version_script_has_each_once_and_hides_the_rest(self):
        script = generated.of_the_real_spec()["libcuda.map"]
        self.assertEqual(re.findall(r"^    (\w+);$", script, re.M), self.exports)
        self.assertEqual(script.count("local: *;"), 1)

    def test_each_is_defined_once_by_the_entries(self):
        defined = re.findall(r"^BF_EXPORT CUresult (\w+)\(", generated.of_the_real_spec()["client_entries.gen.cpp"], re.M)
        self.assertEqual(sorted(defined), self.exports)

    def test_each_is_declared_once(self):
        declared = re.findall(r"^CUresult (\w+)\(", generated.of_the_real_spec()["cuda_api.gen.h"], re.M)
        self.assertEqual(sorted(declared), self.exports)


class ProcAddress(unittest.TestCase):
    def setUp(self):
        self.table = entry_table.variants(generated.real_spec())

    def test_versions_of_well_known_names(self):
        for base, expected in VARIANTS.items():
            for version, symbol in expected.items():
                self.assertEqual(newest(self.table[base], version, 0, 1), symbol, f"{base} at {version}")
                if version != min(expected):
                    self.assertNotEqual(newest(self.table[base], version - 10, 0, 1), symbol, f"{base} before {version}")
            self.assertIsNone(newest(self.table[base], min(expected) - 10, 0, 1), f"{base} before its time")

    def test_per_thread_versions_of_well_known_names(self):
        for base, expected in PER_THREAD_VARIANTS.items():
            for version, symbol in expected.items():
                self.assertEqual(newest(sorted(self.table[base], key=lambda r: r[2]), version, 2, 3), symbol, f"{base} at {version}")
            self.assertIsNone(newest(self.table[base], min(expected) - 10, 2, 3), f"{base} before its time")

    def test_per_thread_names_and_symbols(self):
        names = [base for base, rows in self.table.items() if any(row[3] for row in rows)]
        symbols = [row[3] for rows in self.table.values() for row in rows if row[3]]
        self.assertEqual(len(names), PER_THREAD_NAMES)
        self.assertEqual(len(symbols), PER_THREAD)
        self.assertTrue(all(s.endswith(("_ptsz", "_ptds")) for s in symbols))

    def test_no_per_thread_variant_is_older_than_the_per_thread_stream(self):
        for rows in self.table.values():
            for since, _, per_thread_since, symbol in rows:
                if symbol:
                    self.assertGreaterEqual(per_thread_since, max(7000, since), symbol)

    def test_every_variant_has_a_version_of_its_own(self):
        for base, rows in self.table.items():
            versions = [row[0] for row in rows]
            self.assertTrue(all(1000 <= v <= 13000 for v in versions), base)
            self.assertEqual(len(versions), len(set(versions)), base)

    def test_the_emitted_table_is_sorted_and_whole(self):
        text = generated.of_the_real_spec()["entry_table.gen.cpp"]
        rows = re.findall(r'^    \{"(\w+)", (\d+), ', text, re.M)
        self.assertEqual([(b, int(s)) for b, s in rows], sorted((b, int(s)) for b, s in rows))
        self.assertEqual(len(rows), FUNCTIONS)
        self.assertIn(f"kEntryVariantCount = {FUNCTIONS};", text)


class Wire(unittest.TestCase):
    def setUp(self):
        self.spec = generated.real_spec()
        self.ids = generated.real_ids()

    def test_numbers_are_unique_and_fit_the_frame(self):
        self.assertEqual(len(self.ids), len(set(self.ids.values())))
        self.assertGreater(min(self.ids.values()), 0)
        self.assertLess(max(self.ids.values()), 1 << 16)

    def test_names_are_unique_over_functions_and_messages(self):
        names = [m.name for m in self.spec.messages] + [f.symbol for f in self.spec.functions if f.travels]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(set(names), set(self.ids))

    def test_everything_that_travels_to_the_worker_has_one_handler(self):
        source = generated.of_the_real_spec()["worker_handlers.gen.cpp"]
        expected = {f.symbol: f.mode.word for f in self.spec.functions if f.travels}
        expected |= {m.name: m.mode for m in self.spec.messages if m.mode != "event"}
        defined = re.findall(r"^void handle_(\w+)\(", source, re.M)
        self.assertEqual(sorted(defined), sorted(expected))
        listed = dict(re.findall(r"table\[msg::kId_(\w+)\] = \{handle_\1, (true|false)", source))
        self.assertEqual(listed, {name: "true" if mode == "call" else "false" for name, mode in expected.items()})

    def test_every_handler_checks_that_the_body_is_used_up(self):
        source = generated.of_the_real_spec()["worker_handlers.gen.cpp"]
        bodies = re.split(r"^void handle_", source, flags=re.M)[1:]
        self.assertFalse([body.split("(")[0] for body in bodies if "if (!r.done()) return s.peer_is_wrong(" not in body])

    def test_no_handler_acts_before_it_has_checked(self):
        # Decoding, then checks, then the driver: a name is bound and the driver is called only after done().
        source = generated.of_the_real_spec()["worker_handlers.gen.cpp"]
        for body in re.split(r"^void handle_", source, flags=re.M)[1:]:
            before = body.split("if (!r.done())")[0]
            self.assertNotRegex(before, r"s\.driver\.|handles\.bind|handles\.forget|s\.enter\(", body.split("(")[0])

    def test_device_addresses_that_the_driver_follows_are_looked_up(self):
        addresses = [(f.symbol, p.name) for f in self.spec.functions if f.travels and f.hand not in ("worker", "both")
                     for p in f.parameters if p.type == "CUdeviceptr" and not p.role]
        self.assertEqual(addresses, [])

    def test_everything_that_travels_has_a_generated_client_half(self):
        defined = re.findall(r"^CUresult (\w+)\(", generated.of_the_real_spec()["client_remote.gen.h"], re.M)
        self.assertEqual(sorted(defined), sorted(f.symbol for f in self.spec.functions if f.travels))


class Coverage(unittest.TestCase):
    def test_the_page_is_up_to_date(self):
        page = (generated.ROOT / "docs/coverage.md").read_text()
        self.assertEqual(page, coverage.emit(generated.real_spec(), test_uses.find(generated.real_spec(), generated.ROOT)),
                         "run python3 api/generate.py --coverage docs/coverage.md")

    def test_every_function_is_on_it_once(self):
        page = coverage.emit(generated.real_spec())
        for f in generated.real_spec().functions:
            self.assertEqual(page.count(f"| `{f.symbol}` "), 1, f.symbol)

    def test_every_served_function_has_a_test(self):
        uses = test_uses.find(generated.real_spec(), generated.ROOT)
        untested = [f.symbol for f in generated.real_spec().functions if f.served and not uses[f.symbol]]
        self.assertEqual(untested, [], "write a test that calls them: a conformance test where the function is CUDA's promise")

    def test_a_name_in_a_comment_is_no_test(self):
        self.assertEqual(test_uses.names_in("// cuInit\n/* cuMemAlloc_v2 */ CU_OK(cuCtxGetId, 1); \"x\""), {"cuCtxGetId"})

    def test_what_is_not_served_says_why(self):
        silent = [f.symbol for f in generated.real_spec().functions if not f.served and not f.mode.why]
        self.assertEqual(silent, [])


if __name__ == "__main__":
    unittest.main()
