# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Debian root file system per suite, made once with mmdebstrap and shared by all labs, never written to."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.settings import CACHE, LabError

_STAMP = "etc/hitless-lab.json"
_PACKAGES = (
    "ca-certificates",
    "dbus",
    "frr",
    "gobgpd",
    "iproute2",
    "iputils-ping",
    "openssh-server",
    "procps",
    "python3",
    "systemd-sysv",
)
# The tests use kubectl, of which Debian 12 has none that is recent; it runs from here, outside any machine.
_EXTRA = {"trixie": ("kubernetes-client",)}

# Users: hitless may read FRR (group frrvty), guest may not; both are for SSH with the lab's key.
# Units that have no meaning in a machine, or that would undo the lab's own sysctls, are masked.
_SETUP = r"""
set -eu
useradd --create-home --uid 1000 --shell /bin/bash --groups frrvty hitless
useradd --create-home --uid 1001 --shell /bin/bash guest
rm -f /etc/ssh/ssh_host_* /etc/machine-id
touch /etc/machine-id
cat > /etc/ssh/sshd_config.d/hitless.conf <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
UseDNS no
MaxStartups 100
END
echo 'service integrated-vtysh-config' > /etc/frr/vtysh.conf
chown frr:frrvty /etc/frr/vtysh.conf
systemctl disable --quiet frr.service gobgpd.service
systemctl set-default --quiet multi-user.target
for unit in gobgpd.service systemd-sysctl.service e2scrub_reap.service e2scrub_all.timer apt-daily.timer \
    apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer systemd-udevd.service systemd-udev-trigger.service \
    systemd-networkd.service systemd-networkd-wait-online.service systemd-timesyncd.service systemd-logind.service \
    console-getty.service getty.target remote-fs.target systemd-pcrphase.service systemd-pcrphase-sysinit.service \
    systemd-firstboot.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    ldconfig.service systemd-hwdb-update.service systemd-journal-catalog-update.service
do
    ln -sf /dev/null "/etc/systemd/system/$unit"
done
mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\nDefaultTimeoutStopSec=10s\n' > /etc/systemd/system.conf.d/hitless.conf
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' > /etc/systemd/journald.conf.d/hitless.conf
"""


def packages(suite: str) -> list[str]:
    """Packages that the root file system of a suite is asked to hold."""
    return sorted((*_PACKAGES, *_EXTRA.get(suite, ())))


def path(suite: str) -> Path:
    """Where the root file system of a suite is."""
    return CACHE / suite


def lock_path(suite: str) -> Path:
    """File that running machines lock as readers and a rebuild locks as writer."""
    return CACHE / f"{suite}.lock"


def stamp(suite: str) -> dict[str, object]:
    """What a root file system was made from; another stamp means: build again."""
    return {"suite": suite, "packages": packages(suite), "setup": hashlib.sha256(_SETUP.encode()).hexdigest()}


def is_current(suite: str) -> bool:
    """Whether the root file system is there and made from today's list."""
    try:
        return bool(json.loads((path(suite) / _STAMP).read_text()) == stamp(suite))
    except (OSError, ValueError):
        return False


def kubectl() -> Path:
    """Debian 13's kubectl (1.32), a static program; builds that root file system when it is missing."""
    ensure("trixie")
    return path("trixie") / "usr/bin/kubectl"


def ensure(suite: str) -> bool:
    """Builds the root file system if it is missing or made from another list; True when it was built."""
    if is_current(suite):
        return False
    if not shutil.which("mmdebstrap"):
        raise LabError("mmdebstrap is missing: apt-get install mmdebstrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{suite}.build").open("w") as build, lock_path(suite).open("w") as lock:
        # Another lab that is building it does this one's work, too.
        fcntl.flock(build, fcntl.LOCK_EX)
        if is_current(suite):
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LabError(
                f"{path(suite)} has to be built again, but machines of a lab run on it: take the labs down first"
            ) from None
        for abandoned in CACHE.glob(f".{suite}.*"):
            shutil.rmtree(abandoned)
        _build(suite)
    return True


def _build(suite: str) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{suite}.", dir=CACHE) as temporary:
        root, old = Path(temporary, "new"), Path(temporary, "old")
        setup, stamped = Path(temporary, "setup.sh"), Path(temporary, "stamp.json")
        setup.write_text(_SETUP)
        stamped.write_text(json.dumps(stamp(suite)))
        argv = [
            # Its mounts end with it, so that what a kill leaves can be removed without a danger to the host's /dev.
            "unshare",
            "--mount",
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(packages(suite))}",
            "--aptopt=APT::Install-Recommends false",
            "--aptopt=Acquire::Languages none",
            *(f"--aptopt={line}" for line in _apt_transport()),
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f"--customize-hook=upload {setup} /setup.sh",
            '--customize-hook=chroot "$1" sh /setup.sh && rm "$1/setup.sh"',
            f"--customize-hook=upload {stamped} /{_STAMP}",
            suite,
            str(root),
        ]
        if lines := sources(suite):
            Path(temporary, "sources.list").write_text(lines)
            argv.append(str(Path(temporary, "sources.list")))
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
        if done.returncode:
            problems = [line for line in done.stderr.splitlines() if line.startswith(("E:", "Err:"))]
            raise LabError(f"mmdebstrap could not make {suite}: {'; '.join(problems[:3]) or done.stderr[-300:]}")
        if path(suite).exists():
            path(suite).rename(old)
        root.rename(path(suite))


def sources(suite: str) -> str:
    """sources.list lines for a suite from LAB_MIRROR or from the host's own apt; '' = mmdebstrap's default."""
    if mirror := os.environ.get("LAB_MIRROR"):
        return f"deb {mirror} {suite} main\n"
    found = {label: uri for label, uri in _index_targets() if uri.startswith(("http://", "https://"))}
    if "Debian" not in found:
        return ""
    lines = [f"deb {found['Debian']} {suite} main"]
    if "Debian-Security" in found:
        lines.append(f"deb {found['Debian-Security']} {suite}-security main")
    return "".join(f"{line}\n" for line in lines)


def _index_targets() -> list[tuple[str, str]]:
    """(label, repository URI) of the host's package indexes; a host without apt has none."""
    argv = ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    try:
        output = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except OSError:
        return []
    return [(label, uri) for label, _unused, uri in (line.partition("|") for line in output.splitlines())]


def _apt_transport() -> list[str]:
    """The host's apt settings for proxies and certificates, as apt options."""
    try:
        output = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return []
    wanted = ("Acquire::http::", "Acquire::https::")
    return [line.rstrip(";") for line in output.splitlines() if line.startswith(wanted) and '"";' not in line]
