#!/bin/sh
# Everything that must hold: `npm test` runs it all, `sh test/run.sh unit e2e` some of the suites (unit contract architecture integration e2e).
# Ends with "N passed, N failed". A failed step (build, types, lint) and a suite that crashes or holds no test count as failures.
set -u
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- unit contract architecture integration e2e

passed=0 failed=0 skipped=0
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

say() { printf '\n== %s\n' "$*"; }
failure() { printf 'FAILED: %s\n' "$*"; failed=$((failed + 1)); }
finish() {
  [ "$passed" -gt 0 ] || failure "no test has passed"
  [ "$skipped" = 0 ] || printf '%s skipped\n' "$skipped"
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
  exit
}

# step WHAT COMMAND...: quiet when it goes well
step() {
  what=$1
  shift
  say "$what"
  "$@" >"$log/step" 2>&1 && return
  tail -n 60 "$log/step"
  failure "$what"
  return 1
}

# --- what the tests need --------------------------------------------------------------------------------------------

# The Debian package for each program (or file) that the tests, and Skiff itself, call.
needed() {
  while read -r program package; do
    case $program in
      /*) [ -e "$program" ] || echo "$package" ;;
      *) command -v "$program" >/dev/null 2>&1 || echo "$package" ;;
    esac
  done <<'LIST'
containerd containerd
ctr containerd
runc runc
nft nftables
ip iproute2
conntrack conntrack
/usr/lib/cni/ptp containernetworking-plugins
/bin/busybox busybox-static
curl curl
kubectl kubernetes-client
nsenter util-linux
mount mount
ps procps
tar tar
git git
openssl openssl
faketime faketime
nginx nginx
etcd etcd-server
LIST
  # The ARM executable runs under an emulator here, with the C library of that architecture.
  [ "$(uname -m)" = aarch64 ] || for file in libc.so.6:libc6-arm64-cross libgcc_s.so.1:libgcc-s1-arm64-cross; do
    [ -e "/usr/aarch64-linux-gnu/lib/${file%%:*}" ] || echo "${file##*:}"
  done
  [ "$(uname -m)" = aarch64 ] || command -v qemu-aarch64-static >/dev/null 2>&1 || echo qemu-user-static
}

install_packages() {
  missing=$(needed | sort -u)
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:" $missing
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing || return 1
    missing=$(needed | sort -u)
  fi
  [ -z "$missing" ] || { echo "please install:" $missing; return 1; }
}

# --- suites ---------------------------------------------------------------------------------------------------------

# count WORD: the number in the closing line " 12 pass" of bun test, 0 without one
count() { sed -n "s/^ *\([0-9][0-9]*\) $1\$/\1/p" "$log/suite" | tail -n 1 | grep . || echo 0; }

# suite NAME PATH...
suite() {
  name=$1
  shift
  say "$name tests"
  "$bun" test --only-failures --timeout 180000 "$@" </dev/null >"$log/suite" 2>&1
  status=$?
  if [ $status -ne 0 ]; then cat "$log/suite"; else tail -n 5 "$log/suite"; fi
  good=$(count pass) bad=$(($(count fail) + $(count 'errors*')))
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + $(count skip)))
  if ! grep -q '^Ran [0-9]' "$log/suite"; then failure "$name tests ended early, or there are none (exit code $status)"
  elif [ $status -ne 0 ] && [ "$bad" = 0 ]; then failure "$name tests ended with exit code $status"
  elif [ $((good + bad)) = 0 ]; then failure "there are no $name tests"
  fi
}

step "Debian packages" install_packages || finish
[ "$(id -u)" = 0 ] || { failure "the tests make network namespaces and start containers: run them as root"; finish; }
step "npm packages" npm install --no-audit --no-fund || finish
# What npm installed, whatever Node.js there is: the tools below run on it.
bun=$PWD/node_modules/.bin/bun
export PATH="$PWD/node_modules/.bin:$PATH"

step "type check" "$bun" --bun node_modules/.bin/tsc --noEmit -p .
# By bun: oxlint wants a newer Node.js than Debian 12 has, and npm then leaves out its native part.
step "lint" "$bun" x --bun oxlint@1.94.0 --deny-warnings src agents test
built=true
step "build for this machine, and for ARM" "$bun" src/build/build.ts --host skiff-linux-arm64 || built=false

for name in "$@"; do
  case $name in
    unit) suite unit ./src ./agents ;;
    architecture) suite architecture ./test/architecture.test.ts ;;
    contract | integration) suite "$name" "./test/$name" ;;
    e2e) if $built; then suite e2e ./test/e2e; else failure "end-to-end tests need the executable"; fi ;;
    *) failure "there is no suite called $name" ;;
  esac
done
finish
