# Runs a load test on a host: reads an archive with the load-test program and its job from
# standard input. The folder is removed however the load test ends: when it is done, when it
# fails, and when the connection breaks, which the program notices because nobody reads
# its output.
#   $1 the processor that the program is for
set -eu
[ "$(uname -s -m)" = "Linux $1" ] || {
    echo "the host is $(uname -s -m), but the load-test program is for Linux $1" >&2
    exit 1
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/eventpost-load.XXXXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
tar -xzf -
# The job may hold a token, which leaves the disk before the load test begins.
exec 3<job.json
rm job.json
./eventpost-load <&3
