#!/usr/bin/env bash
# Takes the pictures of docs/console.md from those that the tests of the pages have left: 48 colours, without the rest.
# Run after ./test.sh, or after tests/large_pool.test.ts alone (docs/console.md says how). Needs Debian's pngquant.
#
# usage: web/pictures.sh [FOLDER]     FOLDER: where the tests left them, build/reports/console
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
from=${1:-build/reports/console}
pages=(sign-in cluster servers server-allocation server-use server-network server-log server-health clients client sessions queue
    tokens users activity settings about)
command -v pngquant >/dev/null || { echo "pngquant is missing: apt-get install pngquant" >&2; exit 1; }
mkdir -p docs/pictures
for theme in light dark; do
    for page in "${pages[@]}"; do
        picture=$from/large-$theme-$page.png
        [ -f "$picture" ] || { echo "$picture is missing: run the tests of the pages first" >&2; exit 1; }
        pngquant --force --strip --speed 1 --nofs --output "docs/pictures/$page-$theme.png" 48 "$picture"
    done
done
du -cb docs/pictures/*.png | tail -n 1
