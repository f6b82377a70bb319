# Collects the logs and states of a host; changes nothing; run by root's shell.
#   $1 the container
set -u
part() { printf '\n== %s\n' "$*"; "$@" 2>&1 | tail -n 300; }
part date -u
part uptime
part df -h
part free -m
part cloud-init status --long
part systemctl --failed --no-pager
part timedatectl
part docker ps -a --no-trunc
# Of the container all but its environment, in which secrets may be.
part docker inspect --format '{{json .State}} {{json .HostConfig}} {{json .Mounts}} {{.Image}}' "$1"
part docker logs --timestamps --tail 300 "$1"
part cat /var/lib/eventpost/history
part journalctl -u docker --no-pager -n 100
part dmesg
