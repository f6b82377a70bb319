# A host's lease: the right to change it, held by one command at a time; run by root's
# shell. Times are the host's own, so that it does not matter whose clock is wrong.
#   $1 take: takes it for $5 seconds, unless somebody has it whose time is not over
#      renew: has it hold for $5 seconds from now on; fails where it is not there any more
#      end: gives it back, or takes it from whoever has it
#      show: nothing
#   $2 the lease's id  $3 whose it is  $4 what for
# Prints the lease that there is then: id, owner, purpose, since, until, now.
set -eu
step=$1 id=$2 owner=$3 purpose=$4 seconds=$5
file=/var/lib/eventpost/lease
# Nobody but root reads it, nor what else is in its folder.
umask 077
mkdir -p "${file%/*}"
chmod 0700 "${file%/*}"
exec 9>>"$file.lock"
flock 9

now=$(date +%s)
held=$(cat "$file" 2>/dev/null) || held=
holder=$(printf '%s' "$held" | cut -f1)
until=$(printf '%s' "$held" | cut -f5)
write() { # SINCE
    held=$(printf '%s\t%s\t%s\t%s\t%s' "$id" "$owner" "$purpose" "$1" $((now + seconds)))
    printf '%s\n' "$held" >"$file.part"
    mv "$file.part" "$file"
}
case $step in
take)
    # shellcheck disable=SC2015 # written where nobody has it, and where their time is over
    [ -n "$holder" ] && [ "$now" -lt "$until" ] || write "$now"
    ;;
renew)
    [ "$holder" = "$id" ] || exit 3
    write "$(printf '%s' "$held" | cut -f4)"
    ;;
end)
    if [ "$holder" = "$id" ]; then
        rm -f "$file"
        held=
    fi
    ;;
esac
[ -z "$held" ] || printf '%s\t%s\n' "$held" "$now"
