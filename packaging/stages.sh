# shellcheck shell=bash disable=SC2154
# The stages that demo.sh, test.sh and .ci/run share: packages, build, a manager on loopback, and the end of it all.
#
# Sourced by bash under `set -euo pipefail` with the repository's root as working directory; build_tree and start_manager
# read the build folder from $build. open_scratch comes first: from then on the exit of the script, by whatever signal,
# ends every process that it started and removes $scratch.

scratch=""          # folder of this run
attended=""         # the process group that attend waits for
manager=""          # the manager's process group
manager_address=""  # its control address

say() { printf '\n== %s\n' "$*"; }

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

open_scratch() { # NAME
    local name
    # A session or a server list of the caller must not steer what is shown and tested here.
    for name in ${!BITFUSION_@}; do
        case $name in BITFUSION_BUILD | BITFUSION_CMAKE_ARGS | BITFUSION_LOG) ;; *) unset "$name" ;; esac
    done
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/bitfusion-$1-XXXXXX")
    trap close_scratch EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$scratch/home" "$scratch/tmp"
    : >"$scratch/no-settings.yaml"
    export PYTHONDONTWRITEBYTECODE=1
    # Inherited by every process of this run, which is how stragglers are found at the end.
    export FRONT_DOOR_RUN=$scratch
}

close_scratch() {
    trap '' HUP INT TERM
    { # bash would tell of every job that it sees ended
        [ -z "$attended" ] || end_group "$attended" || true
        stop_manager || true
        local pid
        for pid in $(stragglers); do kill -KILL "$pid" || true; done
    } 2>/dev/null
    rm -rf "$scratch"
}

# Processes of this run that left their process groups: ninja's and run.py's children have groups of their own.
stragglers() {
    export -n FRONT_DOOR_RUN # or the search would find itself
    grep -lz "^FRONT_DOOR_RUN=$scratch\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 || true
    export FRONT_DOOR_RUN
}

# Runs a command in a process group of its own and waits for it, so that a signal to this script acts at once.
attend() { # COMMAND...
    local status=0
    set -m
    "$@" </dev/null &
    attended=$!
    set +m
    wait "$attended" || status=$?
    attended=""
    return "$status"
}

# SIGTERM, ten seconds, SIGKILL. Fails when SIGTERM was not enough.
end_group() { # PID
    local tries=0
    kill -TERM -- "-$1" 2>/dev/null || return 0
    while kill -0 -- "-$1" 2>/dev/null; do
        if [ "$((tries += 1))" -gt 200 ]; then
            kill -KILL -- "-$1" 2>/dev/null || true
            return 1
        fi
        sleep 0.05
    done
}

# With a build that is there already nothing is installed.
install_packages() { # USE...
    [ -z "${BITFUSION_BUILD:-}" ] || return 0
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: packages are left alone (packaging/debian-packages.txt names what is needed)"
        return
    fi
    local name use rest command missing=()
    while read -r name use rest; do
        case " $* " in *" $use "*) ;; *) continue ;; esac
        # Node.js of another source brings npm, and Debian's package cannot be beside it.
        command=${name#"${name%%:*}"}
        name=${name%%:*}
        [ -z "$command" ] || ! command -v "${command#:}" >/dev/null || continue
        case $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true) in
        installed*) ;;
        *) missing+=("$name") ;;
        esac
    done <packaging/debian-packages.txt
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing ${missing[*]}"
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "cannot install packages: run this as root, or install sudo, or ask an" \
            "administrator for: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    "${root[@]}" apt-get update -q || die "apt-get update failed: see above; mend the network or" \
        "/etc/apt/sources.list, then run this again"
    # etcd-server, prometheus and victoria-metrics would start a service, on ports that are not ours to take: they may
    # not, by Debian's own means, which is taken away again. Where the machine has a policy already, it stays.
    local policy=/usr/sbin/policy-rc.d status=0 ours=no
    if [ ! -e "$policy" ]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null && "${root[@]}" chmod 755 "$policy"
    fi
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends --no-remove "${missing[@]}" || status=$?
    [ "$ours" = no ] || "${root[@]}" rm -f "$policy"
    [ "$status" = 0 ] ||
        die "apt-get install failed: see above; where other packages stand in the way (libboost1.74-dev does), remove" \
            "them, then run this again"
}

# Builds in $build, or takes it as it is when BITFUSION_BUILD names it.
build_tree() { # PRESET TARGET...
    local preset=$1
    shift
    if [ -n "${BITFUSION_BUILD:-}" ]; then
        say "using the build in $build as it is (BITFUSION_BUILD)"
        [ -x "$build/bin/bitfusion" ] || die "$build holds no bin/bitfusion: build there first, or unset BITFUSION_BUILD"
        return
    fi
    if [ ! -f "$build/build.ninja" ]; then
        say "configuring $build"
        # shellcheck disable=SC2086 # the variable holds several arguments
        attend cmake --preset "$preset" ${BITFUSION_CMAKE_ARGS:-} >"$scratch/configure.log" 2>&1 || {
            cat "$scratch/configure.log"
            die "the configuration failed: see above; packaging/debian-packages.txt names what the build needs"
        }
    fi
    say "building in $build"
    # A translation unit with Asio in it takes more than a gigabyte.
    local cores memory jobs
    cores=$(nproc)
    memory=$(awk '/^MemAvailable/ {print int($2 / 1200000)}' /proc/meminfo)
    jobs=$((memory < cores ? memory : cores))
    attend ninja -C "$build" -j "$((jobs > 0 ? jobs : 1))" "$@" || die "the build failed: see above"
}

# Starts a manager on ports of its own; sets manager_address, its log is $scratch/manager.log.
start_manager() { # BACKEND [options of the manager]
    rm -f "$scratch/ready"
    mkfifo "$scratch/ready"
    set -m
    # On loopback a manager begins a pool by itself; its administrator, who is this run, is in $scratch/home/.bitfusion.
    HOME="$scratch/home" "$build/bin/bitfusion" manager --config "$scratch/no-settings.yaml" --backend "$1" \
        --listen 127.0.0.1 --control-port 0 --data-port 0 --state-dir "$scratch/state" "${@:2}" \
        </dev/null >"$scratch/ready" 2>"$scratch/manager.log" &
    manager=$!
    set +m
    local line=""
    # The descriptor stays open as long as the manager lives: a line printed later must find a reader.
    exec 9<"$scratch/ready"
    read -r -t 60 -u 9 line || true
    manager_address=$(printf '%s\n' "$line" | sed -n 's/^.*ready: control \([0-9.:]*\),.*$/\1/p')
    if [ -z "$manager_address" ]; then
        cat "$scratch/manager.log" >&2
        die "bitfusion manager did not get ready: see above"
    fi
    printf '%s\n' "$line"
}

# Fails when it had to be killed or ended with an error.
stop_manager() {
    [ -n "$manager" ] || return 0
    local pid=$manager status=0
    manager=""
    end_group "$pid" || status=1
    wait "$pid" 2>/dev/null || status=$?
    exec 9<&-
    return "$status"
}
