#!/bin/sh
# A whole node on 64-bit ARM, emulated: Debian's kernel, containerd, runc, CNI plugins and nftables, the compiled executable, real containers
# on cgroup v2. Takes three minutes, the first time some more, and 3 GB of memory.
# `npm run test:arm64` needs root, Debian's packages qemu-system-arm, kmod and busybox-static, and a mirror that carries arm64; it keeps what it
# downloads in dist/arm64, for the next time.
set -eu
cd "$(dirname "$0")/../.."
for program in qemu-system-aarch64:qemu-system-arm dpkg-deb:dpkg apt-get:apt depmod:kmod busybox:busybox-static; do
  command -v "${program%%:*}" >/dev/null || { echo "please install: ${program##*:}"; exit 1; }
done
here=$PWD
cache=$here/dist/arm64 machine=$here/dist/arm64/machine

# What Debian would install, fetched by an apt of its own so that this machine's is left alone, and unpacked without running any of it.
make_machine() {
  rm -rf "$machine.new"
  mkdir -p "$cache/apt/state/lists/partial" "$cache/apt/cache/archives/partial" "$machine.new"
  : >"$cache/apt/state/status"
  set -- -o "Dir::State=$cache/apt/state" -o "Dir::State::status=$cache/apt/state/status" -o "Dir::Cache=$cache/apt/cache" -o APT::Architecture=arm64 -o APT::Architectures=arm64
  apt-get "$@" -qq update
  apt-get "$@" -qq -y --download-only --no-install-recommends install linux-image-arm64 bash busybox-static ca-certificates conntrack containerd containernetworking-plugins coreutils curl iproute2 kmod mount nftables procps runc tar util-linux
  for package in "$cache"/apt/cache/archives/*.deb; do
    case ${package##*/} in perl* | libperl* | initramfs-tools*) ;; *) dpkg-deb -x "$package" "$machine.new" ;; esac
  done
  for directory in dev proc sys run tmp repo var/lib var/log root; do mkdir -p "$machine.new/$directory"; done
  echo "root:x:0:0:root:/root:/bin/bash" >"$machine.new/etc/passwd"
  echo "root:x:0:" >"$machine.new/etc/group"
  echo "127.0.0.1 localhost" >"$machine.new/etc/hosts"
  : >"$machine.new/etc/resolv.conf"
  depmod -b "$machine.new" "$(basename "$machine.new"/lib/modules/*)"
  rm -rf "$machine"
  mv "$machine.new" "$machine"
}
[ -d "$machine" ] || make_machine
npm run --silent build -- skiff-linux-arm64

# The first program: brings in the modules for the disks of the emulator, and goes on from there.
kernel=$(echo "$machine"/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/first/bin" "$work/first/machine"
cp "$machine/bin/busybox" "$work/first/bin/busybox"
count=10
for file in $(for module in virtio_pci 9pnet_virtio 9p; do modprobe -d "$machine" -S "$version" --show-depends "$module"; done | awk '/^insmod/ && !seen[$2]++ { print $2 }'); do
  count=$((count + 1))
  cp "$file" "$work/first/$count.ko"
done
cat >"$work/first/init" <<'INIT'
#!/bin/busybox sh
for module in /*.ko; do /bin/busybox insmod $module; done
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 machine /machine
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 repo /machine/repo
exec /bin/busybox switch_root /machine /bin/bash /repo/test/arm64/init.sh
INIT
chmod +x "$work/first/init"
(cd "$work/first" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$work/first.gz")

output=$work/output
timeout 3000 qemu-system-aarch64 -machine virt -cpu cortex-a72 -accel tcg,thread=multi -smp 2 -m 3072 -nographic -no-reboot -nic none \
  -kernel "$kernel" -initrd "$work/first.gz" -append "console=ttyAMA0 quiet panic=-1 cgroup_enable=memory" \
  -virtfs "local,path=$machine,mount_tag=machine,security_model=none,readonly=on,multidevs=remap" \
  -virtfs "local,path=$here,mount_tag=repo,security_model=none,readonly=on,multidevs=remap" </dev/null 2>&1 | tee "$output" | sed -un '/^arm64 /,$p'
grep -q "^arm64 tests end with 0" "$output" || { grep -q "^arm64 tests begin" "$output" || tail -n 40 "$output"; exit 1; }
