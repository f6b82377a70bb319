# shellcheck shell=bash
# What the scripts share: installing what is missing on Debian and Ubuntu. Sourced by
# bash.

# How cargo builds programs that are shipped to hosts.
# shellcheck disable=SC2034 # for whoever sources this
as_deployed=(--config 'profile.release.lto="fat"')

step() { printf '\n== %s\n' "$*"; }

install() { # PACKAGE...
    step "installing $*"
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo apt-get update -q && $sudo apt-get install -qy --no-install-recommends "$@"
}

need() { # PROGRAM PACKAGE...: installs the packages where the program is missing
    command -v "$1" >/dev/null || install "${@:2}"
}

# What compiling the workspace takes beside Rust: a C compiler, and OpenSSL for SSH.
need_to_compile() {
    if ! command -v cargo >/dev/null; then
        echo "cargo is missing: install Rust 1.89 or newer first, see README.md" >&2
        exit 1
    fi
    need cc gcc libc6-dev
    need pkg-config pkg-config
    pkg-config --exists openssl || install libssl-dev
}

# Installs ruff, which checks Python, and prints where it is.
ruff() {
    local venv=${EVENTPOST_TESTBED_STATE:-/var/tmp/eventpost-testbed}/venv-ruff-0.17.6
    if [ ! -e "$venv/complete" ]; then
        # Debian splits what makes environments from Python.
        python3 -c 'import ensurepip' 2>/dev/null || install python3 python3-venv >&2
        step "installing ruff" >&2
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q 'ruff==0.17.6' >&2
        touch "$venv/complete"
    fi
    echo "$venv/bin/ruff"
}
