#!/usr/bin/env bash
# usage: tests/fuzz/run.sh SECONDS [TARGET...]    each target for so long, one after the other (ptx worker image wire)
#
# Builds with clang into build-fuzz/ (BITFUSION_FUZZ_BUILD=<folder> says where). The corpora grow in
# build-fuzz/corpus/ and are kept; findings are written to build-fuzz/findings/, and the exit code is then 1. A finding is
# run again with: build-fuzz/tests/<target>_fuzz <file>. 77: no clang with libFuzzer here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage="usage: tests/fuzz/run.sh SECONDS [TARGET...]"
[[ ${1:-} =~ ^[0-9]+$ ]] || { echo "$usage" >&2; exit 2; }
seconds=$1
shift
targets=("$@")
[ ${#targets[@]} != 0 ] || targets=(ptx worker image wire)
for target in "${targets[@]}"; do
    [ -e "tests/fuzz/${target}_fuzz.cpp" ] || { echo "$usage: there is no target $target" >&2; exit 2; }
done
build=${BITFUSION_FUZZ_BUILD:-build-fuzz}

compiler=$(command -v clang++-14 || command -v clang++ || true)
if [ -z "$compiler" ] ||
    ! echo 'extern "C" int LLVMFuzzerTestOneInput(const char *, unsigned long) { return 0; }' |
    "$compiler" -x c++ - -fsanitize=fuzzer -o /dev/null 2>/dev/null; then
    echo "no clang with libFuzzer here; install clang-14 and libclang-rt-14-dev" >&2
    exit 77
fi
[ -e "$build/build.ninja" ] ||
    cmake -G Ninja -S . -B "$build" -DCMAKE_CXX_COMPILER="$compiler" -DBITFUSION_FUZZ=ON -DBITFUSION_NVCC=OFF >/dev/null
ninja -C "$build" "${targets[@]/%/_fuzz}"

# The catalogue of PTX, from a build that there may be.
document=()
[ ! -x build/tests/ptx_document ] || document=(--ptx-document build/tests/ptx_document)
python3 tests/fuzz/seeds.py "$build/corpus" "${document[@]}"
mkdir -p "$build/findings"

# Sessions leave leaks to the end of their process, which here comes late.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
status=0
for target in "${targets[@]}"; do
    log=$build/findings/$target.log
    options=(-max_total_time="$seconds" -rss_limit_mb=2048 -timeout=120 -max_len=20000 -detect_leaks=0 -print_final_stats=1
        -artifact_prefix="$build/findings/$target-")
    # The dictionary is of the catalogue, and empty where there was none.
    [ "$target" != ptx ] || [ ! -s "$build/corpus/ptx.dict" ] || options+=(-dict="$build/corpus/ptx.dict")
    [ "$target" != worker ] || options+=(-max_len=4096)
    if "$build/tests/${target}_fuzz" "${options[@]}" "$build/corpus/$target" >"$log" 2>&1; then
        grep '^#' "$log" | grep DONE | sed "s/^/$target: /"
    else
        status=1
        echo "$target: a finding"
        grep -v '^#' "$log" | tail -n 60
    fi
done
exit $status
