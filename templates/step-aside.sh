# Stops a service whose address is about to move to another host, with no request refused, or makes
# it go on where the address does not move. Run by root's shell.
#   $1 stop: it finishes the answers that it has begun, for up to two seconds, and new connections wait
#      in the kernel; their clients send the first packet again by themselves, and that one reaches the
#      other host. Unless the host has been terminated $4 seconds later, the service goes on.
#      go-on: the service goes on
#   $2 the container  $3 the ports of the host
set -eu
step=$1 name=$2 ports=$3 seconds=$4
# Says which process may make the service go on by itself; others, of earlier calls, do nothing.
waiting=/run/eventpost/$name.aside
go_on() {
    # Whatever Docker says: a service that cannot be started refuses connections, and holds none.
    docker update --restart unless-stopped "$name" || true
    docker start "$name" || true
    let_in "$ports"
}

private_folder "${waiting%/*}"
rm -f "$waiting"
if [ "$step" = go-on ]; then
    go_on >/dev/null
    exit 0
fi
# Before anything is stopped, so that whatever ends this script leaves a service that goes on.
token=$(date +%s%N)
echo "$token" >"$waiting"
(
    # Outlives the connection that started it.
    trap '' HUP
    set +e
    sleep "$seconds"
    [ "$(cat "$waiting")" != "$token" ] || go_on
) </dev/null >/dev/null 2>&1 &
hold "$ports"
docker update --restart no "$name" >/dev/null
docker kill --signal TERM "$name" >/dev/null
for _ in $(seq 20); do
    [ "$(docker inspect --format '{{.State.Running}}' "$name")" = true ] || break
    sleep 0.05
done
