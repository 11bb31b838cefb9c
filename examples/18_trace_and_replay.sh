#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Two processes are recorded while they load a pool whose members are processes too; then two others
# do what they did, in another pool of these members.
# Prints: 2 ranks recorded, 1200 requests
# Prints: played by 2 processes: the same 400 names and sizes
set -euo pipefail
cirein=${CIREIN:-cirein}
folder=$(mktemp -d "${TMPDIR:-/tmp}/cirein_example.XXXXXX")
members=()
clean_up() {
  for member in ${members[@]+"${members[@]}"}; do kill "$member" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT

# A member of both pools, back when it is ready. The first one hosts the directory.
member() {
  mkfifo "$folder/$1"
  "$cirein" serve --name "$1" --join 'dht:/recorded&min_members=2' \
    --join 'dht:/played&min_members=2' "${@:2}" >"$folder/$1" &
  members+=($!)
  grep -q 'cirein is ready' <"$folder/$1"
}
member first --directory-file "$folder/directory"
export CIREIN_DIRECTORY_FILE=$folder/directory
member second

# Names of another length are other names.
users=()
for rank in 0 1; do
  "$cirein" blast "trace:/run&file=$folder/run&rank=$rank&next_pool=dht:/recorded" \
    --keys 200 --ops 400 --key-size "1$rank" -o csv >/dev/null &
  users+=($!)
done
for user in "${users[@]}"; do wait "$user"; done
echo "2 ranks recorded, $(grep -vc '^#' "$folder/run.0" "$folder/run.1" |
  awk -F: '{ sum += $2 } END { print sum }') requests"

users=()
for rank in 0 1; do
  "$cirein" play "$folder/run" --rank "$rank" --of 2 --pool dht:/played -o csv >/dev/null &
  users+=($!)
done
for user in "${users[@]}"; do wait "$user"; done
contents() { "$cirein" list "$1" -o csv | cut -d, -f1-3 | LC_ALL=C sort; }
contents dht:/recorded >"$folder/recorded"
contents dht:/played | cmp - "$folder/recorded"
echo "played by 2 processes: the same $(($(wc -l <"$folder/recorded") - 1)) names and sizes"
