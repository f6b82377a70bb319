# Prints what a host has of a service, as NAME=VALUE lines; changes nothing. Run by root's shell.
#   $1 the container  $2 the image that it should run
# docker=missing: it is not installed, or its installation was interrupted
# docker=unreachable: it is installed and does not answer, for the reason in problem=
set -eu
problem=$(docker_problem)
if [ -n "$problem" ]; then
    # docker-install.sh creates the file and removes it when Docker runs.
    if ! command -v docker >/dev/null || [ -e /var/lib/eventpost/docker-install ]; then
        echo docker=missing
    else
        echo docker=unreachable
        printf 'problem=%s\n' "$problem"
    fi
    exit 0
fi
echo docker=running
echo "image=$(docker image inspect --format '{{.Id}}' "$2" 2>/dev/null)" || true
id=$(id_of "$1")
[ -n "$id" ] || exit 0
docker container inspect --format 'running={{.State.Running}}
container_image={{.Image}}
spec={{index .Config.Labels "eventpost.spec"}}' "$id"
