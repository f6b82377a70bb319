# The lock of a host: the right to change it, held by one command at a time. Run by root's
# shell. Times are the host's own, so that clocks that differ do no harm.
#   $1 acquire: acquires it for $5 seconds, unless another command holds one that has not expired
#      renew: extends it to $5 seconds from now; exit code 3 if it is gone
#      release: removes it, whoever holds it
#      show: does nothing
#   $2 the lock's id  $3 its owner  $4 its purpose
# Prints the lock that is held then: id, owner, purpose, since, expires, now.
set -eu
step=$1 id=$2 owner=$3 purpose=$4 seconds=$5
file=/var/lib/eventpost/lock
# Only root may read it and what else is in its folder.
umask 077
mkdir -p "${file%/*}"
chmod 0700 "${file%/*}"
exec 9>>"$file.flock"
flock 9

now=$(date +%s)
held=$(cat "$file" 2>/dev/null) || held=
holder=$(printf '%s' "$held" | cut -f1)
expires=$(printf '%s' "$held" | cut -f5)
write() { # SINCE
    held=$(printf '%s\t%s\t%s\t%s\t%s' "$id" "$owner" "$purpose" "$1" $((now + seconds)))
    printf '%s\n' "$held" >"$file.part"
    mv "$file.part" "$file"
}
case $step in
acquire)
    # shellcheck disable=SC2015 # written if there is none, or if it has expired
    [ -n "$holder" ] && [ "$now" -lt "$expires" ] || write "$now"
    ;;
renew)
    [ "$holder" = "$id" ] || exit 3
    write "$(printf '%s' "$held" | cut -f4)"
    ;;
release)
    if [ "$holder" = "$id" ]; then
        rm -f "$file"
        held=
    fi
    ;;
esac
[ -z "$held" ] || printf '%s\t%s\n' "$held" "$now"
