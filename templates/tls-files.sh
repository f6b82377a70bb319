# Reads the certificate that a service got from an authority, with its account and what is to be
# remembered of earlier attempts, and writes them into the volume of another host; run by root's
# shell.
#   $1 read: prints a line for each file, its name and its content in base64
#      write: reads such lines, up to one that is `end`; a volume that has the files already keeps
#      them
#   $2 the volume
set -eu
umask 077
volume_folder() { docker volume inspect --format '{{.Mountpoint}}' "$1" 2>/dev/null; }
case $1 in
read)
    folder=$(volume_folder "$2") || exit 0
    cd -P "$folder" && [ -d tls ] && [ ! -L tls ] && cd tls || exit 0
    for name in certificate.pem account.json attempts.json; do
        # The folder is the service's: no link in it is followed, and nothing endless is read.
        content=$(dd iflag=nofollow,nonblock,fullblock if="$name" bs=64k count=1 2>/dev/null | base64 -w0)
        [ -z "$content" ] || printf '%s %s\n' "$name" "$content"
    done
    ;;
write)
    docker volume create "$2" >/dev/null
    folder=$(volume_folder "$2")
    [ ! -e "$folder/tls" ] || exit 0
    part=$(mktemp -d "$folder/.tls.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    trap 'exit 1' HUP INT TERM
    whole=
    while read -r name content; do
        case $name in
        certificate.pem | account.json | attempts.json)
            printf '%s' "$content" | base64 -d >"$part/$name"
            ;;
        end) whole=yes ;;
        esac
    done
    # A connection that breaks ends the input early.
    [ -n "$whole" ] || {
        echo "only a part of the certificate has arrived" >&2
        exit 1
    }
    # As in the image: Docker gives a volume this owner only as long as it is empty.
    chown -R 65532:65532 "$part"
    chown 65532:65532 "$folder"
    chmod 0700 "$folder"
    mv "$part" "$folder/tls"
    ;;
esac
