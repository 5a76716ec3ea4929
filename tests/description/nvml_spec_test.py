"""Facts of NVML that the description must hold, whatever else changes in it."""

import re
import unittest

import generated
from gen import nvml_coverage, nvml_entries, nvml_rows

EXPORTED = 416

# Looked up by name by programs that then do without NVML, or fail, when one is missing.
NEEDED = """nvmlInit nvmlInit_v2 nvmlInitWithFlags nvmlShutdown nvmlInternalGetExportTable nvmlDeviceGetCount nvmlDeviceGetCount_v2
nvmlDeviceGetHandleByPciBusId nvmlDeviceGetHandleByPciBusId_v2 nvmlDeviceGetHandleByIndex nvmlDeviceGetHandleByIndex_v2
nvmlDeviceGetIndex nvmlErrorString nvmlDeviceGetNvLinkState nvmlDeviceGetNvLinkRemotePciInfo nvmlDeviceGetNvLinkRemotePciInfo_v2
nvmlDeviceGetNvLinkCapability nvmlDeviceGetCudaComputeCapability nvmlDeviceGetP2PStatus nvmlDeviceGetFieldValues
nvmlDeviceGetGpuFabricInfoV nvmlDeviceGetPlatformInfo nvmlSystemGetConfComputeState nvmlSystemGetConfComputeSettings
nvmlDeviceGetNvLinkRemoteDeviceType nvmlDeviceGetComputeRunningProcesses nvmlSystemGetCudaDriverVersion_v2 nvmlDeviceGetUUID
nvmlDeviceGetUtilizationRates nvmlDeviceGetTemperature nvmlDeviceGetPowerUsage nvmlDeviceGetClockInfo nvmlDeviceGetMemoryInfo
nvmlDeviceGetMemoryInfo_v2 nvmlDeviceGetComputeRunningProcesses_v2 nvmlDeviceGetComputeRunningProcesses_v3
nvmlDeviceGetPciInfo_v3 nvmlDeviceGetFanSpeed nvmlDeviceGetEnforcedPowerLimit nvmlSystemGetProcessName nvmlDeviceGetMigMode""".split()


class Exports(unittest.TestCase):
    def setUp(self):
        self.spec = generated.nvml_spec()
        self.symbols = sorted(f.symbol for f in self.spec.functions)

    def test_there_are_as_many_as_described(self):
        self.assertEqual(len(self.symbols), EXPORTED)
        self.assertEqual(len(set(self.symbols)), EXPORTED)

    def test_the_version_script_has_each_once_and_hides_the_rest(self):
        script = generated.of_nvml()["libnvidia-ml.map"]
        self.assertEqual(re.findall(r"^    (\w+);$", script, re.M), self.symbols)
        self.assertEqual(script.count("local: *;"), 1)

    def test_each_is_defined_once_by_the_entries(self):
        defined = re.findall(r"^BF_EXPORT (?:nvmlReturn_t |const char \*)(\w+)\(", generated.of_nvml()["nvml_entries.gen.cpp"], re.M)
        self.assertEqual(sorted(defined), self.symbols)

    def test_what_programs_need_is_served(self):
        self.assertEqual([s for s in NEEDED if not self.spec.function(s).served], [])

    def test_nothing_that_changes_a_device_is_served(self):
        changing = [f for f in self.spec.functions if re.match(r"nvmlDevice(Set|Clear|Reset|Remove|Modify|Freeze|Create)", f.symbol)]
        self.assertGreater(len(changing), 40)
        self.assertEqual([f.symbol for f in changing if f.mode.word != "forbidden"], [])


class Snapshots(unittest.TestCase):
    def setUp(self):
        self.groups = nvml_rows.groups(generated.nvml_spec())

    def test_rows_follow_each_other_without_gaps(self):
        for group, rows in self.groups.items():
            following = 0
            for f, first in rows:
                self.assertEqual(first, following, f"{group}: {f.symbol}")
                following += nvml_rows.count(f)
            self.assertIn(str(following), generated.of_nvml()["nvml_groups.gen.h"])

    def test_both_sides_have_the_same_functions_in_the_same_order(self):
        asked = re.findall(r"t\.(nvml\w+)\(", generated.of_nvml()["monitor_rows.gen.cpp"])
        found = re.findall(r"^nvmlReturn_t (nvml\w+)\(", generated.of_nvml()["nvml_snapshot.gen.cpp"], re.M)
        in_order = [f.symbol for rows in self.groups.values() for f, _ in rows]
        self.assertEqual(found, in_order)
        self.assertEqual(list(dict.fromkeys(asked)), in_order)

    def test_every_pointer_is_checked_before_it_is_written(self):
        source = generated.of_nvml()["nvml_snapshot.gen.cpp"]
        for rows in self.groups.values():
            for f, _ in rows:
                body = source.split(f"nvmlReturn_t {f.symbol}(")[1].split("\n}\n")[0]
                for p in f.parameters:
                    if p.is_pointer:
                        self.assertIn(f"{p.name} == nullptr", body, f.symbol)
                for p in nvml_rows.indexes(f):
                    self.assertIn(f"{p.name}) >= {p.role.count}u", body, f.symbol)

    def test_no_snapshot_changes_a_device(self):
        for rows in self.groups.values():
            for f, _ in rows:
                self.assertRegex(f.symbol, r"^nvml(Device|System)(Get|OnSame)", f.symbol)

    def test_every_struct_with_a_version_is_checked(self):
        # A served struct that begins with "unsigned int version" must be declared versioned, or be checked by hand.
        spec = generated.nvml_spec()
        by_hand = {"nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetHandleByUUIDV", "nvmlDeviceGetTemperatureV"}
        for f in spec.functions:
            for p in f.parameters:
                struct = spec.structs.get(spec.aliases.get(p.pointee, p.pointee))
                if f.served and struct and struct.fields.startswith("unsigned int version;") and f.symbol not in by_hand:
                    self.assertTrue(p.role and p.role.word == "versioned", f.symbol)


class Coverage(unittest.TestCase):
    def test_the_page_is_up_to_date(self):
        page = (generated.ROOT / "docs/coverage-nvml.md").read_text()
        self.assertEqual(page, nvml_coverage.emit(generated.nvml_spec()), "run python3 api/generate.py --coverage-nvml docs/coverage-nvml.md")

    def test_the_table_has_what_the_worker_asks(self):
        header = generated.of_nvml()["nvml_table.gen.h"]
        for symbol in nvml_entries.FOR_THE_WORKER:
            self.assertIn(f"(*{symbol})(", header)


if __name__ == "__main__":
    unittest.main()
