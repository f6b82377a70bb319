# What the scripts share: installing what is missing on Debian and Ubuntu. Sourced by
# bash.

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
