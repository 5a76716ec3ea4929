"""A description that does not hold together fails before anything is generated, and the error names the place."""

import subprocess
import sys
import tempfile
import unittest

import generated

TYPES = 'alias("CUdeviceptr", "unsigned long long")\nhandle("CUevent", "CUevent_st")\nenum("CUresult", "CUDA_SUCCESS=0")\n'
GOOD = 'fn("CUresult cuMemFree(CUdeviceptr dptr, size_t n)", post(), since=2000, dptr=within("n"))\n'
LOCK = "# numbers\n1 cuMemFree\n"


class WrongSpec(unittest.TestCase):
    def fails(self, memory, *words, types=TYPES):
        with self.assertRaises(generated.dsl.SpecError) as caught:
            generated.spec_of(types=types, memory=memory)
        for word in words:
            self.assertRegex(str(caught.exception), rf"\b{word}\b")

    def test_the_good_one_is_good(self):
        spec = generated.spec_of(types=TYPES, memory=GOOD)
        self.assertEqual([f.symbol for f in spec.functions], ["cuMemFree"])
        self.assertEqual(generated.numbers_of(spec, LOCK), ({"cuMemFree": 1}, []))

    def test_a_pointer_without_a_role(self):
        self.fails('fn("CUresult cuEventCreate(CUevent *phEvent)", call())', "cuEventCreate", "phEvent", "role")

    def test_an_array_without_a_role(self):
        self.fails('fn("CUresult cuX(int values[4])", call())', "cuX", "values", "role")

    def test_a_pointer_to_a_pointer_without_a_role(self):
        self.fails('fn("CUresult cuX(void **data)", post())', "cuX", "data", "role")

    def test_a_size_that_names_no_parameter(self):
        self.fails('fn("CUresult cuX(const void *data, size_t n)", call(), data=in_bytes("m"))', "cuX", "data", "m")

    def test_a_size_that_names_no_function(self):
        self.fails('fn("CUresult cuX(const void *data, size_t n)", call(), data=in_bytes("rows3d(n,n,n)"))', "cuX", "data", "rows3d")

    def test_a_range_whose_size_names_no_parameter(self):
        self.fails('fn("CUresult cuX(CUdeviceptr p, size_t n)", post(), p=within("bytes"))', "cuX", "p", "bytes")

    def test_an_owner_that_is_no_parameter(self):
        self.fails('fn("CUresult cuX(CUevent *e, CUstream s)", call(), e=out(owner="t"))', "cuX", "e", "t")

    def test_a_posted_call_that_writes(self):
        for role in ("out()", "inout()", 'out_array("n")', 'out_bytes("n")', 'out_string("n")'):
            self.fails(f'fn("CUresult cuX(char *v, size_t n)", post(), v={role})', "cuX", "v", "posted")

    def test_a_posted_call_that_names_another_parameter(self):
        self.fails('fn("CUresult cuX(CUevent *a, CUevent *b)", post(names="a"), a=out(), b=out())', "cuX", "b", "posted")

    def test_a_symbol_that_is_described_twice(self):
        self.fails(GOOD + GOOD, "cuMemFree", "twice")

    def test_a_symbol_that_is_described_in_two_files(self):
        with self.assertRaisesRegex(generated.dsl.SpecError, "cuMemFree is described twice"):
            generated.spec_of(types=TYPES, memory=GOOD, stream=GOOD)

    def test_a_role_of_an_unknown_parameter(self):
        self.fails('fn("CUresult cuX(size_t n)", call(), m=out())', "cuX", "m")

    def test_same_as_with_another_prototype(self):
        self.fails(GOOD + 'fn("CUresult cuMemFreeOld(CUdeviceptr dptr)", local(), same_as="cuMemFree")', "cuMemFreeOld", "cuMemFree")

    def test_same_as_something_that_is_not_there(self):
        self.fails('fn("CUresult cuX(int n)", local(), same_as="cuY")', "cuY")

    def test_ptds_as_something_that_is_not_there(self):
        self.fails('fn("CUresult cuX(int n)", local(), ptds=7000, ptds_as="cuXAsync")', "cuXAsync")

    def test_what_is_no_prototype(self):
        self.fails('fn("int cuX(int n)", call())', "cuX")

    def test_a_message_that_says_nothing_of_itself(self):
        self.fails('message("Copy", "call", "u64 device")', "Copy")

    def test_a_message_of_an_unknown_mode(self):
        self.fails('message("Copy", "send", "u64 device", doc="d")', "Copy", "send")

    def test_a_field_without_a_type(self):
        self.fails('message("Copy", "call", "device", doc="d")', "device")

    def test_an_enum_with_something_else_than_numbers(self):
        self.fails('enum("CUmode", "A=0 B=C")', "CUmode")

    def test_an_error_text_of_no_error(self):
        self.fails('error_text("CUDA_ERROR_NONE", "x")', "CUDA_ERROR_NONE")


class WrongNumbers(unittest.TestCase):
    def fails(self, lock, *words):
        spec = generated.spec_of(types=TYPES, memory=GOOD)
        with self.assertRaises(generated.dsl.SpecError) as caught:
            generated.numbers_of(spec, lock)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_a_missing_number_says_what_to_run(self):
        self.fails("# none\n", "cuMemFree", "--lock")

    def test_a_number_that_is_used_twice(self):
        self.fails("1 cuMemFree\n1 cuOther\n", "1 cuOther", "twice")

    def test_a_name_that_has_two_numbers(self):
        self.fails("1 cuMemFree\n2 cuMemFree\n", "2 cuMemFree", "twice")

    def test_a_number_whose_name_is_gone_stays_taken(self):
        spec = generated.spec_of(types=TYPES, memory=GOOD)
        self.assertEqual(generated.numbers_of(spec, "1 cuGone\n2 cuMemFree\n"), ({"cuMemFree": 2}, ["cuGone"]))

    def test_new_names_are_appended_behind_the_largest_number(self):
        spec = generated.spec_of(types=TYPES, memory=GOOD)
        with tempfile.TemporaryDirectory() as folder:
            lock = f"{folder}/ids.lock"
            with open(lock, "w") as out:
                out.write("7 cuGone\n")
            self.assertEqual(generated.load.numbers(spec, lock, append=True)[0], {"cuMemFree": 8})
            with open(lock) as again:
                self.assertEqual(again.read(), "7 cuGone\n8 cuMemFree\n")


class TheProgram(unittest.TestCase):
    def test_a_wrong_spec_is_one_line_and_exit_code_1(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/memory.py", "w") as out:
                out.write('fn("CUresult cuX(int *p)", call())\n')
            done = subprocess.run([sys.executable, generated.ROOT / "api/generate.py", "--spec", folder, "--out", f"{folder}/out"],
                                  capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "api: cuX: pointer p has no role\n")


if __name__ == "__main__":
    unittest.main()
