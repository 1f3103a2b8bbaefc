#!/usr/bin/env bash
# In a container of systemd-nspawn's that is given a network namespace by its path, /sys tells of the
# interfaces of another one: the one that systemd-nspawn was started in.
#
# Seen with: systemd 252.39 (systemd-container of Debian 12), Linux 6.18, busybox 1.35, iproute2 6.1.
# What of these is not there is installed from Debian.
#
# One would expect: with `--network-namespace-path=` the container sees the interfaces of that
# namespace, by netlink and in /sys/class/net alike, as it does with `--private-network`.
#
# Seen: netlink has the namespace's interfaces, /sys/class/net the caller's. So a program in the
# container that looks there for an interface's queues, address, speed or bridge finds none, or finds
# those of an interface of the same name outside. If systemd-nspawn itself is started in the
# namespace (nsenter) and is told nothing of it, both agree.
#
#   --network-namespace-path: netlink has lo and only0, sysfs the caller's
#   started in the namespace: netlink has lo and only0, sysfs too
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
for pair in systemd-nspawn:systemd-container busybox:busybox-static ip:iproute2; do
  command -v "${pair%:*}" >/dev/null || {
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${pair#*:}"
  } >/dev/null 2>&1
done
ns="finding-nspawn-$$"
root=$(mktemp -d)
clean() {
  ip netns delete "$ns" 2>/dev/null || true
  rm -rf --one-file-system "$root"
  # systemd-nspawn leaves the groups of its processes behind, which are empty by now.
  find /sys/fs/cgroup -depth -type d \( -name payload -o -name supervisor \) -exec rmdir {} + \
    2>/dev/null || true
}
trap clean EXIT
mkdir -p "$root"/{bin,usr,proc,sys,dev,etc}
cp "$(command -v busybox)" "$root/bin/busybox"
for name in sh ls ip sed tr; do ln -s busybox "$root/bin/$name"; done
echo ID=finding >"$root/etc/os-release"
ip netns add "$ns"
ip -n "$ns" link add only0 type dummy 2>/dev/null || ip -n "$ns" link add only0 type ifb

# What a container sees: a line by netlink, a line by sysfs, names in order.
seen() {
  timeout 20 "$@" --quiet --register=no --keep-unit --pipe --directory="$root" /bin/sh -c '
    ip -o link | sed "s/^[0-9]*: //; s/[@:].*//" | tr "\n" " "; echo
    ls -1 /sys/class/net | tr "\n" " "; echo' </dev/null 2>/dev/null | sed 's/ *$//' |
    while read -r line; do tr ' ' '\n' <<<"$line" | sort | paste -sd' '; done
}
here=$(ls -1 /sys/class/net | sort | paste -sd' ')
code=0
told() {
  local what=$1 wanted=$2 netlink sysfs
  { read -r netlink && read -r sysfs; } || { echo "$what: nothing seen"; code=1; return; }
  local by=$sysfs
  [ "$sysfs" = "$here" ] && by="the caller's"
  [ "$sysfs" = "$netlink" ] && by="too"
  echo "$what: netlink has ${netlink// / and }, sysfs $by"
  [ "$netlink" = "lo only0" ] && [ "$by" = "$wanted" ] || code=1
}
told "--network-namespace-path" "the caller's" \
  < <(seen systemd-nspawn --network-namespace-path="/run/netns/$ns")
told "started in the namespace" "too" < <(seen nsenter --net="/run/netns/$ns" systemd-nspawn)
exit "$code"
