#!/bin/bash
# The first process of the machine that run.sh starts: what an init system prepares, then the tests as a service of it, then the end.
cd "$(dirname "$0")/../.."
export PATH=$PWD/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null # on some kernels it is there already
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for directory in /dev/shm /run /var/lib /var/log; do mount -t tmpfs tmpfs $directory; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
mkdir -p $HOME $TMPDIR
ip link set lo up

modules=$(echo /usr/lib/uml/modules/*)
for module in overlay veth bridge nf_tables nft_compat; do
  line=$(grep "/$module.ko:" "$modules/modules.dep")
  for file in $(echo "${line#*:}" | tr ' ' '\n' | tac) "${line%%:*}"; do
    grep -q "^$(basename "$file" .ko | tr - _) " /proc/modules || busybox insmod "$modules/$file"
  done
done

service=/sys/fs/cgroup/system.slice/skiff.service
mkdir -p $service
echo $$ >$service/cgroup.procs
echo "cgroup2 tests begin: Linux $(uname -r), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
timeout 500 bun test ./test/cgroup2 2>&1
echo "cgroup2 tests end with $?"
busybox poweroff -f
