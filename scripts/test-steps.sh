# shellcheck shell=bash
# The steps of scripts/test. Sourced by bash after lib.sh.

# Everything that is checked without running a test.
check_sources() {
    step "scripts"
    scripts/check-scripts

    step "format"
    cargo fmt --all --check

    step "lints"
    cargo clippy --locked --workspace --all-targets -- -D warnings

    step "documentation"
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
        cargo doc --locked --workspace --no-deps --document-private-items --quiet

    step "without AWS's SDK"
    cargo check --locked --quiet -p eventpost --no-default-features
    local output code=0
    output=$(cargo run --locked --quiet -p eventpost --no-default-features -- plan 2>&1) || code=$?
    case "$code $output" in
    "1 "*"built without AWS's SDK"*) ;;
    *)
        printf 'plan without the SDK: exit code %s, %s\n' "$code" "$output" >&2
        exit 1
        ;;
    esac
}

matching_tests() { # FILTER...: prints the names of the tests that contain one of the filters
    cargo test --locked --quiet --workspace --no-run
    cargo test --locked --quiet --workspace --lib --bins --tests -- --list "$@" | sed -n 's/: test$//p'
}

# Installs what the tests of these names need beside Rust, and starts the testbed for those that
# deploy to hosts. `#[ignore = "needs …"]` in tests/ marks each of them.
install_for() { # NAMES, one on each line
    among() { grep -qE "^($1)::" <<<"$names"; }
    local names=$1
    if among 'bench::taurus'; then
        need java default-jre-headless
        EVENTPOST_TAURUS=$(testbed/taurus)
        export EVENTPOST_TAURUS
    fi
    if among 'page|bench::page'; then
        need chromium chromium
        need chromedriver chromium-driver
        EVENTPOST_AXE=$(testbed/axe)
        export EVENTPOST_AXE
    fi
    if among 'mail|leaving|page|reminders|ec2::mail|ec2::reminders'; then
        # The relay's certificate is made by openssl.
        need openssl openssl
        EVENTPOST_MAIL_PYTHON=$(testbed/mail)
        export EVENTPOST_MAIL_PYTHON
    fi
    if among 'key_file|ec2'; then
        # Keys of every kind, and an agent.
        need ssh-keygen openssh-client
    fi
    if among 'tls|ec2::https|ec2::existing'; then
        need openssl openssl
        need curl curl
        # An authority that issues certificates, and the DNS server that it asks.
        need pebble pebble
    fi
    if among 'openapi'; then
        EVENTPOST_SCHEMATHESIS=$(testbed/schemathesis)
        export EVENTPOST_SCHEMATHESIS
    fi
    # What runs already is somebody's, and stays.
    if grep -qE 'postgres|database::' <<<"$names"; then
        testbed/postgres --check || started+=("testbed/postgres down")
        EVENTPOST_POSTGRES=$(testbed/postgres)
        export EVENTPOST_POSTGRES
    fi
    if among 'ec2' && [ "$(id -u)" -eq 0 ] && ! testbed/up --check; then
        started+=(testbed/down)
        testbed/up >/dev/null
    fi
}

# Commands that stop what was started for the tests.
started=()
stop_started() {
    local stop
    for stop in "${started[@]}"; do $stop || true; done
}
trap stop_started EXIT

# Runs tests of the services again with their data in PostgreSQL: those that are about what
# clients see, and not about files.
test_over_postgres() { # FILTER...: which
    step "the services over PostgreSQL: $*"
    EVENTPOST_ENGINE=postgres cargo test --locked -p eventpost --test main -- --include-ignored "$@"
}

# What takes long, or breaks only where dependencies or packages change.
check_rarely() {
    test_over_postgres crash:: hostile:: openapi:: mail:: page::

    step "tests without AWS's SDK"
    cargo test --locked -p eventpost --no-default-features -- --skip ec2::

    step "comparisons"
    need g++ g++
    cargo check --locked --quiet --manifest-path benches/services/Cargo.toml

    step "an installed command"
    cargo install --locked --quiet --debug --path . --root target/installed
    target/installed/bin/eventpost --version

    step "dependencies"
    check_dependencies
}

# Holds the dependencies to deny.toml.
check_dependencies() {
    local root=${EVENTPOST_TESTBED_STATE:-/var/tmp/eventpost-testbed}/cargo-deny-0.20.2
    [ -e "$root/bin/cargo-deny" ] || cargo install --locked --quiet --root "$root" cargo-deny@0.20.2
    "$root/bin/cargo-deny" --locked --workspace check bans licenses sources
    if "$root/bin/cargo-deny" --locked fetch db; then
        "$root/bin/cargo-deny" --locked --workspace check advisories
    else
        printf '\nSKIPPED: advisories: the RustSec database cannot be reached\n' >&2
    fi
}
