# Stops a service whose address is about to move to another host, with no request refused, or makes
# it go on where the address does not move. Run by root's shell.
#   $1 stop: it finishes the answers that it has begun, and new connections wait in the kernel; their
#      clients send the first packet again by themselves, and that one reaches the other host. Unless
#      the host has been terminated $4 seconds later, the service goes on.
#      go-on: the service goes on
#   $2 the container  $3 the ports of the host
set -eu
step=$1 name=$2 ports=$3 seconds=$4
held=
go_on() {
    docker update --restart unless-stopped "$name" >/dev/null
    docker start "$name" >/dev/null
    let_in "$ports"
}

if [ "$step" = go-on ]; then
    go_on
    exit 0
fi
trap '[ -z "$held" ] || let_in "$ports" 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
hold "$ports"
docker update --restart no "$name" >/dev/null
docker kill --signal TERM "$name" >/dev/null
(
    # Outlives the connection that started it.
    trap '' HUP
    sleep "$seconds"
    go_on
) </dev/null >/dev/null 2>&1 &
# From here on, that is what lets connections in again.
held=
for _ in $(seq 20); do
    [ "$(docker inspect --format '{{.State.Running}}' "$name")" = true ] || break
    sleep 0.05
done
