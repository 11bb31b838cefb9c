#!/usr/bin/env bash
# Installs a build into an empty prefix, moves that prefix elsewhere, and builds and runs a program
# outside the project against it: once by find_package, once by pkg-config.
#
#   run.sh CMAKE BUILD_DIR COMPILER CXX_FLAGS
set -euo pipefail
cmake=$1 build=$2 compiler=$3 flags=$4
here=$(cd "$(dirname "$0")" && pwd)

work=$(mktemp -d "${TMPDIR:-/tmp}/cirein_install.XXXXXX")
trap 'rm -rf "$work"' EXIT
fail() {
  echo "install test: $*" >&2
  exit 1
}

"$cmake" --install "$build" --prefix "$work/staged" >"$work/install.log" ||
  fail "the install failed: $(tail -n 20 "$work/install.log")"
prefix=$work/moved
mv "$work/staged" "$prefix"

library=$(find "$prefix" -name 'libcirein.so' -print -quit)
[[ -n $library ]] || fail "there is no libcirein.so"
export LD_LIBRARY_PATH=${library%/*}

echo "== find_package"
"$cmake" -S "$here/consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" >"$work/configure.log" ||
  fail "an outside project does not configure: $(cat "$work/configure.log")"
"$cmake" --build "$work/build"
"$work/build/consumer"

echo "== pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name cirein.pc -print -quit)")
export PKG_CONFIG_PATH
[[ $(pkg-config --variable=prefix cirein) -ef $prefix ]] || fail "cirein.pc does not move along"
# shellcheck disable=SC2046,SC2086  # flags are lists of words
"$compiler" -std=c++20 $flags "$here/consumer/consumer.cc" -o "$work/consumer" \
  $(pkg-config --cflags --libs cirein)
"$work/consumer"

echo "== the example of README.md"
sed -n '/^```cpp$/,/^```$/{/^```/d;p}' "$here/../../README.md" >"$work/readme.cc"
[[ -s $work/readme.cc ]] || fail "README.md has no example"
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c++20 $flags "$work/readme.cc" -o "$work/readme" \
  $(pkg-config --cflags --libs cirein)
[[ $("$work/readme") == *rain* ]] || fail "the example of README.md does not print the object"

if [[ -e $prefix/bin/cirein ]]; then
  echo "== the command"
  "$prefix/bin/cirein" version
  completion=$prefix/share/bash-completion/completions/cirein
  [[ -s $completion ]] || fail "the command is installed without its completion"
  bash -n "$completion"
fi
