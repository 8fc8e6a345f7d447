#!/bin/sh
# Installs Skiff, or upgrades it in place.
#
#   from a clone:      sudo ./install.sh
#   from a release:    curl -sfL <release URL>/install.sh | INSTALL_SKIFF_RELEASE_URL=<release URL> sh -
#   as an agent, with all that is needed from its server:
#     curl -sfk https://<server>:6443/v1-skiff/install.sh | SKIFF_URL=https://<server>:6443 SKIFF_TOKEN=<token> sh -
#   as one more server of the cluster: the same with "sh -s - server"
#
# Arguments are command and flags of the service, as INSTALL_SKIFF_EXEC is: sh -s - server --cluster-init
#
# Variables, all optional:
#   INSTALL_SKIFF_EXEC         command and flags of the service: "server --node-name edge-1"; default "server", or "agent" when SKIFF_URL is set
#   INSTALL_SKIFF_BIN_DIR      where the executable and the scripts go; default /usr/local/bin
#   INSTALL_SKIFF_SYSTEMD_DIR  where the systemd unit goes; default /etc/systemd/system
#   INSTALL_SKIFF_CONFIG_DIR   where the configuration goes; default /etc/skiff
#   INSTALL_SKIFF_RELEASE_URL  where releases are downloaded from; default: from the server that SKIFF_URL names
#   INSTALL_SKIFF_VERSION      which release; default: the latest
#   INSTALL_SKIFF_BINARY       install this executable; nothing is downloaded or built
#   INSTALL_SKIFF_SKIP_DOWNLOAD=true  keep the executable that is installed
#   INSTALL_SKIFF_SKIP_DEPS=true      install no packages
#   INSTALL_SKIFF_SKIP_ENABLE=true    do not start Skiff at boot, nor now
#   INSTALL_SKIFF_SKIP_START=true     do not start Skiff now
#   SKIFF_URL, SKIFF_TOKEN     join this server as an agent, or as a server where the command is "server"
#   SKIFF_*                    settings of Skiff itself, kept in /etc/skiff/skiff.env
set -eu

SCRIPT_DIR=
case "$0" in
  */*) SCRIPT_DIR=$(cd "$(dirname "$0")" && pwd) ;;
esac
BIN_DIR=${INSTALL_SKIFF_BIN_DIR:-/usr/local/bin}
SYSTEMD_DIR=${INSTALL_SKIFF_SYSTEMD_DIR:-/etc/systemd/system}
CONFIG_DIR=${INSTALL_SKIFF_CONFIG_DIR:-/etc/skiff}
PACKAGES="containerd runc nftables iproute2 containernetworking-plugins mount"

[ $# = 0 ] || INSTALL_SKIFF_EXEC="${INSTALL_SKIFF_EXEC:+$INSTALL_SKIFF_EXEC }$*"

# Variables given to an earlier run stay: an agent that is upgraded doesn't become a server.
for variable in SKIFF_URL SKIFF_SERVER SKIFF_TOKEN; do
  eval "[ -n \"\${$variable:-}\" ]" || eval "$variable=\$(sed -n 's/^$variable=//p' '$CONFIG_DIR/skiff.env' 2>/dev/null || true)"
done

step() { printf '\033[1m==>\033[0m %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf '    warning: %s\n' "$*" >&2; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
is_true() { case "${1:-}" in true|1|yes) return 0 ;; *) return 1 ;; esac; }

# --- what this machine is -------------------------------------------------------------------------------------------

check_machine() {
  [ "$(id -u)" = 0 ] || fail "run it as root: sudo $0"
  [ "$(uname -s)" = Linux ] || fail "Skiff runs on Linux only"
  case "$(uname -m)" in
    x86_64|amd64) ARCH=x64 ;;
    aarch64|arm64) ARCH=arm64 ;;
    armv6l|armv7l) fail "this is a 32-bit ARM system, and Skiff needs a 64-bit one: on a Raspberry Pi 3 or newer install the 64-bit Raspberry Pi OS" ;;
    *) fail "there is no Skiff for the processor type $(uname -m): x86-64 and 64-bit ARM are supported" ;;
  esac
  # Debian with the musl package has both loaders, and is a glibc system.
  [ -e /lib64/ld-linux-x86-64.so.2 ] || [ -e /lib/ld-linux-aarch64.so.1 ] || ARCH=$ARCH-musl
  check_memory_controller
  kernel_has overlay "overlay filesystem (CONFIG_OVERLAY_FS)" grep -qw overlay /proc/filesystems
}

# A Raspberry Pi boots with the memory controller off unless its command line says otherwise.
check_memory_controller() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    for controller in cpu memory pids; do
      grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || missing_controller "$controller"
    done
  elif [ -f /proc/cgroups ] && [ -d /sys/fs/cgroup/memory ]; then
    awk '$1 == "memory" && $4 == 1 { found = 1 } END { exit !found }' /proc/cgroups || missing_controller memory
  else
    missing_controller memory
  fi
}

missing_controller() {
  if [ "$1" = memory ]; then
    for file in /boot/firmware/cmdline.txt /boot/cmdline.txt; do
      [ ! -f "$file" ] || fail "the kernel's memory controller is off: add cgroup_memory=1 cgroup_enable=memory to the end of the one line in $file, reboot, and run this again"
    done
    fail "the kernel's memory controller is off: boot with cgroup_enable=memory on the kernel command line, and run this again"
  fi
  fail "the kernel's $1 controller is missing: use a kernel that has it (CONFIG_CGROUPS and its $1 controller)"
}

# kernel_has MODULE DESCRIPTION TEST...: loads the module when the test fails, and tests again
kernel_has() {
  module=$1 description=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  have modprobe && modprobe "$module" 2>/dev/null || true
  "$@" >/dev/null 2>&1 || fail "this kernel lacks $description: use your distribution's standard kernel, or load the module $module"
}

check_kernel_network() {
  kernel_has nf_tables "nftables (CONFIG_NF_TABLES)" nft list tables
  kernel_has veth "virtual Ethernet pairs (CONFIG_VETH)" test_veth
}

test_veth() {
  ip link add skiff-probe0 type veth peer name skiff-probe1 2>/dev/null && ip link del skiff-probe0
}

# --- what Skiff needs -----------------------------------------------------------------------------------------------

# Servers do, by nginx, unless that is switched off.
serves_ingresses() {
  [ "$ROLE" = server ] || return 1
  case "$EXEC ${SKIFF_DISABLE:-}" in *ingress*) return 1 ;; esac
}

# Servers that are several do: a member of one cluster beside each.
runs_etcd() {
  [ "$ROLE" = server ] && { is_given SKIFF_CLUSTER_INIT cluster-init || is_given SKIFF_SERVER server; }
}

install_packages() {
  is_true "${INSTALL_SKIFF_SKIP_DEPS:-}" && return
  missing=
  ! serves_ingresses || PACKAGES="$PACKAGES nginx"
  ! runs_etcd || PACKAGES="$PACKAGES etcd-server"
  for package in $PACKAGES; do
    package_present "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  have apt-get || fail "please install these first:$missing"
  step "Installing$missing"
  apt_install "$missing"
  # Debian starts services of their own, which nobody here uses; an nginx would have the ports of Ingresses, an etcd those of ours.
  for service in containerd nginx etcd; do
    case "$missing " in *" $service "*|*" $service-server "*) keep_off "$service" ;; esac
  done
}

keep_off() {
  if [ -d /run/systemd/system ]; then
    systemctl disable --now "$1" >/dev/null 2>&1 || true
  elif [ -x "/etc/init.d/$1" ]; then
    "/etc/init.d/$1" stop >/dev/null 2>&1 || true
    ! have update-rc.d || update-rc.d "$1" disable >/dev/null 2>&1 || true
  fi
}

package_present() {
  case "$1" in
    containerd) have containerd && have ctr ;;
    runc) have runc || have crun ;;
    nftables) have nft ;;
    iproute2) have ip ;;
    containernetworking-plugins) [ -x /usr/lib/cni/ptp ] || [ -x /opt/cni/bin/ptp ] || [ -x /usr/libexec/cni/ptp ] ;;
    mount) have mount ;;
    etcd-server) have etcd ;;
    *) have "$1" ;;
  esac
}

apt_install() {
  log=$(mktemp)
  # shellcheck disable=SC2086
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $1; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "the packages could not be installed; the end of what apt-get said is above"
  fi
  rm -f "$log"
}

# --- the executable -------------------------------------------------------------------------------------------------

get_binary() {
  if [ -n "${INSTALL_SKIFF_BINARY:-}" ]; then
    [ -f "$INSTALL_SKIFF_BINARY" ] || fail "INSTALL_SKIFF_BINARY names $INSTALL_SKIFF_BINARY, which does not exist"
    BINARY=$INSTALL_SKIFF_BINARY
  elif is_true "${INSTALL_SKIFF_SKIP_DOWNLOAD:-}"; then
    [ -x "$BIN_DIR/skiff" ] || fail "INSTALL_SKIFF_SKIP_DOWNLOAD is set, and there is no $BIN_DIR/skiff to keep"
    BINARY=$BIN_DIR/skiff
  elif [ -n "$SCRIPT_DIR" ] && [ -f "$SCRIPT_DIR/src/main.ts" ]; then
    build_binary
  else
    download_binary
  fi
}

build_binary() {
  step "Building Skiff from $SCRIPT_DIR (a minute or two)"
  if ! have npm; then
    have apt-get || fail "building needs Node.js with npm: please install them"
    apt_install "nodejs npm"
  fi
  log=$(mktemp)
  if ! (cd "$SCRIPT_DIR" && npm install --no-audit --no-fund && npm run build -- --host) >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    fail "the build failed; the end of its output is above"
  fi
  rm -f "$log"
  BINARY=$SCRIPT_DIR/dist/skiff-linux-$ARCH
}

download_binary() {
  base=${INSTALL_SKIFF_RELEASE_URL:-}
  TEMPORARY=$(mktemp -d)
  trap 'rm -rf "$TEMPORARY"' EXIT
  if [ -n "$base" ]; then
    base=${base%/}${INSTALL_SKIFF_VERSION:+/$INSTALL_SKIFF_VERSION}
  else
    server=${SKIFF_URL:-${SKIFF_SERVER:-}}
    [ -n "$server" ] || fail "set INSTALL_SKIFF_RELEASE_URL to where the releases are, or run install.sh from a clone"
    server=${server%%,*}
    server=${server%/}
    trust_server "$server"
    base=$server/v1-skiff/binaries
  fi
  step "Downloading skiff-linux-$ARCH from $base"
  fetch "$base/skiff-linux-$ARCH" "$TEMPORARY/skiff-linux-$ARCH"
  fetch "$base/sha256sums.txt" "$TEMPORARY/sha256sums.txt"
  (cd "$TEMPORARY" && grep " skiff-linux-$ARCH\$" sha256sums.txt | sha256sum -c - >/dev/null 2>&1) || fail "the checksum of the download is wrong: try again"
  BINARY=$TEMPORARY/skiff-linux-$ARCH
}

# An executable is taken from the server that the token names, and from no other that answers in its place.
trust_server() {
  CA_FILE=$TEMPORARY/ca.crt
  UNVERIFIED=true fetch "$1/cacerts" "$CA_FILE.sent"
  # One alone: what else is sent beside it is not believed with it.
  awk '/-----BEGIN CERTIFICATE-----/ { inside = 1 } inside { print } /-----END CERTIFICATE-----/ { exit }' "$CA_FILE.sent" >"$CA_FILE"
  case "${SKIFF_TOKEN:-}" in
    K10*)
      pinned=$(printf %s "$SKIFF_TOKEN" | cut -c4-67)
      shown=$(sed '/-----/d' "$CA_FILE" | base64 -d 2>/dev/null | sha256sum | cut -d' ' -f1)
      [ "$pinned" = "$shown" ] || fail "$1 has the CA $shown, and SKIFF_TOKEN is for the one with $pinned: take the token from that server (\"skiff token\"), or correct SKIFF_URL" ;;
    *) warn "SKIFF_TOKEN does not name the server's CA: what $1 sends is run unseen. A token that begins with K10, as \"skiff token\" prints it, would be checked" ;;
  esac
}

fetch() {
  if have curl; then
    # shellcheck disable=SC2046
    curl -fsSL --retry 3 $(is_true "${UNVERIFIED:-}" && echo --insecure || printf %s "${CA_FILE:+--cacert $CA_FILE}") -o "$2" "$1"
  elif have wget; then
    # shellcheck disable=SC2046
    wget -q $(is_true "${UNVERIFIED:-}" && echo --no-check-certificate || printf %s "${CA_FILE:+--ca-certificate=$CA_FILE}") -O "$2" "$1"
  else fail "downloading needs curl or wget: please install one of them"
  fi || fail "$1 could not be downloaded"
}

install_binary() {
  chmod 755 "$BINARY"
  "$BINARY" version >/dev/null || fail "$BINARY does not run on this machine"
  mkdir -p "$BIN_DIR"
  if ! cmp -s "$BINARY" "$BIN_DIR/skiff"; then
    # Beside it and renamed: the running executable cannot be written to, and a power cut leaves the old or the new one.
    cp "$BINARY" "$BIN_DIR/.skiff.new"
    sync "$BIN_DIR/.skiff.new" 2>/dev/null || sync
    mv "$BIN_DIR/.skiff.new" "$BIN_DIR/skiff"
    chmod 755 "$BIN_DIR/skiff"
  fi
}

# Executables for other kinds of machine that were built or downloaded with this one: the server hands them to machines that join.
install_static() {
  [ "$ROLE" = server ] || return 0
  for file in "$(dirname "$BINARY")"/skiff-linux-*; do
    [ -f "$file" ] && [ "$file" != "$BINARY" ] && [ "$file" -nt "$BINARY" ] || continue
    [ -d "$DATA_DIR" ] || { mkdir -p "$DATA_DIR" && chmod 711 "$DATA_DIR"; }
    (umask 077 && mkdir -p "$DATA_DIR/server/static")
    cp "$file" "$DATA_DIR/server/static/.new" && mv "$DATA_DIR/server/static/.new" "$DATA_DIR/server/static/${file##*/}"
  done
}

# --- configuration and service --------------------------------------------------------------------------------------

choose_command() {
  EXEC=${INSTALL_SKIFF_EXEC:-}
  [ "$CONFIG_DIR" = /etc/skiff ] || export SKIFF_CONFIG="$CONFIG_DIR/config.yaml" SKIFF_WRITE_KUBECONFIG="${SKIFF_WRITE_KUBECONFIG:-$CONFIG_DIR/skiff.yaml}"
  if [ -z "$EXEC" ]; then
    if [ -n "${SKIFF_URL:-}" ]; then EXEC=agent; else EXEC=server; fi
  fi
  case "$EXEC" in
    -*) if [ -n "${SKIFF_URL:-}" ]; then EXEC="agent $EXEC"; else EXEC="server $EXEC"; fi ;;
  esac
  ROLE=${EXEC%% *}
  case "$ROLE" in
    server)
      # Kept under the name of the server's own setting: a later run must not take this machine for an agent.
      ! env | grep -q '^SKIFF_URL=.' || export SKIFF_SERVER="${SKIFF_URL%%,*}" ;;
    agent)
      is_given SKIFF_URL server && { is_given SKIFF_TOKEN token || is_given SKIFF_TOKEN_FILE token-file; } || fail "an agent needs SKIFF_URL and SKIFF_TOKEN: the token is printed by \"skiff token\" on the server" ;;
    *) fail "INSTALL_SKIFF_EXEC must begin with server or agent, not $ROLE" ;;
  esac
}

# is_given VARIABLE SETTING: by the environment or an earlier run's, by a flag, or in the configuration
is_given() {
  eval "[ -n \"\${$1:-}\" ]" && return
  case "$EXEC" in *"--$2"*) return ;; esac
  grep -qs "^$1=." "$CONFIG_DIR/skiff.env" || cat "$CONFIG_DIR/config.yaml" "$CONFIG_DIR"/config.yaml.d/*.yaml 2>/dev/null | grep -q "^$2:"
}

# replace FILE MODE: writes standard input there
replace() {
  (umask 077 && cat >"$1.new")
  chmod "$2" "$1.new"
  mv "$1.new" "$1"
}

# What the running service was started with: when this differs, an upgrade restarts it.
fingerprint() {
  cat "$BIN_DIR/skiff" "$CONFIG_DIR/skiff.env" "$CONFIG_DIR/config.yaml" "$CONFIG_DIR"/config.yaml.d/* "$SYSTEMD_DIR/skiff.service" /etc/init.d/skiff "$CONFIG_DIR/supervise.sh" 2>/dev/null | sha256sum | cut -d' ' -f1
}

write_config() {
  mkdir -p "$CONFIG_DIR/config.yaml.d"
  [ -f "$CONFIG_DIR/config.yaml" ] || printf '# Settings of Skiff, one "name: value" a line; "skiff server --help" lists them.\n' >"$CONFIG_DIR/config.yaml"
  chmod 600 "$CONFIG_DIR/config.yaml"
  # Variables given to an earlier run stay, unless they are given anew.
  { env | grep '^SKIFF_' || true; [ ! -f "$CONFIG_DIR/skiff.env" ] || cat "$CONFIG_DIR/skiff.env"; } | awk -F= -v role="$ROLE" '!seen[$1]++ && !(role == "server" && $1 == "SKIFF_URL")' | sort | replace "$CONFIG_DIR/skiff.env" 600
}

data_dir() {
  dir=$(printf '%s\n' "$EXEC" | sed -n 's/.*--data-dir[ =]\([^ ]*\).*/\1/p')
  [ -n "$dir" ] || dir=$(sed -n 's/^SKIFF_DATA_DIR=//p' "$CONFIG_DIR/skiff.env")
  [ -n "$dir" ] || dir=$(cat "$CONFIG_DIR/config.yaml" "$CONFIG_DIR"/config.yaml.d/*.yaml 2>/dev/null | sed -n 's/^data-dir:[ ]*//p' | tail -n 1 | tr -d "\"'")
  printf '%s\n' "${dir:-/var/lib/skiff}"
}

# The names an instance uses on the machine: "skiff", or with four digits of a hash for another data directory (src/server/layout.ts).
instance_name() {
  if [ "$DATA_DIR" = /var/lib/skiff ]; then echo skiff; else printf 'skiff-%s\n' "$(printf %s "$DATA_DIR" | sha256sum | cut -c1-4)"; fi
}

# The memory allocator looks for pages to give back every ten seconds: several times a second, as it would, is most of a percent of a core while nodes do no
# more than renew their leases.
RUNTIME_ENV=MIMALLOC_PURGE_HOLES_MIN_INTERVAL=10000

write_service() {
  if [ -d /run/systemd/system ] || [ "${INSTALL_SKIFF_INIT:-}" = systemd ]; then
    INIT=systemd
    mkdir -p "$SYSTEMD_DIR"
    replace "$SYSTEMD_DIR/skiff.service" 644 <<EOF
[Unit]
Description=Skiff, Kubernetes for the edge
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
Environment=$RUNTIME_ENV
EnvironmentFile=-$CONFIG_DIR/skiff.env
ExecStartPre=-/sbin/modprobe overlay
ExecStartPre=-/sbin/modprobe nf_tables
ExecStart=$BIN_DIR/skiff $EXEC
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=2s

[Install]
WantedBy=multi-user.target
EOF
  elif [ -x /sbin/openrc-run ]; then
    INIT=openrc
    replace /etc/init.d/skiff 755 <<EOF
#!/sbin/openrc-run
description="Skiff, Kubernetes for the edge"
supervisor=supervise-daemon
command=$BIN_DIR/skiff
command_args="$EXEC"
output_log=$LOG_FILE
error_log=$LOG_FILE
respawn_delay=2
respawn_max=0
depend() {
  want net
}
start_pre() {
  set -a
  $RUNTIME_ENV
  [ ! -f $CONFIG_DIR/skiff.env ] || . $CONFIG_DIR/skiff.env
  set +a
}
EOF
  else
    INIT=none
    replace "$CONFIG_DIR/supervise.sh" 755 <<EOF
#!/bin/sh
# Runs Skiff and starts it again whenever it ends, where there is no init system to do so. Ended by SIGTERM.
mkdir -p $RUN_DIR
exec 9>$RUN_DIR/supervise.lock
flock -n 9 || exit 0
echo \$\$ >$RUN_DIR/supervise.pid
set -a
$RUNTIME_ENV
[ ! -f $CONFIG_DIR/skiff.env ] || . $CONFIG_DIR/skiff.env
set +a
stopping=
trap 'stopping=1; kill -TERM "\$child" 2>/dev/null' TERM INT
while [ -z "\$stopping" ]; do
  $BIN_DIR/skiff $EXEC 9>&- &
  child=\$!
  echo \$child >$RUN_DIR/skiff.pid
  wait "\$child" || true
  # Each signal, a second one too, ends a wait.
  while [ -n "\$stopping" ] && kill -0 "\$child" 2>/dev/null; do wait "\$child" || true; done
  [ -n "\$stopping" ] || sleep 2
done
rm -f $RUN_DIR/supervise.pid $RUN_DIR/skiff.pid
EOF
  fi
}

write_scripts() {
  { cat <<EOF
#!/bin/sh
# Stops Skiff and everything that it started: pods, containerd, mounts, interfaces and nftables rules. Data stays.
DATA_DIR=$DATA_DIR
INSTANCE=$INSTANCE
RUN_DIR=$RUN_DIR
EOF
  cat <<'EOF'
[ "$(id -u)" = 0 ] || { echo "run it as root: sudo $0" >&2; exit 1; }
KUBELET_DIR=$(cat "$DATA_DIR/agent/kubelet-directory" 2>/dev/null || echo "$DATA_DIR/agent/kubelet")

# pids_with TEXT: processes that have TEXT as a whole argument, or at its start followed by a slash
pids_with() {
  for dir in /proc/[0-9]*; do
    cat "$dir/cmdline" 2>/dev/null | tr '\0' '\n' | awk -v text="$1" '$0 == text || index($0, text "/") == 1 { found = 1 } END { exit !found }' && echo "${dir#/proc/}"
  done
}

end_processes() {
  [ -n "$*" ] || return 0
  kill -TERM "$@" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 "$@" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$@" 2>/dev/null
}

stop_service() {
  [ ! -d /run/systemd/system ] || systemctl stop skiff.service 2>/dev/null
  [ ! -x /etc/init.d/skiff ] || rc-service skiff stop 2>/dev/null
  if [ -f "$RUN_DIR/supervise.pid" ]; then
    pid=$(cat "$RUN_DIR/supervise.pid")
    kill -TERM "$pid" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      kill -0 "$pid" 2>/dev/null || break
      # Where nobody buries the dead, as in some containers.
      grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null && break
      sleep 1
    done
    # What hangs, or has lost its supervisor: neither has taken its pid away.
    for pid in $(cat "$RUN_DIR/supervise.pid" "$RUN_DIR/skiff.pid" 2>/dev/null); do
      ! grep -qa -e skiff -e supervise "/proc/$pid/cmdline" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
    done
  fi
}

# Every cgroup of ours, deepest first, on v1 and v2.
cgroups() { find /sys/fs/cgroup -depth -type d \( -name "$INSTANCE" -o -path "*/$INSTANCE/*" \) 2>/dev/null; }

stop_service
# Containers first, so that their shims see them end; then shims and containerd.
for group in $(cgroups); do
  # It may go at any moment: its last process ends, or the kubelet removes it.
  { xargs -r kill -KILL <"$group/cgroup.procs"; } 2>/dev/null
done
# A server that was killed leaves its etcd behind.
end_processes $(pids_with "$RUN_DIR/containerd.sock") $(pids_with "$DATA_DIR/agent/containerd/config.toml") $(pids_with "--data-dir=$DATA_DIR/server/db/etcd")

# Mounts below our directories, deepest first. What is mounted twice is listed twice.
awk '{ print $2 }' /proc/self/mounts | grep -E "^($RUN_DIR|$DATA_DIR|$KUBELET_DIR)/" | sort -r | while read -r mount; do umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null; done
# The kubelet's directory was made a mount of its own where the machine's mounts aren't shared; one that was a disk's before stays.
while grep -qE "^[^ ]+ [^ ]+ [^ ]+ [^ ]*/${KUBELET_DIR##*/} $KUBELET_DIR " /proc/self/mountinfo && umount "$KUBELET_DIR"; do :; done
for group in $(cgroups); do rmdir "$group" 2>/dev/null; done
# By their whole names: another instance's begin with the same word.
for link in dns vx; do ip link del "$INSTANCE-$link" 2>/dev/null; done
for family in -4 -6; do ip $family route flush proto 83 2>/dev/null; done
if command -v nft >/dev/null 2>&1; then
  nft list tables 2>/dev/null | awk -v name="$INSTANCE" '$3 == name || $3 == name "-policies" || $3 == name "-probe" { print $2, $3 }' | while read -r family table; do nft delete table "$family" "$table"; done
fi
rm -rf "$RUN_DIR"
# What libcni remembers of sandboxes that were not taken down in order.
for sandbox in "$DATA_DIR"/agent/containerd/root/io.containerd.grpc.v1.cri/sandboxes/*; do
  rm -f /var/lib/cni/results/*-"${sandbox##*/}"-* /var/lib/cni/cache/results/*-"${sandbox##*/}"-* 2>/dev/null
done
rmdir /var/lib/cni/cache/results /var/lib/cni/cache /var/lib/cni/results /var/lib/cni 2>/dev/null
true
EOF
  } | replace "$BIN_DIR/skiff-killall.sh" 755
  { cat <<EOF
#!/bin/sh
# Removes Skiff and all of its data.
DATA_DIR=$DATA_DIR
CONFIG_DIR=$CONFIG_DIR
BIN_DIR=$BIN_DIR
SYSTEMD_DIR=$SYSTEMD_DIR
LOG_FILE=$LOG_FILE
EOF
  cat <<'EOF'
[ "$(id -u)" = 0 ] || { echo "run it as root: sudo $0" >&2; exit 1; }
"$BIN_DIR/skiff-killall.sh"
KUBELET_DIR=$(cat "$DATA_DIR/agent/kubelet-directory" 2>/dev/null || echo "$DATA_DIR/agent/kubelet")
if [ -d /run/systemd/system ]; then
  systemctl disable skiff.service 2>/dev/null
  rm -f "$SYSTEMD_DIR/skiff.service"
  systemctl daemon-reload
else
  rm -f "$SYSTEMD_DIR/skiff.service"
fi
if [ -x /etc/init.d/skiff ]; then
  rc-update del skiff default 2>/dev/null
  rm -f /etc/init.d/skiff
fi
# Logs of our own pods only: another kubelet may use the directory too.
for pod in "$KUBELET_DIR"/pods/*; do
  [ ! -d "$pod" ] || rm -rf /var/log/pods/*_"${pod##*/}"
done
rmdir /var/log/pods 2>/dev/null
# A directory that is a disk's own stays, empty.
remove() { rm -rf "$1" 2>/dev/null || [ -z "$(ls -A "$1" 2>/dev/null)" ] || rm -rf "$1"; }
# One that was somebody else's before is left alone.
[ "$(cat "$KUBELET_DIR/.skiff" 2>/dev/null)" != "$DATA_DIR" ] || remove "$KUBELET_DIR"
for path in "$DATA_DIR" "$CONFIG_DIR" "$LOG_FILE"; do remove "$path"; done
rm -f "$BIN_DIR/skiff" "$BIN_DIR/skiff-killall.sh" "$BIN_DIR/skiff-uninstall.sh"
echo "Skiff has been removed."
EOF
  } | replace "$BIN_DIR/skiff-uninstall.sh" 755
}

# --- starting -------------------------------------------------------------------------------------------------------

enable_service() {
  is_true "${INSTALL_SKIFF_SKIP_ENABLE:-}" && return
  case "$INIT" in
    systemd) systemctl daemon-reload && systemctl enable skiff.service >/dev/null 2>&1 ;;
    openrc) rc-update add skiff default >/dev/null ;;
    none) warn "there is no init system here: Skiff runs until the next reboot; to start it at boot run $CONFIG_DIR/supervise.sh" ;;
  esac
}

running() {
  case "$INIT" in
    systemd) systemctl is-active --quiet skiff.service ;;
    openrc) rc-service skiff status >/dev/null 2>&1 ;;
    none) [ -f "$RUN_DIR/supervise.pid" ] && alive "$(cat "$RUN_DIR/supervise.pid")" ;;
  esac
}

# In a container whose first process waits for nobody, one that has ended stays as a zombie.
alive() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

start_service() {
  if running; then
    if [ "$(fingerprint)" = "$(cat "$RUN_DIR/started-with" 2>/dev/null)" ]; then
      step "Skiff is installed and running, and nothing has changed"
      return
    fi
    step "Restarting Skiff; pods keep running"
  else
    step "Starting Skiff"
  fi
  mkdir -p "$RUN_DIR"
  fingerprint >"$RUN_DIR/started-with"
  case "$INIT" in
    systemd) systemctl restart --no-block skiff.service ;;
    openrc) rc-service skiff restart >/dev/null ;;
    none)
      if running; then
        pid=$(cat "$RUN_DIR/supervise.pid")
        kill -TERM "$pid"
        while alive "$pid"; do sleep 0.2; done
      fi
      setsid "$CONFIG_DIR/supervise.sh" >>"$LOG_FILE" 2>&1 </dev/null & ;;
  esac
}

show_log_hint() {
  case "$INIT" in
    systemd) echo "journalctl -u skiff" ;;
    *) echo "$LOG_FILE" ;;
  esac
}

show_log_end() {
  case "$INIT" in
    systemd) journalctl -u skiff -t skiff -n 5 --no-pager -o cat ;;
    *) tail -n 5 "$LOG_FILE" ;;
  esac
}

ready_within() { "$BIN_DIR/skiff" status --wait "$1" --data-dir "$DATA_DIR"; }

# What it ended with, if it ended: nobody should wait for minutes to read that.
show_complaint() {
  complaint=$(show_log_end | sed -n 's/^skiff: //p' | tail -n 1)
  [ -z "$complaint" ] || note "the log of Skiff says: $complaint"
  note "still waiting; Skiff goes on trying, also without this script"
}

finish() {
  ready_within 30 || { show_complaint; ready_within 150; } || { show_log_end >&2; fail "Skiff did not become ready in three minutes, and goes on trying; the end of its log is above, all of it: $(show_log_hint)"; }
  step "Skiff is ready"
  if [ "$ROLE" = server ]; then
    note "Use it:      export KUBECONFIG=$CONFIG_DIR/skiff.yaml; kubectl get nodes"
    have kubectl || note "kubectl:     apt-get install kubernetes-client, or any other kubectl"
  fi
  note "Configure:   $CONFIG_DIR/config.yaml, then run this again"
  note "Logs:        $(show_log_hint)"
  note "Stop all:    $BIN_DIR/skiff-killall.sh"
  note "Remove:      $BIN_DIR/skiff-uninstall.sh"
}

check_machine
choose_command
install_packages
check_kernel_network
get_binary
install_binary
write_config
DATA_DIR=$(data_dir)
INSTANCE=$(instance_name)
RUN_DIR=/run/$INSTANCE
LOG_FILE=/var/log/$INSTANCE.log
install_static
write_service
write_scripts
enable_service
if is_true "${INSTALL_SKIFF_SKIP_ENABLE:-}" || is_true "${INSTALL_SKIFF_SKIP_START:-}"; then
  step "Skiff is installed and not started, as asked"
  exit 0
fi
start_service
finish
