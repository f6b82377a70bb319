# Gives the host a key that was never outside it; run by root's shell. The first one
# came in with the user data, which other programs on the host can read.
#   $1  prepare: makes the next key and prints its public part
#       switch: puts it in place
set -eu
key=/etc/ssh/ssh_host_ed25519_key
case $1 in
prepare)
    rm -f "$key.next" "$key.next.pub"
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$key.next"
    cut -d' ' -f2 "$key.next.pub"
    ;;
switch)
    mv "$key.next.pub" "$key.pub"
    mv "$key.next" "$key"
    systemctl reload ssh 2>/dev/null || systemctl reload sshd
    ;;
esac
