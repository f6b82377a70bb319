# Installs Docker on a fresh host; run by root's shell. A host that has it is left alone.
#   $1  distro, docker-ce or present
#   $2  the version of docker-ce, as the packages of Docker's repository begin; the newest one where
#       there is none of this version
set -eu
source=$1 version=${2:-}

unfinished=/var/lib/eventpost/docker-install
if docker info >/dev/null 2>&1; then
    rm -f "$unfinished"
    echo "Docker is already installed"
    exit 0
fi
if [ "$source" = present ]; then
    echo "docker.source is \`present\`, but Docker does not run on this host" >&2
    exit 1
fi

if command -v cloud-init >/dev/null; then
    echo "waiting for cloud-init"
    # Its errors are not ours: what is missing shows in the next steps.
    cloud-init status --wait >/dev/null 2>&1 || true
fi

# The apt of Ubuntu 18.04 cannot wait for its lock by itself, and unattended upgrades
# hold it on a fresh host.
apt() {
    tries=0
    until apt-get -o DPkg::Lock::Timeout=1 -o Acquire::Retries=3 "$@" >/run/eventpost-apt.log 2>&1; do
        if ! grep -qE 'Could not get lock|Unable to (acquire|lock)' /run/eventpost-apt.log; then
            tail -n 10 /run/eventpost-apt.log >&2
            exit 1
        fi
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then
            echo "another program has held the package manager's lock for 5 minutes:" >&2
            tail -n 3 /run/eventpost-apt.log >&2
            exit 1
        fi
        echo "waiting for the package manager's lock"
        sleep 1
    done
}

# An installation that is interrupted leaves this file, and container-facts.sh does not take
# what there is for an installed Docker.
mkdir -p /var/lib/eventpost
chmod 0700 /var/lib/eventpost
touch "$unfinished"

export DEBIAN_FRONTEND=noninteractive
echo "reading the package lists"
apt update -q
case $source in
distro)
    echo "installing docker.io"
    # Newer releases have the command in a package of its own.
    cli=
    ! apt-cache show docker-cli >/dev/null 2>&1 || cli=docker-cli
    # shellcheck disable=SC2086 # nothing, if there is none
    apt install -qy --no-install-recommends docker.io $cli
    ;;
docker-ce)
    . /etc/os-release
    apt install -qy --no-install-recommends ca-certificates curl gnupg
    mkdir -p /etc/apt/keyrings
    echo "adding Docker's repository"
    curl -fsSL "https://download.docker.com/linux/$ID/gpg" -o /run/docker.asc
    gpg --batch --yes --dearmor -o /etc/apt/keyrings/docker.gpg /run/docker.asc
    echo "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.gpg]" \
        "https://download.docker.com/linux/$ID $VERSION_CODENAME stable" \
        >/etc/apt/sources.list.d/docker.list
    apt update -q
    full=$(apt-cache madison docker-ce | awk -v v="$version" 'index($3, v) {print $3; exit}')
    # Docker's repository has this version for older releases, and newer ones for those that came later.
    [ -n "$full" ] || full=$(apt-cache madison docker-ce | awk 'NR == 1 {print $3}')
    if [ -z "$full" ]; then
        echo "Docker's repository has no docker-ce for $ID $VERSION_CODENAME" >&2
        exit 1
    fi
    echo "installing docker-ce $full"
    apt install -qy --no-install-recommends "docker-ce=$full" "docker-ce-cli=$full" containerd.io
    ;;
esac

# A damaged installation shows here and not at the first container.
for _ in $(seq 60); do
    if docker info >/dev/null 2>&1; then
        rm -f "$unfinished"
        exit 0
    fi
    sleep 0.5
done
docker info >&2
exit 1
