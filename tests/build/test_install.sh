#!/bin/sh
# An installed heed can be used: by pkg-config's flags, by CMake's find_package, and the installed
# command finds the installed plugins, without any variable that points at them.
set -eu
unset HEED_PLUGIN_PATH LD_LIBRARY_PATH
if [ -n "${HEED_SANITIZE:-}" ]; then
    echo "install: only plain builds are installed"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "install: $*"
    exit 1
}

cmake --install "$HEED_BUILD" --prefix "$folder/prefix" >"$folder/log" 2>&1 ||
    fail "cmake --install: $(tail -n 5 "$folder/log")"
pc=$(find "$folder/prefix" -name heed.pc)
[ -n "$pc" ] || fail "heed.pc is not installed"
lib=$(dirname "$(dirname "$pc")")

cat >"$folder/program.c" <<'PROGRAM'
#include <heed/heed.h>
#include <stdio.h>
int main(void)
{
    return puts(heed_version()) < 0;
}
PROGRAM
version=$(sed -n 's/^Version: //p' "$pc")

# The flags as pkg-config would print them; it need not be installed.
value_of() { # value_of NAME VARIABLE VALUE: the variable is put in
    sed -n "s|^$1[=:] *||p" "$pc" | sed "s|\${$2}|$3|"
}
prefix=$(value_of prefix pcfiledir "$(dirname "$pc")")
flags="$(value_of Cflags includedir "$(value_of includedir prefix "$prefix")")
    $(value_of Libs libdir "$(value_of libdir prefix "$prefix")")"
# shellcheck disable=SC2086
cc -std=c11 -o "$folder/by_flags" "$folder/program.c" $flags -Wl,-rpath,"$lib" ||
    fail "a program does not build with: $flags"
[ "$("$folder/by_flags")" = "$version" ] || fail "by_flags does not print $version"

cat >"$folder/CMakeLists.txt" <<'PROJECT'
cmake_minimum_required(VERSION 3.21)
project(user C)
find_package(heed REQUIRED)
add_executable(by_cmake program.c)
target_link_libraries(by_cmake heed::heed)
PROJECT
cmake -S "$folder" -B "$folder/build" -DCMAKE_PREFIX_PATH="$folder/prefix" >"$folder/log" 2>&1 &&
    cmake --build "$folder/build" >>"$folder/log" 2>&1 || fail "$(tail -n 15 "$folder/log")"
[ "$("$folder/build/by_cmake")" = "$version" ] || fail "by_cmake does not print $version"

plugins=$("$folder/prefix/bin/heed" plugin list) || fail "the installed heed plugin list fails"
for plugin in cpu onnx; do
    echo "$plugins" | grep -qw "$plugin" ||
        fail "the installed command does not find $plugin: $plugins"
done
if readelf -d "$folder/prefix/bin/heed" "$lib/libheed.so" | grep -i 'r.*path' |
    grep -q "$HEED_BUILD"; then
    fail "an installed file points into the build folder"
fi
echo "installed, linked and run"
