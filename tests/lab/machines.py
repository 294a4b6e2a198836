# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that can be switched on, off and cut: systemd-nspawn or plain namespaces over one overlay and netns."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import network, rootfs, wiring
from lab import settings as s
from lab.settings import LabError, LabSettings

FILES = Path(__file__).with_name("files")
# systemd's own signals to PID 1; init.py of the plain form takes the same ones.
_POWEROFF, _REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5
# What stands for systemctl's commands in a plain machine; Ansible calls `shutdown -r` and `shutdown -h`.
_PLAIN_SHUTDOWN = f"""#!/bin/sh
case "${{0##*/}} $* " in
reboot\\ * | *" -r "*) exec kill -{_REBOOT:d} 1 ;;
*) exec kill -{_POWEROFF:d} 1 ;;
esac
"""
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


def has_systemd() -> bool:
    """Whether PID 1 of this host is systemd."""
    return Path("/run/systemd/system").is_dir()


def cgroup(name: str) -> str:
    """Name of a lab's cgroup below the root, '' where the host's systemd makes a scope instead."""
    return "" if has_systemd() else f"hitless-lab-{name}"


@dataclass(frozen=True)
class Machine:
    """One machine; `role` is its name without the lab's. Methods look at what is there, nothing is remembered."""

    settings: LabSettings
    role: str

    @property
    def name(self) -> str:
        """Also the name of its network namespace, Kubernetes Node and inventory host."""
        return self.settings.machine(self.role)

    @property
    def netns(self) -> str:
        """Name of the network namespace that sends and forwards."""
        return self.name

    @property
    def address4(self) -> str:
        """IPv4 address by which the machine is known, see wiring.addresses."""
        return wiring.addresses(self.settings, self.role)[0]

    @property
    def address6(self) -> str:
        """IPv6 address by which the machine is known, see wiring.addresses."""
        return wiring.addresses(self.settings, self.role)[1]

    @property
    def uuid(self) -> str:
        """System UUID, the same in the Node's status and in Redfish."""
        return str(self.settings.uuid(self.role))

    @property
    def dir(self) -> Path:
        """Where the machine's overlay, scripts and console log are."""
        return self.settings.directory / "machines" / self.role

    def running(self) -> bool:
        """Whether the machine is powered on."""
        return self.leader() is not None

    def leader(self) -> int | None:
        """PID, on the host, of the machine's PID 1; None when it is off."""
        with contextlib.suppress(OSError, ValueError):
            runner = int((self.dir / "pid").read_text())
            ours = (network.NETNS / network.login_netns(self.settings, self.role)).stat().st_ino
            for child in Path(f"/proc/{runner}/task/{runner}/children").read_text().split():
                # The namespace tells our process from one that got the same number later.
                if Path(f"/proc/{child}/ns/net").stat().st_ino == ours and _is_init(child):
                    return int(child)
        return None

    def boot_id(self) -> str | None:
        """Unique per boot; None when the machine is off or has only just begun to boot."""
        leader = self.leader()
        with contextlib.suppress(OSError):
            boot_id = "proc/sys/kernel/random/boot_id"
            found = Path(f"/proc/{leader}/root/{boot_id}").read_text().strip()
            if leader and found != Path("/", boot_id).read_text().strip():
                return found
        return None

    def in_netns(self, argv: list[str]) -> list[str]:
        """argv that runs on the host, but inside the machine's network namespace."""
        return network.in_netns(self.netns, argv)

    def inside(self, argv: list[str]) -> list[str]:
        """argv that runs inside all namespaces of the machine."""
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return ["nsenter", f"--target={self._leader(argv[0])}", *spaces, "--", *argv]

    def run(
        self,
        argv: list[str],
        *,
        timeout: float = 10,
        input: str | None = None,  # noqa: A002
    ) -> subprocess.CompletedProcess[str]:
        """Result of a command inside the machine; timeout in seconds."""
        return subprocess.run(
            self.inside(argv), input=input, timeout=timeout, capture_output=True, text=True, check=False, env=_ENV
        )

    def write(self, path: str, content: str) -> None:
        """Writes a file inside the running machine."""
        target = Path(f"/proc/{self._leader(f'write {path}')}/root{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)

    def read(self, path: str) -> str | None:
        """Content of a file inside the running machine; None when there is no such file, or the machine is off."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.leader()}/root{path}").read_text()
        return None

    def service(self, action: str, name: str) -> None:
        """start | kill (SIGKILL) one of hitless-speaker and hitless-echo; returns when it is done."""
        done = self.run(["/usr/local/lib/hitless/service", action, name], timeout=30)
        if done.returncode:
            raise LabError(f"{self.name}: {action} {name}: {(done.stderr or done.stdout).strip()[:300]}")

    def set_vips(self, answered: Collection[str], others: Collection[str]) -> None:
        """Has the machine answer some VIPs and not the others, until it boots again."""
        network.set_vips(self.netns, answered, others)

    def router_on(self, interface: str) -> str | None:
        """The link-local address of the router that has said on this interface that it is one; None = none has."""
        return network.router_on(self.netns, interface)

    def start(self, *, wait: float = 10) -> None:
        """Switches the machine on if it is off; returns when its PID 1 is there, after at most `wait` seconds."""
        if self.running():
            return
        # slave: a namespace that the host unmounts must not live on in a machine's mount table.
        argv = ["unshare", "--mount", "--propagation=slave", "sh", str(self.dir / "machine.sh"), str(self.dir)]
        if self.settings.form == "nspawn" and has_systemd():
            argv = ["systemd-run", "--scope", "--quiet", "--collect", "--property=Delegate=yes", *argv]
        environment = _ENV | {s.MARKER: self.settings.name}
        with (self.dir / "console.log").open("ab") as log:
            subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment, cwd="/"
            )
        self._wait(lambda: self.boot_id() is not None, wait, "did not start")

    def poweroff(self, *, wait: float = 20) -> None:
        """Asks the OS to power off and waits for it, `wait` seconds at most; 0 = does not wait."""
        before = self.boot_id()

        def done() -> bool:
            # Another boot id: somebody has cut it and switched it on again meanwhile.
            return not self._supervised() or self.boot_id() not in (None, before)

        if self.running():
            self._press(_POWEROFF, done, wait, "did not power off")

    def reboot(self, *, wait: float = 20) -> None:
        """Asks the OS to reboot and waits for another boot id, `wait` seconds at most; 0 = does not wait."""
        before = self.boot_id()
        self._leader("reboot")
        self._press(_REBOOT, lambda: self.boot_id() not in (None, before), wait, "did not reboot")

    def cut(self) -> None:
        """Takes the power away: links down at the switch, then SIGKILL; nobody is told."""
        network.ports_down(self.settings, self.role)
        deadline = time.monotonic() + 10
        while self._supervised():
            if (leader := self.leader()) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(leader, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} is still there 10 s after SIGKILL; {self._said()}")
            time.sleep(0.02)

    def prepare(self, files: Mapping[str, str], links: Mapping[str, str]) -> None:
        """Writes the machine's own files into its overlay (path -> content; path -> target), before the first start."""
        root = rootfs.path(self.settings.suite(self.role))
        library = {
            "service": f"service-{self.settings.form}",
            **{name: name for name in ("echo.py", "init.py", "advertise.py")},
        }
        files = {
            "/etc/hostname": f"{self.name}\n",
            "/etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{self.address4} {self.name}\n",
            **{f"/usr/local/lib/hitless/{name}": (FILES / source).read_text() for name, source in library.items()},
            **files,
        }
        if self.settings.form == "plain":
            files |= {f"/usr/sbin/{name}": _PLAIN_SHUTDOWN for name in ("poweroff", "halt", "reboot", "shutdown")}
        upper = self.dir / "upper"
        for path, content in files.items():
            target = upper / path.lstrip("/")
            _directories(upper, root, target.parent)
            target.write_text(content)
            target.chmod(_mode(content))
            _like(target, root / path.lstrip("/"))
        for path, to in links.items():
            target = upper / path.lstrip("/")
            _directories(upper, root, target.parent)
            target.symlink_to(to)
        environment = {
            "NAME": self.name,
            "FORM": self.settings.form,
            "UUID": self.uuid,
            "ROOTFS": str(root),
            "SWITCH": self.settings.switch,
            "NETNS": network.login_netns(self.settings, self.role),
            "SPACE": wiring.space(self.settings, self.role),
            "CGROUP": f"{group}/{self.role}" if (group := cgroup(self.settings.name)) and self._nspawn else "",
        }
        text = "".join(f"{key}={shlex.quote(value)}\n" for key, value in environment.items())
        (self.dir / "machine.env").write_text(text)
        (self.dir / "network.sh").write_text(network.boot_script(self.settings, self.role))
        (self.dir / "ports-down").write_text(network.ports_down_batch(self.settings, self.role))
        # Copies, so that a change of the checkout cannot hit a script that a shell is reading.
        for name in ("machine.sh", "boot.sh"):
            shutil.copyfile(FILES / name, self.dir / name)

    @property
    def _nspawn(self) -> bool:
        return self.settings.form == "nspawn"

    def _leader(self, what: str) -> int:
        if (leader := self.leader()) is None:
            raise LabError(f"{self.name} is off: cannot {what}")
        return leader

    def _said(self) -> str:
        """The last line on the machine's console, for an error that may be all that remains of it."""
        path = self.dir / "console.log"
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
        return f"last on its console: {last}"

    def _supervised(self) -> bool:
        """Whether machine.sh holds the machine's lock: it is on, or has been a moment ago."""
        with contextlib.suppress(FileNotFoundError), (self.dir / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _press(self, number: int, until: Callable[[], bool], wait: float, problem: str) -> None:
        """Signals PID 1, and again every second: the kernel drops signals that an early PID 1 has no handler for."""
        pressed = 0.0

        def done() -> bool:
            nonlocal pressed
            if until():
                return True
            if time.monotonic() - pressed > 1 and (leader := self.leader()) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(leader, number)
                pressed = time.monotonic()
            return False

        if done() or not wait:
            return
        self._wait(done, wait, problem)

    def _wait(self, until: Callable[[], bool], seconds: float, problem: str) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} {problem} within {seconds:g} s; {self._said()}")
            time.sleep(0.03)


def _is_init(pid: str) -> bool:
    """Whether a process is PID 1 of a PID namespace below ours."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return line.split()[-1] == "1" and len(line.split()) > 2
    return False


def _mode(content: str) -> int:
    """Scripts are executable, private keys private."""
    if content.startswith("#!"):
        return 0o755
    return 0o600 if content.startswith("-----BEGIN OPENSSH PRIVATE KEY") else 0o644


def _directories(upper: Path, root: Path, directory: Path) -> None:
    """Makes directories in an overlay's upper layer: a merged directory has the mode and owner of the upper one."""
    missing = [path for path in (directory, *directory.parents) if path.is_relative_to(upper) and not path.exists()]
    for path in reversed(missing):
        path.mkdir(parents=path == upper)
        _like(path, root / path.relative_to(upper))


def _like(path: Path, original: Path) -> None:
    """Gives a path the mode and owner that the root file system has at the same place, if it has any."""
    if original.exists() and not original.is_symlink():
        found = original.stat()
        os.chown(path, found.st_uid, found.st_gid)
        path.chmod(found.st_mode & 0o7777)
