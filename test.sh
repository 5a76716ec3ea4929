#!/usr/bin/env bash
# All tests of this machine. The last line is "N passed, N failed, N skipped"; what was skipped stands before it with
# the reason. The exit code is 0 when nothing failed.
#
# usage: ./test.sh [--fuzz]                     the release build: every test; --fuzz: each fuzzer for a moment too
#        ./test.sh --sanitize address|thread    a build with g++'s sanitizers: the tests that they can say something about
#
# Installs the Debian packages that are missing (as root or with sudo), then builds into build/, build-address/ or
# build-thread/. Reports stay in <build folder>/reports.
# BITFUSION_BUILD=<folder> takes a build that exists and installs nothing.
# BITFUSION_NVIDIA_SMI=<path> names NVIDIA's nvidia-smi, where it is not in PATH: it is run against the software GPU.
# BITFUSION_CMAKE_ARGS goes to the first configuration: -DBITFUSION_NVCC=OFF does without an nvcc that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. packaging/stages.sh

usage="usage: ./test.sh [--fuzz | --sanitize address|thread]"
preset=release
fuzz=no
case "$#:${1:-}:${2:-}" in
0::) ;;
1:--fuzz:) fuzz=yes ;;
2:--sanitize:address | 2:--sanitize:thread) preset=$2 ;;
*) die "$usage" ;;
esac

open_scratch test
case $preset in
release) build=${BITFUSION_BUILD:-build} ;;
*) build=${BITFUSION_BUILD:-build-$preset} ;;
esac

# The tests whose subject is threads: what the thread sanitizer's build makes and runs.
threaded_tests() {
    ninja -C "$build" -t targets all | sed -nE 's/^((base|wire|link|client|worker|session|nvml|soft_device)[a-z_]*_?tests?): phony$/\1/p'
}

install_packages build test
targets=()
if [ "$preset" = thread ] && [ -z "${BITFUSION_BUILD:-}" ]; then
    build_tree thread bitfusion_gen
    mapfile -t targets < <(threaded_tests)
    targets+=(bitfusion bitfusion_worker bitfusion_shim_cuda conformance_tests)
fi
build_tree "$preset" "${targets[@]}"
build=$(cd "$build" && pwd)
reports=$build/reports
rm -rf "$reports"
mkdir "$reports"

# What follows runs programs; none of them may write into the caller's home.
export HOME=$scratch/home TMPDIR=$scratch/tmp
unset XDG_CACHE_HOME CUDA_CACHE_PATH
export UBSAN_OPTIONS=print_stacktrace=1
# A second of waiting for latecomers at the end of each process is half the time of a stage of short tests.
export TSAN_OPTIONS=atexit_sleep_ms=50
alike=()  # g++ 12's sanitizers want the address space that they know, which newer kernels' randomization leaves
if [ "$preset" != release ] && setarch -R true 2>/dev/null; then alike=(setarch -R); fi

# Runs a program that writes the report REPORT into $reports, or whose output is the report when that is a .txt;
# tests/tally.py reads it.
suite() { # NAME REPORT COMMAND...
    local name=$1 report=$2 status=0
    shift 2
    say "$name"
    local command=(timeout --kill-after=10 1500 "${alike[@]}" "$@")
    case $report in
    *.txt) attend with_copy "$reports/$report" "${command[@]}" || status=$? ;;
    *) attend "${command[@]}" || status=$? ;;
    esac
    printf '%s\t%s\t%s\n' "$name" "$report" "$status" >>"$reports/runs.tsv"
}

verdict() { # passed|failed|skipped NAME REASON
    printf '%s\t%s\t%s\n' "$@" >>"$reports/checks.tsv"
}

# A check that is its exit code; WHAT_TO_DO stands beside a failure.
check() { # NAME WHAT_TO_DO COMMAND...
    local name=$1 remedy=$2
    shift 2
    say "$name"
    if attend "$@"; then
        echo ok
        verdict passed "$name" ""
    else
        verdict failed "$name" "$remedy"
    fi
}

with_copy() { # FILE COMMAND...
    "${@:2}" 2>&1 | tee "$1"
}

ptx_is_current() {
    "$build/tests/ptx_document" >"$scratch/ptx.md" && diff -u docs/ptx.md "$scratch/ptx.md"
}

coverage_is_current() {
    python3 api/generate.py --coverage "$scratch/coverage.md" && diff -u docs/coverage.md "$scratch/coverage.md"
}

formatted() {
    find src samples tests bench -name '*.h' -o -name '*.cpp' | sort | xargs clang-format --dry-run -Werror
}

# The programs that nvcc compiled, as the client's.
programs() { # BACKEND
    local folder=$build/tests/programs as=()
    case $preset in
    address)
        # The release build's: only our library in them is sanitized, and that needs its runtime loaded first. Leaks are
        # not looked for: what a program that is not ours keeps until its end, and NVIDIA's runtime in it, is not ours.
        folder=build/tests/programs
        as=(env "LD_PRELOAD=$(g++ -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0)
        ;;
    thread) return ;;
    esac
    if [ -d "$folder" ] && [ -n "$(find "$folder" -maxdepth 1 -type f -perm -u+x)" ]; then
        suite "programs remote-$1" "programs-remote-$1.json" python3 tests/programs/run.py --programs "$folder" \
            --json "$reports/programs-remote-$1.json" -- "$build/bin/bitfusion" run -n 1 -- "${as[@]}"
    elif [ "$preset" = release ]; then
        verdict skipped "programs remote-$1" "no nvcc when the build was configured: tests/programs is not built"
    else
        verdict skipped "programs remote-$1" "not in $folder: there was no nvcc, or ./test.sh has not been run"
    fi
}

# The conformance tests as a client's program: against the stand-in, which a worker with BACKEND serves.
remote() { # BACKEND
    local link gpus=1 options=()
    # Several GPUs are a case of their own; a machine has as many real ones as it has.
    [ "$1" != soft ] || { gpus=2; options=(--software-gpus 2); }
    say "starting bitfusion manager --backend $1"
    # What a worker says on stderr while it serves goes to its program (device printf does), so reports have files.
    ASAN_OPTIONS=log_path=$reports/sanitizer TSAN_OPTIONS=$TSAN_OPTIONS:log_path=$reports/sanitizer \
        UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$reports/sanitizer start_manager "$1" "${options[@]}"
    export BITFUSION_SERVERS=$manager_address
    for link in tcp shm; do
        suite "conformance remote-$1 over $link" "conformance-remote-$1-$link.xml" "$build/bin/bitfusion" run -n "$gpus" -- \
            env "BITFUSION_LINK=$link" "$build/tests/conformance_tests" --target=lib:libcuda.so.1 --gtest_brief=1 \
            --gtest_output="xml:$reports/conformance-remote-$1-$link.xml"
    done
    if [ -x "$build/tests/ptx_tests" ]; then
        suite "ptx remote-$1" "ptx-remote-$1.xml" "$build/bin/bitfusion" run -n 1 -- \
            "$build/tests/ptx_tests" --target=lib:libcuda.so.1 --gtest_brief=1 --gtest_output="xml:$reports/ptx-remote-$1.xml"
    fi
    programs "$1"
    unset BITFUSION_SERVERS
    if stop_manager; then
        verdict passed "manager --backend $1 ends well on SIGTERM" ""
    else
        verdict failed "manager --backend $1 ends well on SIGTERM" "an error, or it had to be killed; its log is above"
        tail -n 50 "$scratch/manager.log"
    fi
    cp "$scratch/manager.log" "$reports/manager-$1.log"
    if [ "$preset" != release ]; then
        check "no sanitizer's report of the manager or its workers ($1)" "read $reports/manager-$1.log and $reports/sanitizer.*" \
            no_report "$reports/manager-$1.log"
    fi
}

no_report() { # LOG
    local files=("$1") file
    for file in "$reports"/sanitizer.*; do [ ! -e "$file" ] || files+=("$file"); done
    ! grep -nE -A 30 'ThreadSanitizer|AddressSanitizer|LeakSanitizer|runtime error:' "${files[@]}"
}

# The console: its logic, and its pages in a browser against a manager with software GPUs.
console() {
    local pages=$build/web/work runner
    if [ ! -f "$build/share/bitfusion/console/index.html" ]; then
        verdict skipped "console" "it is not built: no npm here when the build was configured, or no registry of packages"
        return
    fi
    runner=(env -C "$pages" "BITFUSION_BUILD=$build" node node_modules/vitest/vitest.mjs run --reporter=default --reporter=junit)
    suite "console logic" console-logic.xml "${runner[@]}" "--outputFile.junit=$reports/console-logic.xml" src
    check "the console's types" "run npm run check in $pages" \
        env -C "$pages" node node_modules/svelte-check/bin/svelte-check --fail-on-warnings --output human
    if command -v chromium >/dev/null; then
        suite "console pages" console-pages.xml "${runner[@]}" "--outputFile.junit=$reports/console-pages.xml" tests
    else
        verdict skipped "console pages" "no chromium here: the pages are not tested in a browser"
    fi
}

# Each of libFuzzer's targets for a moment; longer runs: tests/fuzz/run.sh.
fuzzers() {
    local target status
    if [ "$fuzz" = no ]; then
        verdict skipped "fuzz" "not asked for: ./test.sh --fuzz builds the fuzzers with clang and runs each for 20 s"
        return
    fi
    for target in ptx worker image wire; do
        say "fuzz $target"
        status=0
        attend tests/fuzz/run.sh 20 "$target" || status=$?
        case $status in
        0) verdict passed "fuzz $target" "" ;;
        77) verdict skipped "fuzz $target" "no clang with libFuzzer here (clang-14, libclang-rt-14-dev)" ;;
        *) verdict failed "fuzz $target" "what was found is in build-fuzz/findings" ;;
        esac
    done
}

# Unit tests, conformance in process, end-to-end tests. ctest gives each test a process of its own, which some need.
in_ctest() { # OPTION...
    suite "ctest" ctest.xml \
        ctest --test-dir "$build" "$@" -j "$(nproc)" --timeout 300 --output-on-failure --no-tests=error \
        --output-junit "$reports/ctest.xml" --test-output-size-passed 4000000 \
        --test-output-size-failed 4000000
}

case $preset in
release)
    in_ctest
    console
    remote soft
    if [ -e /dev/nvidiactl ] && ldconfig -p | grep -q 'libcuda\.so\.1'; then
        suite "conformance real" conformance-real.xml "$build/tests/conformance_tests" --target=lib:libcuda.so.1 \
            --gtest_brief=1 --gtest_output="xml:$reports/conformance-real.xml"
        if [ -x "$build/tests/ptx_tests" ]; then
            suite "ptx real" ptx-real.xml "$build/tests/ptx_tests" --target=lib:libcuda.so.1 \
                --gtest_brief=1 --gtest_output="xml:$reports/ptx-real.xml"
        fi
        remote real
    else
        verdict skipped "conformance real, remote-real" "no NVIDIA GPU with its driver here"
    fi
    if [ ! -d tests/description ]; then
        verdict skipped "the API description" "no folder tests/description"
    elif ! ctest --test-dir "$build" -N -R '^description_' | grep -q 'description_'; then  # else ctest has run them
        suite "the API description" description.txt \
            python3 -m unittest discover -v -s tests/description -t tests/description -p '*_test.py'
    fi
    if grep -q '^CUDA_H_FOLDER:PATH=.*-NOTFOUND$' "$build/CMakeCache.txt"; then
        verdict skipped "the API description against cuda.h" "no cuda.h here: every type and prototype is compared where one is"
    else
        verdict passed "the API description against cuda.h" ""  # static assertions: the build is the check
    fi
    if [ -x "$build/tests/ptx_document" ]; then
        check "docs/ptx.md is up to date" "run: $build/tests/ptx_document > docs/ptx.md" ptx_is_current
    else
        verdict skipped "docs/ptx.md is up to date" "no libmpfr-dev when the build was configured: tests/ptx is not built"
    fi
    check "docs/coverage.md is up to date" "run: python3 api/generate.py --coverage docs/coverage.md" coverage_is_current
    fuzzers
    if command -v clang-format >/dev/null; then
        check "the sources are formatted" "run clang-format -i on the files named above" formatted
    else
        verdict skipped "the sources are formatted" "no clang-format here"
    fi
    ;;
address)
    in_ctest -E '^e2e_(chaos|history_source|layout|slurm|watcher)$'
    verdict skipped "e2e_chaos, e2e_history_source, e2e_layout, e2e_slurm, e2e_watcher" \
        "they bound memory, descriptors and time, or start programs before which no sanitizer's runtime comes: the release build has them"
    remote soft
    ;;
thread)
    # The tests of what was built, without those of other programs and the conformance tests, which run remotely.
    in_ctest -E '_NOT_BUILT$|^e2e_|^description_|^conformance\.'
    remote soft
    ;;
esac

say "$preset: the result"
python3 tests/tally.py "$reports" | tee "$reports/result.txt"
