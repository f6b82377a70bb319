# Prints the status, the image and the number of restarts of a service's container; nothing if
# there is no container, or no Docker. Fails if Docker does not answer. Run by root's shell.
#   $1 the container
set -eu
command -v docker >/dev/null || exit 0
problem=$(docker_problem)
if [ -n "$problem" ]; then
    echo "Docker does not answer: $problem" >&2
    exit 1
fi
id=$(id_of "$1")
[ -z "$id" ] ||
    docker container inspect --format '{{.State.Status}} {{.Config.Image}} {{.RestartCount}}' "$id"
