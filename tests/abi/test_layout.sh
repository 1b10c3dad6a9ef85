#!/bin/sh
# The layout of ABI 1: every field where it was, no hidden holes, DLPack's tensors. Each check is
# also shown a header that breaks the rule, so that it is known to see it.
root=${HEED_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
sdk=$root/plugins/include
layout=$root/plugins/abi/1.0/layout.c
public=$root/tests/abi/public_layout.c
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

# ok NAME COMMAND...: the command must succeed.   no NAME COMMAND...: it must fail.
ok() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        head -n 5 "$work/log"
    fi
}
no() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        failed=$((failed + 1))
        echo "FAILED, since it was not seen: $name"
    else
        passed=$((passed + 1))
    fi
}

# A copy of the SDK's headers, changed by a sed script.
changed() {
    rm -rf "$work/sdk"
    cp -R "$sdk" "$work/sdk"
    sed -i "$2" "$work/sdk/heed/$1"
    ! cmp -s "$work/sdk/heed/$1" "$sdk/heed/$1" || echo "the script changed nothing: $2"
}

cc=${CC:-cc}
check="$cc -std=c11 -fsyntax-only -Wall -Wextra -Wpedantic -Werror"
padded="$cc -std=gnu11 -fsyntax-only -Wpadded -Werror"

ok "plugin headers, field by field" $check -I "$sdk" "$layout"
ok "heed.h, field by field" $check -I "$sdk" -I "$root/core/include" "$public"
ok "plugin headers have no holes" $padded -I "$sdk" "$layout"
ok "heed.h has no holes" $padded -I "$sdk" -I "$root/core/include" "$public"

swap='/uint32_t n_in, n_out;/s/n_in, n_out/n_out, n_in/'
changed plugin.h "$swap"
no "two fields changed places" $check -I "$work/sdk" "$layout"
changed plugin.h 's|^    void \*workspace;.*|&\n    uint64_t later;|'
ok "a field was added to the end" $check -I "$work/sdk" "$layout"
changed plugin.h 's|^    void \*workspace;.*|    uint64_t later;\n&|'
no "a field was added before the end" $check -I "$work/sdk" "$layout"
changed types.h 's/HEED_NOMEM = 3/HEED_NOMEM = 33/'
no "an enumerator was renumbered" $check -I "$work/sdk" "$layout"
changed plugin.h 's|^    void \*workspace;.*|&\n    uint32_t later;|'
no "a hole at the end" $padded -I "$work/sdk" "$layout"

# DLPack's own header, where a package has brought one: with it, types.h takes its types, and the
# same assertions are about them.
dlpack=
torch=lib/python3*/site-packages/torch/include/ATen/dlpack.h
for file in /usr/include/dlpack/dlpack.h "${HEED_CACHE:-$HOME/.cache/heed}"/*/$torch; do
    [ -f "$file" ] && dlpack=$file
done
if [ -n "$dlpack" ]; then
    ok "DLPack's header" $check -I "$sdk" -include "$dlpack" "$layout"
else
    skipped=$((skipped + 1))
    echo "skipped: DLPack's header is not on this machine (package libdlpack-dev, or torch)"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
