# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH into the machines: keys of the lab's own, and a way through the switch's namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab import network, wiring
from lab import settings as s
from lab.settings import LabError, LabSettings

_ACCOUNTS = {"root": "/root", "hitless": "/home/hitless", "guest": "/home/guest"}


def make_keys(settings: LabSettings) -> None:
    """Makes the lab's login key and the host key that all its machines share."""
    for name in ("id_ed25519", "host_ed25519"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"hitless lab {settings.name}"]
        try:
            subprocess.run([*argv, "-f", str(settings.directory / name)], capture_output=True, check=True)
        except FileNotFoundError:
            raise LabError("ssh-keygen is missing: apt-get install openssh-client") from None


def files(settings: LabSettings) -> dict[str, str]:
    """Path -> content of what lets the lab's key log in as root, as hitless (group frrvty) and as guest (not in it)."""
    public = _read(settings, "id_ed25519.pub")
    host = {"/etc/ssh/ssh_host_ed25519_key": "host_ed25519", "/etc/ssh/ssh_host_ed25519_key.pub": "host_ed25519.pub"}
    return {path: _read(settings, name) for path, name in host.items()} | {
        f"{home}/.ssh/authorized_keys": public for home in _ACCOUNTS.values()
    }


def write_config(settings: LabSettings) -> Path:
    """Writes ssh_config and known_hosts; returns the former's path."""
    directory = settings.directory
    hosts = {settings.machine(role): wiring.login_address(settings, role) for role in s.ROLES}
    (directory / "known_hosts").write_text(f"{','.join(hosts)} {_read(settings, 'host_ed25519.pub')}")
    lines = []
    for name, address in hosts.items():
        lines += [f"Host {name}", f"    HostName {address}", f"    HostKeyAlias {name}"]
    # -F: nc hands the connected socket to ssh and ends. As a relay it would not pass on a close by the machine.
    proxy = f"nsenter --net={network.NETNS / settings.switch} nc -F %h %p"
    lines += [
        f"Host {settings.name}-*",
        f"    ProxyCommand {proxy}",
        "    ProxyUseFdpass yes",
        f"    IdentityFile {directory / 'id_ed25519'}",
        "    IdentitiesOnly yes",
        f"    UserKnownHostsFile {directory / 'known_hosts'}",
        "    GlobalKnownHostsFile /dev/null",
        "    StrictHostKeyChecking yes",
        "    ConnectTimeout 5",
        # A machine whose power was cut closes nothing.
        "    ServerAliveInterval 5",
        "    ServerAliveCountMax 2",
        "    LogLevel ERROR",
    ]
    path = directory / "ssh_config"
    path.write_text("\n".join([*lines, ""]))
    return path


def _read(settings: LabSettings, name: str) -> str:
    return (settings.directory / name).read_text()
