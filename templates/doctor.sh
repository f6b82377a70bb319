# Reports the state of a host and of a service's container; changes nothing; run by root's shell.
#   $1 the container  $2 its ports on the host, with | between them
# Prints a fact a line: its name, a tab, its value.
set -u
name=$1 ports=$2
fact() { printf '%s\t%s\n' "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"; }
inspect() { docker inspect --format "$1" "$name" 2>/dev/null; }
state() { # prints the container's; unknown if Docker does not answer
    if [ -z "$problem" ] && id=$(id_of "$name" 2>/dev/null); then
        [ -n "$id" ] || { echo missing; return; }
        inspect '{{.State.Status}}' && return
    fi
    echo unknown
}

fact clock "$(date +%s)"
fact system "$(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r)"
fact cloud-init "$(timeout 10 cloud-init status 2>/dev/null | sed -n 's/^status: //p')"
for folder in / /var/lib/docker; do
    fact "disk $folder" "$(df -P "$folder" 2>/dev/null | awk 'NR == 2 { print $5 }')"
    fact "inodes $folder" "$(df -Pi "$folder" 2>/dev/null | awk 'NR == 2 { print $5 }')"
done
fact memory "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)"
problem=$(docker_problem)
command -v docker >/dev/null || problem=missing
fact docker "${problem:-runs}"
state=$(state)
fact container "$state"
if [ "$state" != missing ] && [ "$state" != unknown ]; then
    fact exit-code "$(inspect '{{.State.ExitCode}}')"
    fact out-of-memory "$(inspect '{{.State.OOMKilled}}')"
    fact restarts "$(inspect '{{.RestartCount}}')"
    fact error "$(inspect '{{.State.Error}}')"
    fact last-line "$(docker logs --tail 1 "$name" 2>&1)"
fi
if [ "$state" = running ]; then
    program=$(inspect '{{join .Config.Entrypoint " "}}')
    # shellcheck disable=SC2086 # an entry point is several words
    timeout 10 docker exec "$name" $program ready >/dev/null 2>&1
    fact ready "$?"
fi
held_back() { # prints the rules that hold connections to the ports back
    for program in iptables ip6tables; do
        "$program" -w -t raw -S PREROUTING 2>/dev/null | grep -E -- "--dport ($ports) .*DROP"
    done
}
fact held-back "$(held_back | wc -l)"
