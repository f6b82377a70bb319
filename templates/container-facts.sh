# Prints what a host has of a service, as NAME=VALUE lines; changes nothing. Run by root's shell.
#   $1 the container  $2 the image that it should run
# docker=missing: it is not installed, or its installation was interrupted
# docker=unreachable: it is installed and does not answer, for the reason in problem=
set -eu
if ! problem=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1); then
    # docker-install.sh creates the file and removes it when Docker runs.
    if ! command -v docker >/dev/null || [ -e /var/lib/eventpost/docker-install ]; then
        echo docker=missing
    else
        echo docker=unreachable
        printf 'problem=%s\n' "$(printf '%s' "$problem" | tail -n 1)"
    fi
    exit 0
fi
echo docker=running
echo "image=$(docker image inspect --format '{{.Id}}' "$2" 2>/dev/null)" || true
format='running={{.State.Running}}
container_image={{.Image}}
spec={{index .Config.Labels "eventpost.spec"}}'
container=$(docker container inspect --format "$format" "$1" 2>&1) || case $container in
*[Nn]"o such container"*) exit 0 ;;
*)
    printf '%s\n' "$container" >&2
    exit 1
    ;;
esac
printf '%s\n' "$container"
