# shellcheck shell=bash
# shellcheck disable=SC2034 # variables are for those who source this
# What testbed/up, testbed/down and testbed/host-image share: where things are, the
# Docker engine of the testbed, and installing what is missing. Sourced by bash.

TESTBED=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Images and engines are large and slow to make, so they outlive a checkout.
STATE=${EVENTPOST_TESTBED_STATE:-/var/tmp/eventpost-testbed}
ENDPOINT_PORT=${EVENTPOST_TESTBED_PORT:-5551}
# Everything of this testbed carries this label, and nothing else is ever removed.
LABEL=eventpost.testbed
export DOCKER_HOST=unix://$STATE/docker.sock

mkdir -p "$STATE"

say() { printf 'testbed: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

need() { # PROGRAM PACKAGE...: installs the packages where the program is missing
    command -v "$1" >/dev/null && return
    shift
    say "installing $*"
    { apt-get update -q && apt-get install -qy --no-install-recommends "$@"; } \
        >"$STATE/apt.log" 2>&1 || die "installing $* failed, see $STATE/apt.log"
}

engine_runs() { docker info >/dev/null 2>&1; }

start_engine() {
    engine_runs && return
    need dockerd docker.io
    need iptables iptables
    # A killed engine leaves its pid file, which would keep the next one from starting.
    rm -f "$STATE/docker.pid" "$STATE/docker.sock"
    say "starting a Docker engine in $STATE"
    setsid dockerd --data-root "$STATE/docker" --exec-root "$STATE/exec" \
        --pidfile "$STATE/docker.pid" -H "$DOCKER_HOST" >"$STATE/dockerd.log" 2>&1 </dev/null &
    for _ in $(seq 300); do
        engine_runs && return
        sleep 0.1
    done
    tail -n 20 "$STATE/dockerd.log" >&2
    die "the Docker engine did not start, see $STATE/dockerd.log"
}

remove_hosts() {
    local hosts
    hosts=$(docker ps -aq --filter "label=$LABEL")
    [ -z "$hosts" ] || echo "$hosts" | xargs docker rm -f -v >/dev/null
}

stop_process() { # PID-FILE: ends the process it names, if that still runs
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    rm -f "$1"
}
