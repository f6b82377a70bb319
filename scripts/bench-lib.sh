# What the benchmarks of the services share: servers, load, medians and rows. Sourced by scripts in
# this folder that have set `name`, `bin`, `event`, `seconds` and `rounds`.
# shellcheck shell=bash disable=SC2154 # whoever sources it sets them

# Not under /tmp, which may be memory.
work=$(mktemp -d "/var/tmp/$name.XXXXXX")
chmod 755 "$work"
pids=()
cleanup() {
    [ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    [ ! -d "$work/pg" ] || runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl \
        -D "$work/pg" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

start() { # PORT COMMAND...: starts a server and waits until it listens
    "${@:2}" >"$work/log.$1" 2>&1 &
    pids+=($!)
    await "$1"
}
await() {
    for _ in $(seq 600); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    cat "$work/log.$1" >&2
    exit 1
}
stop() { # PORT: stops the server that listens there, and waits for it
    local pid
    pid=$(pid_of "$1")
    kill "$pid"
    tail --pid="$pid" -f /dev/null
}
pid_of() { ss -Hltnp "sport = :$1" | sed -n '1s/.*pid=\([0-9]*\).*/\1/p'; }
memory() { awk -v key="$2:" '$1 == key {printf "%.1f", $2 / 1024}' "/proc/$(pid_of "$1")/status"; }

# Load for some seconds: "REQUESTS-PER-SECOND P99-IN-MS". Errors end the run.
load() { # PORT CONNECTIONS PATH [WRK ARGUMENTS...]
    wrk -t1 -c"$2" -d"$seconds" --latency --timeout 30s "${@:4}" "${scheme:-http}://127.0.0.1:$1$3" >"$work/wrk"
    if grep -q 'Non-2xx\|Socket errors' "$work/wrk"; then
        cat "$work/wrk" >&2
        exit 1
    fi
    awk '/99%/ {t = $2; f = t ~ /us$/ ? 0.001 : t ~ /ms$/ ? 1 : 1000; sub(/[a-z]+$/, "", t); p = t * f}
         /Requests\/sec/ {r = $2} END {printf "%.0f %.2f\n", r, p}' "$work/wrk"
}
rate() { load "$@" | cut -d' ' -f1; }
median() { sort -n | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }
row() { local IFS='|'; echo "| ${*// | / | } |" | sed 's/|/ | /g; s/^ | */| /; s/ | *$/ |/; s/  */ /g'; }

# Medians of several measurements taken in turn, since the machine is shared.
declare -A median_of
in_turn() { # NAME=COMMAND...: fills median_of[NAME]
    local pair
    for _ in $(seq "$rounds"); do
        for pair in "$@"; do
            ${pair#*=} >>"$work/turn.${pair%%=*}"
        done
    done
    for pair in "$@"; do
        median_of[${pair%%=*}]=$(median <"$work/turn.${pair%%=*}")
        rm "$work/turn.${pair%%=*}"
    done
}

fill() { # FOLDER COUNT: prints ids
    "$bin/fill" "$1" "$2" "$event"
}
