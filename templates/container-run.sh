# Runs a service's container; run by root's shell. One that runs as wanted is left alone.
#   $1 name  $2 image  $3 volume  $4 port of the host  $5 who wants it
# The environment is in /run/eventpost/$1.env, which only root can read.
set -eu
name=$1 image=$2 volume=$3 port=$4 who=$5
env=/run/eventpost/$name.env
wanted=$(docker image inspect --format '{{.Id}}' "$image") || {
    docker pull -q "$image" >/dev/null
    wanted=$(docker image inspect --format '{{.Id}}' "$image")
}
spec=$(printf '%s\n' "$wanted" "$volume" "$port" "$(cat "$env")" | sha256sum | cut -c1-64)

running=$(docker inspect --format '{{.State.Running}} {{index .Config.Labels "eventpost.spec"}}' \
    "$name" 2>/dev/null) || running=
if [ "$running" = "true $spec" ]; then
    echo "it runs already"
    exit 0
fi
if [ -n "$running" ]; then
    echo "replacing the container"
    docker rm -f "$name" >/dev/null
    # What a deploy had kept is older than what is replaced here.
    docker rm -f "$name-previous" >/dev/null 2>&1 || true
    rm -f "/var/lib/eventpost/$name.last"
fi
# The program in it needs no privilege, no file system but its volume, and no shell.
docker run -d --name "$name" --label "eventpost.spec=$spec" \
    --restart unless-stopped \
    --user 65532:65532 --read-only --cap-drop ALL --security-opt no-new-privileges \
    --memory 1g --pids-limit 512 \
    --log-driver json-file --log-opt max-size=10m --log-opt max-file=3 \
    --env-file "$env" -v "$volume:/data" -p "$port:8080" "$image" >/dev/null
# For those who ask later who did what.
mkdir -p /var/lib/eventpost
printf '%s\tup\t%s\t%s\n' "$(date +%s)" "$image" "$who" >>/var/lib/eventpost/history
