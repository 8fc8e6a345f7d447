#!/bin/sh
# The node's cgroup v2 tests, on a machine that has v1: inside user-mode-linux, whose root is this machine's, read-only. Takes two minutes.
# `npm run test:cgroup2` needs Debian's user-mode-linux and the packages of `npm test`. With cgroup v2 at hand, as root: bun test ./test/cgroup2
set -eu
cd "$(dirname "$0")/../.."
command -v linux.uml >/dev/null || { echo "please install: user-mode-linux"; exit 1; }
output=$(mktemp)
trap 'rm -f "$output"' EXIT
timeout 600 linux.uml rootfstype=hostfs rootflags=/ ro mem=2G "init=$PWD/test/cgroup2/init.sh" con=null con0=fd:0,fd:1 quiet </dev/null 2>&1 | tee "$output" | sed -n '/^cgroup2 /,$p'
grep -q "^cgroup2 tests end with 0" "$output"
