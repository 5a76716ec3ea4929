#!/usr/bin/env bash
# Compares native and remote on this machine, on its GPU where there is one, else on the software GPU.
# usage: bench/run.sh [--help and the options of run.py]
#        bench/run.sh --clients [options of clients.py]: many clients at once
# Builds what it needs into build/ (or takes BITFUSION_BUILD=<build folder>, or --bundle <unpacked bundle>).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${BITFUSION_BUILD:-build}
program=bench/run.py
if [ "${1:-}" = --clients ]; then
    program=bench/clients.py
    shift
fi
case " $* " in
*" --bundle "* | *" --help "*) ;;
*)
    if [ -z "${BITFUSION_BUILD:-}" ]; then
        [ -f build/build.ninja ] || cmake --preset release
        ninja -C build bitfusion bitfusion_worker bitfusion_shim_cuda bitfusion_bench bitfusion_delay_line bitfusion_raw_streams
    fi
    set -- --bundle "$build" "$@"
    ;;
esac
exec python3 "$program" "$@"
