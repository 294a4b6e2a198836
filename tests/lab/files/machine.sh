#!/bin/sh
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One machine of the lab from power-on to power-off: lives exactly as long as the machine is on.
# machines.py starts it in a mount namespace of its own, so that its mounts end with it.
set -eu
dir=$1
. "$dir/machine.env"

exec 8>"$dir/lock" 9<"$ROOTFS.lock"
flock --timeout 1 8 || exit 0 # somebody else has switched it on
flock --shared 9              # nobody rebuilds the root file system under a machine

mkdir -p "$dir/root" "$dir/work"
mount -t overlay overlay -o "lowerdir=$ROOTFS,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
if [ "$FORM" = nspawn ]; then
    # nspawn keeps its locks in /run/systemd; a tmpfs there leaves nothing behind.
    mkdir -p /run/systemd
    mount -t tmpfs tmpfs /run/systemd
fi
if [ -n "$CGROUP" ]; then
    # PID 1 of this host is not systemd: the cgroup2 tree for the machine's systemd is ours to make.
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p "/sys/fs/cgroup/$CGROUP"
fi

boot_nspawn() {
    [ -z "$CGROUP" ] || echo 0 >"/sys/fs/cgroup/$CGROUP/cgroup.procs"
    # The namespace that forwards, where it is not that of the login, is one that `ip netns` knows in the machine.
    exec systemd-nspawn --quiet --register=no --keep-unit --boot --directory="$dir/root" --machine="$NAME" \
        ${SPACE:+"--bind=/run/netns/$NAME:/run/netns/$SPACE"} \
        --uuid="$UUID" --network-namespace-path="/run/netns/$NETNS" --capability=CAP_NET_ADMIN,CAP_NET_RAW \
        --resolv-conf=off --timezone=off --link-journal=no --suppress-sync=yes --console=pipe
}

boot_plain() {
    exec nsenter --net="/run/netns/$NETNS" \
        unshare --mount --uts --ipc --pid --fork --kill-child sh "$dir/boot.sh" "$dir/root" "$NAME" "$SPACE"
}

while :; do
    sh -eu "$dir/network.sh"
    rc=0
    # In the background, so that its pid can be written down.
    "boot_$FORM" </dev/null 8>&- 9>&- &
    echo $! >"$dir/pid"
    wait $! || rc=$?
    # A machine that is off answers nothing, although its network namespace is still there.
    ip -n "$SWITCH" -force -batch "$dir/ports-down" || true
    [ "$rc" = 133 ] || break # 133 = reboot
done
rm -f "$dir/pid"
if [ -n "$CGROUP" ]; then
    rmdir "/sys/fs/cgroup/$CGROUP"/*/ "/sys/fs/cgroup/$CGROUP" 2>/dev/null || true
fi
