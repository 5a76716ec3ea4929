#!/usr/bin/env bash
# The demonstration: a program trains on a GPU that it reaches over the network, here through the loopback interface.
#
# usage: ./demo.sh
#
# Installs the Debian packages that are missing (as root or with sudo), builds into build/, starts a server on loopback
# with ports of its own, runs the program, and stops the server. The server offers the GPUs of this machine, or a
# software GPU where there is no NVIDIA driver. Leaves nothing but the build folder.
# BITFUSION_BUILD=<folder> takes a build that exists and installs nothing.
# BITFUSION_CMAKE_ARGS goes to the first configuration.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. packaging/stages.sh

[ "$#" = 0 ] || die "demo.sh takes no arguments; see the head of the file"
open_scratch demo
build=${BITFUSION_BUILD:-build}
install_packages build
build_tree release bitfusion bitfusion_worker bitfusion_shim_cuda digits

say "starting the server: bitfusion manager"
start_manager auto
export BITFUSION_SERVERS=$manager_address HOME=$scratch/home

say "what the pool has: bitfusion list_gpus"
attend "$build/bin/bitfusion" list_gpus || die "list_gpus failed: see above"

say "the program, with 1024 MiB of one GPU: bitfusion run -n 1 -m 1024 -- $build/samples/digits"
status=0
BITFUSION_STATS=$scratch/stats.json attend "$build/bin/bitfusion" run -n 1 -m 1024 -- "$build/samples/digits" ||
    status=$?
if [ "$status" != 0 ]; then
    printf '\nWhat the server wrote:\n' >&2
    tail -n 20 "$scratch/manager.log" >&2
    die "the program ended with exit code $status: see above"
fi

say "what travelled between the program and the server"
python3 - "$scratch/stats.json" <<'PYTHON' || die "the counts do not fit: report this, with the output above"
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    stats = json.load(file)
messages = stats["messages"]
launches = messages.get("Launch", 0)
rows = (
    (stats["calls"], "calls of the CUDA driver API by the program"),
    (stats["local"], "of them answered by our libcuda.so.1 itself, without a message"),
    (stats["posted"], f"messages sent on without waiting for an answer; {launches} of them start a kernel"),
    (stats["round_trips"], "times the program waited for an answer, mostly for results that it reads back"),
    (stats["sends"], f"sends carried {stats['bytes_out'] / 1e6:.2f} MB to the server; "
                     f"{stats['bytes_in'] / 1e6:.2f} MB came back"),
)
for count, meaning in rows:
    print(f"{count:8}  {meaning}")
if stats["calls"] == 0 or launches == 0:
    sys.exit("no kernel was launched through bitfusion")
PYTHON
printf '%s\n' "The program is an ordinary CUDA program: it asked for libcuda.so.1 and was given ours." \
    "Every kernel above was started by a bitfusion-worker process of the server, which has ended since."

say "stopping the server"
stop_manager || die "the server did not end well; see $(tail -n 5 "$scratch/manager.log")"
left=$(stragglers)
[ -z "$left" ] || die "processes are left, which are ended now: $left"
printf 'The server has stopped. Nothing is left but the folder %s.\n' "$build"
