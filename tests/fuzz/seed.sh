#!/usr/bin/env bash
# usage: tests/fuzz/seed.sh <folder of ptx_document> <corpus folder>: one module of every eighth case of tests/ptx.
set -euo pipefail
[ $# = 2 ] || { echo "usage: tests/fuzz/seed.sh <folder of ptx_document> <corpus folder>" >&2; exit 2; }
all=$(mktemp -d)
trap 'rm -rf "$all"' EXIT
"$1/ptx_document" --modules "$all"
mkdir -p "$2"
i=0
for file in "$all"/*.ptx; do
    i=$((i + 1))
    [ $((i % 8)) != 0 ] || cp "$file" "$2"
done
