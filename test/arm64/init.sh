#!/bin/bash
# The first process of the machine that run.sh starts: what an init system prepares, then the tests as a service of it, then the end.
export PATH=/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/applets HOME=/run/home TMPDIR=/run/tmp NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for directory in /dev/shm /run /tmp /var/lib /var/log; do mount -t tmpfs tmpfs $directory; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
mkdir -p $HOME $TMPDIR /run/bin /run/applets
busybox --install -s /run/applets
# One executable is all a node needs: it is kubectl, and runs the tests besides.
ln -s /repo/dist/skiff-linux-arm64 /run/bin/kubectl
for module in overlay veth bridge dummy nf_tables nft_nat nft_masq nft_ct nft_chain_nat nft_numgen nft_reject_inet nft_fib_inet nf_conntrack; do modprobe $module || echo "no module $module"; done
ip link set lo up

service=/sys/fs/cgroup/system.slice/skiff.service
mkdir -p $service
echo $$ >$service/cgroup.procs
cd /repo
echo "arm64 tests begin: Linux $(uname -r) on $(uname -m), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
BUN_BE_BUN=1 timeout 2700 /repo/dist/skiff-linux-arm64 test --timeout 600000 ./test/arm64 2>&1
echo "arm64 tests end with $?"
sync
busybox poweroff -f
