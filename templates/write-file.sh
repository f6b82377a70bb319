# Writes standard input to a file that is there complete or not at all; run by root's shell.
#   $1 the file  $2 its mode  $3 its owner, who may also look into its folder, or root
#   $4 how many bytes it has; empty where that is not known
# The folder is root's own, and the name of the unfinished file cannot be guessed: nobody can
# have put a link there.
set -eu
file=$1 mode=$2 owner=$3 bytes=$4
folder=${file%/*}
umask 077
mkdir -p "$folder"
chown "root:$owner" "$folder"
chmod 0710 "$folder"
part=$(mktemp "$folder/.part.XXXXXX")
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$part"
# A connection that breaks ends the input early.
[ -z "$bytes" ] || [ "$(stat -c %s "$part")" = "$bytes" ] || {
    echo "only a part of $file has arrived" >&2
    exit 1
}
chmod "$mode" "$part"
chown "$owner:$owner" "$part"
mv "$part" "$file"
