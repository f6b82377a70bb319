# Puts another container in the place of a service's, with no request refused: new
# connections wait in the kernel while the one lets go of the data and the other takes
# them, which takes a second; clients send a connection's first packet again by
# themselves. Run by root's shell.
#   $1 deploy: the image $4 with the environment in /run/eventpost/$2.env and the volume $5;
#      what ran before is kept as $2-previous
#      rollback: what was kept, with the configuration that it had; the two change places.
#      Where the last deploy that changed anything changed nothing here, neither does this
#      undo: the same, and nothing is kept: a deploy is taken back that failed elsewhere
#   $2 the container  $3 the ports of the host  $6 who wants it
#   $7 the folder of its secrets; empty where it has none
#   $8 what is published, as `docker run -p` takes it
# Where the other one does not become ready, the first one goes on, and the exit code is
# not 0.
set -eu
step=$1 name=$2 ports=$3 image=$4 volume=$5 who=$6 secrets=$7 published=$8
env=/run/eventpost/$name.env
# What the last deploy that changed any service came to here: kept or changed.
last=/var/lib/eventpost/$name.last

is_ready() { # CONTAINER
    entry=$(docker inspect --format '{{join .Config.Entrypoint " "}}' "$1")
    code=0
    # shellcheck disable=SC2086 # an entry point is several words
    docker exec "$1" $entry ready >/dev/null 2>&1 || code=$?
    [ "$code" -gt 1 ] || return "$code"
    # A program that cannot say so is taken at its word when it goes on running.
    sleep 2
    [ "$(docker inspect --format '{{.State.Running}} {{.RestartCount}}' "$1")" = "true 0" ]
}
wait_ready() { # CONTAINER SECONDS
    for _ in $(seq "$2"0); do
        is_ready "$1" && return
        case $(docker inspect --format '{{.State.Status}} {{.RestartCount}}' "$1") in
        "running 0" | "created 0") sleep 0.1 ;;
        *) break ;;
        esac
    done
    echo "$1 did not become ready; its last log lines:" >&2
    docker logs --tail 10 "$1" >&2 2>&1 || true
    return 1
}

private_folder "${history%/*}"
held=
trap '[ -z "$held" ] || let_in "$ports" 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM

case $step in
deploy)
    spec=$(spec_of "$image" "$volume" "$published" "$env" "$secrets")
    if [ "$(running "$name")" = "true $spec" ]; then
        echo kept
        exit 0
    fi
    # Beside the one that serves, with no data: an image or an environment with which it
    # cannot even start never comes near these. It gets no secrets, sends no mails, and asks for no
    # certificate.
    docker rm -fv "$name-trial" >/dev/null 2>&1 || true
    grep -vE '^(MAIL_|DATABASE_|TLS_|REDIRECT_|ACME_)|=/run/secrets/' "$env" >"$env.trial" || true
    # shellcheck disable=SC2046,SC2086 # options are several words
    docker run -d --name "$name-trial" $hardened $(mounts_of "$name" "") \
        --env-file "$env.trial" -v /data "$image" >/dev/null
    rm -f "$env.trial"
    wait_ready "$name-trial" 30 || { docker rm -fv "$name-trial" >/dev/null; exit 1; }
    docker rm -fv "$name-trial" >/dev/null
    other=$name-next
    docker rm -f "$other" >/dev/null 2>&1 || true
    # shellcheck disable=SC2046,SC2086 # options are several words
    docker create --name "$other" --label "eventpost.spec=$spec" --restart unless-stopped \
        $hardened $(mounts_of "$name" "$secrets") $(published_as "$published") \
        --env-file "$env" -v "$volume:/data" "$image" >/dev/null
    ;;
rollback | undo)
    other=$name-previous
    [ "$step $(cat "$last" 2>/dev/null)" != 'rollback kept' ] || exit 0
    docker inspect "$other" >/dev/null 2>&1 || {
        echo "there is no previous container to roll back to" >&2
        exit 1
    }
    ;;
esac

begin=$(date +%s%N)
hold "$ports"
docker update --restart no "$name" >/dev/null
docker stop -t 15 "$name" >/dev/null
# shellcheck disable=SC2015 # goes back where either fails
docker start "$other" >/dev/null && wait_ready "$other" 30 || {
    docker stop -t 5 "$other" >/dev/null
    docker update --restart unless-stopped "$name" >/dev/null
    docker start "$name" >/dev/null
    wait_ready "$name" 30
    [ "$step" != deploy ] || docker rm -f "$other" >/dev/null
    exit 1
}
let_in "$ports"
pause=$(( ($(date +%s%N) - begin) / 1000000 ))
docker rename "$name" "$name-last"
docker rename "$other" "$name"
docker rm -f "$name-previous" >/dev/null 2>&1 || true
docker rename "$name-last" "$name-previous"
docker update --restart unless-stopped "$name" >/dev/null
if [ "$step" = undo ]; then
    docker rm -f "$name-previous" >/dev/null
    rm -f "$last"
else
    echo changed >"$last"
fi
forget_secrets "$name"
record "$step" "$(docker inspect --format '{{.Config.Image}}' "$name")" "$who"
forget_images
echo "switched $pause"
