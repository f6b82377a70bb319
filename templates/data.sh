# Copies a service's data out of its volume, or puts a copy's data into it; run by root's
# shell.
#   $1 check: whether the data can be copied with nothing lost, and nothing done
#      read-only: refuses writes from now on for $3 seconds; ends when none is under way
#      read-write: accepts writes again
#      backup: a copy of the data as they are, to standard output; the service goes on
#      replace: the data of the copy in $copy, in place of those there are; these are kept,
#        unless they cannot be read
#      undo: what replace kept, in its place again; fails if it could keep nothing
#      forget: removes what was kept
#   $2 the container
set -eu
step=$1 name=$2
# Nobody but root can put anything there.
copies=/var/lib/eventpost/copies
copy=$copies/$name.copy
before=$copies/$name.before
# There instead of it if data that could not be read were replaced.
unkept=$copies/$name.unkept
umask 077
mkdir -p "$copies"

program=$(docker inspect --format '{{join .Config.Entrypoint " "}}' "$name")
# A service whose data are in a database has none in its volume: its database's URL is in a file.
variable() { # NAME: prints its value in the container's environment
    docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$name" | sed -n "s/^$1=//p"
}
url_file=$(variable DATABASE_URL_FILE)
ca_file=$(variable DATABASE_CA_FILE)
is_running() { [ "$(docker inspect --format '{{.State.Running}}' "$name")" = true ]; }
alone() { # ARGUMENTS...: the service's program with its volume, which nothing else uses
    image=$(docker inspect --format '{{.Image}}' "$name")
    if [ -n "$url_file" ]; then
        docker run --rm -i --user 65532:65532 --read-only --cap-drop ALL \
            --security-opt no-new-privileges --log-driver none --volumes-from "$name" \
            -e "DATABASE_URL_FILE=$url_file" ${ca_file:+-e "DATABASE_CA_FILE=$ca_file"} "$image" "$@"
        return
    fi
    volume=$(docker inspect --format '{{range .Mounts}}{{.Name}}{{end}}' "$name")
    docker run --rm -i --user 65532:65532 --read-only --cap-drop ALL --network none \
        --security-opt no-new-privileges --log-driver none -v "$volume:/data" "$image" "$@"
}
run() { # ARGUMENTS...: the service's program where it runs, or alone where it does not
    # Standard error is for what goes wrong, and a service says there what it has done.
    # shellcheck disable=SC2086 # an entry point is several words
    # Standard input has this script.
    if is_running; then docker exec "$name" $program "$@"; else alone "$@"; fi </dev/null
}
keep() { # What cannot be read cannot be kept, and is no reason to keep a copy from replacing it.
    # An earlier run that was cut off may have left others.
    rm -f "$before" "$before.part" "$unkept"
    status=0
    # A stopped service holds no lock; one with a database goes on.
    run backup - --data /data >"$before.part" || status=$?
    case $status in
    0) mv "$before.part" "$before" ;;
    65 | 74) # damaged, or on a disk that fails; of a database 74 may be anything
        if [ "$status" = 74 ] && [ -n "$url_file" ]; then exit "$status"; fi
        rm -f "$before.part"
        echo "$name: its data cannot be read, and are not kept" >&2
        : >"$unkept"
        ;;
    *) exit "$status" ;;
    esac
}
restore_from() { # FILE
    if [ -n "$url_file" ]; then
        # The service and others with its database go on, and see the copy once it is whole.
        if [ "$1" != "$before" ]; then keep; fi
        alone restore - --replace --data /data <"$1" || {
            status=$?
            rm -f "$unkept"
            exit "$status"
        }
        return
    fi
    docker stop -t 30 "$name" >/dev/null
    # However it ends, the service goes on with whole data: a copy is verified before any
    # of it takes the place of what there is.
    trap 'docker start "$name" >/dev/null' EXIT
    if [ "$1" != "$before" ]; then keep; fi
    alone restore - --replace --data /data <"$1" || {
        status=$?
        # The data are still those from before.
        rm -f "$unkept"
        exit "$status"
    }
}

case $step in
check)
    run read-only --help >/dev/null || {
        echo "$name runs an image that cannot refuse writes while its data are copied" >&2
        exit 1
    }
    ;;
read-only) run read-only --data /data --seconds "$3" ;;
read-write) run read-only --data /data --off ;;
backup) run backup - --data /data ;;
replace) restore_from "$copy" ;;
undo)
    # Nothing was kept where nothing had been replaced yet.
    [ ! -e "$before" ] || restore_from "$before"
    lost=false
    [ ! -e "$unkept" ] || lost=true
    rm -f "$copy" "$before" "$before.part" "$unkept"
    if $lost; then
        echo "$name keeps the new data: those from before could not be read and were not kept" >&2
        exit 1
    fi
    ;;
forget) rm -f "$copy" "$before" "$unkept" ;;
esac
