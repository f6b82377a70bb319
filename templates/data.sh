# Copies a service's data out of its volume, or puts a copy's data into it; run by root's
# shell.
#   $1 backup: a copy of the data as they are, to standard output; the service goes on
#      replace: the data of the copy in $copy, in place of those there are; these are kept
#      undo: what replace kept, in its place again
#      forget: removes what was kept
#   $2 the container
set -eu
step=$1 name=$2
copy=/var/tmp/$name.copy
before=/var/tmp/$name.before
umask 077

program=$(docker inspect --format '{{join .Config.Entrypoint " "}}' "$name")
alone() { # ARGUMENTS...: the service's program with its volume, which nothing else uses
    image=$(docker inspect --format '{{.Image}}' "$name")
    volume=$(docker inspect --format '{{range .Mounts}}{{.Name}}{{end}}' "$name")
    docker run --rm -i --user 65532:65532 --read-only --cap-drop ALL --network none \
        --security-opt no-new-privileges --log-driver none -v "$volume:/data" "$image" "$@"
}
restore_from() { # FILE
    docker stop -t 30 "$name" >/dev/null
    # However it ends, the service goes on with whole data: a copy is verified before any
    # of it takes the place of what there is.
    trap 'docker start "$name" >/dev/null' EXIT
    if [ "$1" != "$before" ]; then
        alone backup - --data /data >"$before.part"
        mv "$before.part" "$before"
    fi
    alone restore - --replace --data /data <"$1"
}

case $step in
backup)
    # Standard error is for what goes wrong, and a service says there what it has done.
    exec docker exec "$name" $program backup - --data /data
    ;;
replace) restore_from "$copy" ;;
undo)
    # Nothing was kept where nothing had been replaced yet.
    [ ! -e "$before" ] || restore_from "$before"
    rm -f "$copy" "$before" "$before.part"
    ;;
forget) rm -f "$copy" "$before" ;;
esac
