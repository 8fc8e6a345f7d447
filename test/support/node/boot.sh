#!/bin/sh
# Runs as the first process of a node made of namespaces: boot.sh NAME DISK. Says "up" when programs may start, and then only waits.
set -e
name=$1 disk=$2
hostname "$name"
mount -t proc proc /proc
# A /sys of the node's own network, with the machine's cgroups in it: containerd finds no cgroups otherwise.
mount --rbind /sys/fs/cgroup "$disk/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$disk/cgroup" /sys/fs/cgroup
umount --recursive --lazy "$disk/cgroup"
mount -t overlay -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/etc.work" overlay /etc
mount -t tmpfs -o mode=755 tmpfs /run
for path in /var/lib/cni /var/lib/kubelet /var/log; do
  mkdir -p "$path" "$disk$path"
  mount --bind "$disk$path" "$path"
done
# Volumes with mount propagation want it.
mount --make-rshared /
ip link set lo up
# Buries nobody, as the first process of many containers: who is left behind by its parent and ends stays as a zombie.
echo up
exec sleep infinity
