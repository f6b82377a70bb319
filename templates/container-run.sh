# Runs a service's container; run by root's shell. One that runs as wanted is left alone.
#   $1 name  $2 image  $3 volume  $4 what is published, as `docker run -p` takes it  $5 who wants it
#   $6 for how many seconds it takes no writes from now on; empty leaves that as it is
#   $7 the folder of its secrets; empty where it has none
# The environment is in /run/eventpost/$1.env, which only root can read.
set -eu
name=$1 image=$2 volume=$3 published=$4 who=$5 no_writes=$6 secrets=$7
env=/run/eventpost/$name.env
spec=$(spec_of "$image" "$volume" "$published" "$env" "$secrets")
running=$(running "$name" 2>/dev/null) || running=
if [ "$running" = "true $spec" ]; then
    if [ -n "$no_writes" ]; then
        entry=$(docker inspect --format '{{join .Config.Entrypoint " "}}' "$name")
        # shellcheck disable=SC2086 # an entry point is several words
        docker exec "$name" $entry read-only --data /data --seconds "$no_writes"
    fi
    echo "already running"
    exit 0
fi
if [ -n "$running" ]; then
    echo "replacing the container"
    docker rm -f "$name" >/dev/null
    # What a deploy had kept is older than what is replaced here.
    docker rm -f "$name-previous" >/dev/null 2>&1 || true
    rm -f "/var/lib/eventpost/$name.last"
fi
# Before it runs, so that it never takes one.
# shellcheck disable=SC2086 # options are several words
[ -z "$no_writes" ] || docker run --rm $hardened --network none -v "$volume:/data" "$image" \
    read-only --data /data --seconds "$no_writes"
# shellcheck disable=SC2046,SC2086 # options are several words
docker run -d --name "$name" --label "eventpost.spec=$spec" --restart unless-stopped \
    $hardened $(mounts_of "$name" "$secrets") $(published_as "$published") --env-file "$env" \
    -v "$volume:/data" "$image" >/dev/null
forget_secrets "$name"
record up "$image" "$who"
