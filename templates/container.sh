# Shared by the scripts that run or inspect a service's container; prepended to each of them.

# The options of every container; src/docker/compare.rs reads them from here. The program in it
# needs no privilege, no file system but its volume, and no shell.
# shellcheck disable=SC2034 # not every script uses it
hardened='--user 65532:65532 --read-only --cap-drop ALL --security-opt no-new-privileges
    --memory 1g --pids-limit 512 --ulimit nofile=20000:20000 --cpu-shares 512 --env DOCKER_PROXY=true
    --log-driver json-file --log-opt max-size=10m --log-opt max-file=3'
history=/var/lib/eventpost/history
# Nobody but root reads what is written down.
umask 077

private_folder() { # FOLDER: creates it; one that an earlier version left open is closed
    mkdir -p "$1"
    chmod 0700 "$1"
}
docker_problem() { # prints why Docker does not answer; nothing if it does
    code=0
    said=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1 >/dev/null) || code=$?
    said=$(printf '%s' "$said" | tail -n 1)
    case $code in
    0) ;;
    124) echo 'docker version did not answer within 20 s' ;;
    *) printf '%s\n' "${said:-docker version failed with exit code $code}" ;;
    esac
}
id_of() { # CONTAINER: prints its id; nothing if there is none; fails if Docker does not answer
    # Older versions match the name with a slash before it.
    timeout 20 docker container ls --all --no-trunc --quiet --filter "name=^/?$1\$"
}
spec_of() { # IMAGE VOLUME PUBLISHED ENV-FILE SECRETS: a digest of all that a container is
    # created with, as src/docker/compare.rs computes it; pulls the image if necessary
    id=$(docker image inspect --format '{{.Id}}' "$1") || {
        docker pull -q "$1" >/dev/null
        id=$(docker image inspect --format '{{.Id}}' "$1")
    }
    printf '%s\n' "$id" "$2" "$3" "$(cat "$4")" "$5" "$hardened" | sha256sum | cut -c1-64
}
running() { # CONTAINER: whether it runs, and its spec
    docker inspect --format '{{.State.Running}} {{index .Config.Labels "eventpost.spec"}}' "$1"
}
published_as() { # PUBLISHED: the options that publish ports
    for value in $1; do printf -- '-p %s ' "$value"; done
}
mounts_of() { # CONTAINER SECRETS: the options that mount secrets and tokens, if there are any
    [ -z "$2" ] || echo "-v $2:/run/secrets:ro"
    access=/var/lib/eventpost/access/$1
    [ ! -d "$access" ] || echo "-v $access:/run/access:ro"
}
forget_secrets() { # CONTAINER: removes secrets that neither it nor what was kept has
    used=$(docker inspect --format '{{range .Mounts}}{{.Source}} {{end}}' \
        "$1" "$1-previous" 2>/dev/null | tr '\n' ' ') || true
    for folder in "/var/lib/eventpost/secrets/$1"/*; do
        case " $used " in
        *" $folder "*) ;;
        *) rm -rf "$folder" ;;
        esac
    done
}
forget_images() { # removes those that were run here and that no container has any more
    # Docker refuses to remove one that a container has, also one that is kept for a rollback.
    cut -f3 "$history" | sort -u | while read -r old; do
        docker rmi "$old" >/dev/null 2>&1 || true
    done
}
rules() { # -I | -D PROGRAM PORTS: of new connections from elsewhere and from the host
    for port in $3; do
        "$2" -w -t raw "$1" PREROUTING -p tcp --syn --dport "$port" -j DROP || [ "$1" = -D ]
        "$2" -w -t raw "$1" OUTPUT -p tcp --syn -o lo --dport "$port" -j DROP || [ "$1" = -D ]
    done
}
hold() { # PORTS: makes new connections to them wait; $held says so
    # Before the first rule is there: whatever ends the script then removes what there is.
    held=yes
    rules -I iptables "$1"
    # A host without IPv6 has nothing to hold there.
    (rules -I ip6tables "$1") >/dev/null 2>&1 || true
}
let_in() { # PORTS: lets them in again
    rules -D iptables "$1"
    (rules -D ip6tables "$1") >/dev/null 2>&1 || true
    # Afterwards: if the script ends before, what is left is removed at its exit.
    held=
}
record() { # ACTION IMAGE WHO: for those who ask later who did what
    private_folder "${history%/*}"
    printf '%s\t%s\t%s\t%s\n' "$(date +%s)" "$1" "$2" "$3" >>"$history"
}
