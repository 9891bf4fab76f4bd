#!/bin/sh
# Parties draw a coin that none of them can choose: a party as a shell script. It can be killed and run again at any moment.
#   coin.sh SESSION IDENTITY FOLDER PARTIES
# OPTIONS stands behind every command: --trust genesis.json --replica URL, --key-file FILE; with --once it exits with 9 where others have to act first.
set -eu
session=$1 identity=$2 folder=$3 parties=$4

party() {
    verb=$1
    shift
    # OPTIONS are several words.
    # shellcheck disable=SC2086
    "${WHITE_CITY:-white-city}" session "$verb" "$session" --identity "$identity" "$@" ${OPTIONS:-} >&2
}
# The SHA-256 of what comes, as bytes.
digest() {
    for byte in $(sha256sum | cut -c 1-64 | sed 's/../& /g'); do
        printf %b "\\0$(printf %o "0x$byte")"
    done
}
# What a party tells another one about its bits: bound to the one that hears it.
told() {
    { cat "$1" && printf %b "\\0$(printf %o "$2")"; } | digest
}

mkdir -p "$folder/to"
[ -e "$folder/me" ] || {
    "${WHITE_CITY:-white-city}" session join "$session" --identity "$identity" --yes --json ${JOIN_OPTIONS:-} > "$folder/joined"
    sed 's/.*"index":\([0-9]*\).*/\1/' "$folder/joined" | tail -n 1 > "$folder/me.new"
    mv "$folder/me.new" "$folder/me"
}
me=$(cat "$folder/me")
party randomness --purpose coin --out "$folder/mine"
for to in $(seq 0 $((parties - 1))); do
    [ "$to" = "$me" ] || told "$folder/mine" "$to" > "$folder/to/$to"
done
digest < "$folder/mine" > "$folder/promise"
party post --round 1 --broadcast "$folder/promise" --p2p "$folder/to"
party inbox --round 1 --out "$folder/promised"
party post --round 2 --broadcast "$folder/mine"
party inbox --round 2 --out "$folder/shown"
for who in $(seq 0 $((parties - 1))); do
    digest < "$folder/shown/broadcast/$who" | cmp "$folder/promised/broadcast/$who"
    [ "$who" = "$me" ] || told "$folder/shown/broadcast/$who" "$me" | cmp "$folder/promised/p2p/$who"
    cat "$folder/shown/broadcast/$who"
done > "$folder/all"
party finish --outcome-of "$folder/all"
sha256sum < "$folder/all" | cut -c 1-64
