# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a lab up and taking it down without a trace."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from emulator.client import Api

from lab import cluster, frr, inotify, inventory, machines, network, power, rootfs, speaker, ssh, state, wiring
from lab import settings as s
from lab.settings import LabError, LabSettings
from lab.state import Lab

Report = Callable[[str], None]
all_next_hops = network.all_next_hops


def check_host(settings: LabSettings) -> None:
    """Raises an error that says what this host lacks and what to do."""
    if sys.platform != "linux":
        raise LabError(f"the lab needs Linux (namespaces), this is {sys.platform}: use a Debian 12 or 13 machine")
    if os.geteuid() != 0:
        raise LabError("the lab needs root (namespaces, mounts): run it with sudo")
    programs = {"ip": "iproute2", "ss": "iproute2", "nsenter": "util-linux", "ssh": "openssh-client"}
    programs |= {"nc": "netcat-openbsd"}
    if settings.form == "nspawn":
        programs["systemd-nspawn"] = "systemd-container"
    if not all(map(rootfs.is_current, {settings.node_suite, settings.router_suite})):
        programs["mmdebstrap"] = "mmdebstrap"
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        packages = " ".join(sorted({programs[program] for program in missing}))
        raise LabError(f"{', '.join(missing)} missing on this host: apt-get install {packages}")


def up(settings: LabSettings, *, network_only: bool = False, announce: bool = False, report: Report = print) -> Lab:
    """Starts a lab; removes first what a crash has left of one with this name.

    network_only: machines and Redfish, without Kubernetes API and stand-ins; announce: then start the speakers here.
    """
    check_host(settings)
    suites = sorted({settings.node_suite, settings.router_suite})
    for suite in suites:
        if not rootfs.is_current(suite):
            report(f"making the {suite} root file system (once, about a minute)")
    with ThreadPoolExecutor() as pool:
        list(pool.map(rootfs.ensure, suites))
    _clear(settings.name)
    if settings.form == "nspawn":
        inotify.check()
    lab = Lab(settings)
    try:
        settings.directory.mkdir(parents=True, mode=0o700)
        with _starting(settings.directory):
            _start(lab, network_only=network_only, announce=announce)
    except BaseException:
        # Half a lab is of no use to anybody; what it had to say is in the error.
        down(settings.name)
        raise
    return lab


def _start(lab: Lab, *, network_only: bool, announce: bool) -> None:
    settings = lab.settings
    lab.save()
    ssh.make_keys(settings)
    ssh.write_config(settings)
    network.create(settings)
    with ThreadPoolExecutor(max_workers=8) as pool:
        machines_on = [pool.submit(_start_machine, machine) for machine in lab.machines.values()]
        redfish = pool.submit(_start_redfish, lab)
        api = None if network_only else pool.submit(_start_api, lab)
        lab.redfish = redfish.result()
        lab.api = api.result() if api else {}
        inventory.write(lab)
        lab.save()
        for machine_on in machines_on:
            machine_on.result()
    if lab.api:
        cluster.seed(lab)
        _spawn(lab, "lab.standins", "--lab", settings.name)
    elif announce:
        start_speakers(lab)
    if lab.api or announce:
        wait_for_routes(lab)
    lab.ready = True
    lab.save()


def start_speakers(lab: Lab) -> None:
    """Starts all speakers with their default configuration (what the stand-ins do otherwise)."""
    with ThreadPoolExecutor() as pool:
        starts = [
            pool.submit(speaker.apply, machine, speaker.default_config(lab.settings, machine.role))
            for machine in lab.nodes.values()
        ]
    for start in starts:
        start.result()


def missing_routes(lab: Lab) -> list[str]:
    """Prefixes that some router's kernel does not send to all nodes announcing them, in words; [] = all there."""
    missing = []
    for name, router in lab.routers.items():
        for prefix, hops in expected_routes(lab, router.role).items():
            if set(network.next_hops(name, prefix)) != hops:
                missing.append(f"{prefix} on {name}")
    return missing


def expected_routes(lab: Lab, router: str) -> dict[str, set[str]]:
    """Prefix -> next hops that a router's kernel has while all nodes are in service."""
    expected: dict[str, set[str]] = {}
    for i, node in enumerate(s.NODES, 1):
        for v in (0, 1):
            hops = wiring.next_hops(lab.settings, router, node, v)
            # Without a Kubernetes API there are no pods.
            for prefix in (*s.prefixes(i)[v], *(s.local_vips(i)[v] if lab.api else ())):
                expected.setdefault(prefix, set()).update(hops)
    return expected


def routers_sending_to(lab: Lab, node: str) -> list[str]:
    """Routers whose kernel has a next hop that is this node and no other one.

    A router that has nodes over another router has the same next hop for all of them: the other one tells.
    """
    role = lab.machines[node].role
    found = []
    for name, router in lab.routers.items():
        hops = _hops(lab, router.role, [role]) - _hops(lab, router.role, [each for each in s.NODES if each != role])
        if hops & set(network.all_next_hops(name)):
            found.append(name)
    return found


def _hops(lab: Lab, router: str, nodes: Sequence[str]) -> set[str]:
    return {hop for node in nodes for v in (0, 1) for hop in wiring.next_hops(lab.settings, router, node, v)}


def wait_for_routes(lab: Lab, *, timeout: float = 60) -> None:
    """Returns when all routes are in both routers' kernels; timeout in seconds."""
    deadline = time.monotonic() + timeout
    while missing := missing_routes(lab):
        if time.monotonic() > deadline:
            raise LabError(f"after {timeout:g} s {len(missing)} routes are missing: {', '.join(missing[:4])}, ...")
        time.sleep(0.2)


def down(name: str) -> None:
    """Ends and removes everything of a lab; raises an error that names what could not be removed."""
    deadline = time.monotonic() + 10
    while (pids := processes(name)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.03)
    # After the stand-ins have ended: they would put back what is removed.
    problem = _wipe(name)
    network.remove(name)
    # A cgroup stays busy until the last of its dead processes is reaped.
    while (found := _cgroups(name)) and time.monotonic() < deadline:
        _in_cgroup2(f"rmdir {' '.join(found)}")
    if not problem:  # else `down` can be tried again, with the kubeconfig that is there
        shutil.rmtree(LabSettings(name).directory, ignore_errors=True)
    with contextlib.suppress(OSError):
        s.BASE.rmdir()
    if left := [*problem, *leftovers(name)]:
        raise LabError(f"lab {name} could not be removed completely: {'; '.join(left[:5])}")


def leftovers(name: str) -> list[str]:
    """What is there of a lab, in words: processes, mounts, namespaces, cgroups, files; [] = nothing."""
    directory = LabSettings(name).directory
    left = [f"process {pid} ({_command(pid)})" for pid in processes(name)]
    left += [f"mount {line.split()[4]}" for line in _mountinfo() if f"{directory}/" in line]
    left += [f"network namespace {netns}" for netns in network.namespaces(name)]
    left += [f"cgroup {path}" for path in _cgroups(name)]
    left += [f"directory {directory}"] if directory.exists() else []
    return left


def processes(name: str) -> list[int]:
    """Processes that the lab started, or that are in one of its network namespaces; never this one or its parents."""
    marker = f"{s.MARKER}={name}".encode()
    spaces = set()
    for netns in network.namespaces(name):
        with contextlib.suppress(OSError):
            spaces.add((network.NETNS / netns).stat().st_ino)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if marker in (entry / "environ").read_bytes().split(b"\0") or (entry / "ns/net").stat().st_ino in spaces:
                found.append(int(entry.name))
    return sorted(set(found) - _own_line())


def _start_machine(machine: machines.Machine) -> None:
    files, links = ssh.files(machine.settings), {}
    units = "/etc/systemd/system"
    kind = "client"
    if machine.role in s.ROUTERS:
        kind = "router"
        files |= frr.files(machine.settings, machine.role)
        space = wiring.space(machine.settings, machine.role)
        unit, template = (f"frr@{space}.service", "frr@.service") if space else ("frr.service", "frr.service")
        links[f"{units}/multi-user.target.wants/{unit}"] = f"/lib/systemd/system/{template}"
    elif machine.role in s.NODES:
        kind = "node"
        gateways = s.pod_gateways(s.NODES.index(machine.role) + 1)
        addresses = [prefix.partition("/")[0] for prefix in (*s.VIPS, *s.LOCAL_VIPS, *gateways)]
        files["/etc/hitless/echo"] = "\n".join([str(s.ECHO_PORT), *addresses, ""])
        started = ["hitless-echo.service"]
        if unnumbered := wiring.unnumbered(machine.settings):
            files["/etc/hitless/advertise"] = "\n".join([*unnumbered, ""])
            started.append("hitless-advertise.service")
        for unit in (*started, "hitless-speaker.service"):
            files[f"{units}/{unit}"] = (machines.FILES / unit).read_text()
        links |= {f"{units}/multi-user.target.wants/{unit}": f"{units}/{unit}" for unit in started}
    machine.prepare(files | {"/etc/hitless/role": f"{kind}\n"}, links)
    machine.start()


def _start_redfish(lab: Lab) -> dict[str, str]:
    access = power.prepare(lab.dir)
    return access | _serve(lab, "lab.redfish", ["--lab", lab.settings.name], power.ENDPOINT)


def _start_api(lab: Lab) -> dict[str, Any]:
    """What lab.json says of the API: url, admin_kubeconfig, emulated, ...; standins.kubeconfig is there afterwards."""
    own = lab.dir / cluster.KUBECONFIG
    if given := os.environ.get("LAB_KUBECONFIG"):
        config = Path(given).resolve()
        if not config.is_file():
            raise LabError(f"LAB_KUBECONFIG names {given}, and there is no such file")
        own.touch(mode=0o600)
        own.write_bytes(config.read_bytes())
        return {"emulated": False, "admin_kubeconfig": str(own), "url": _server(own)}
    about = _serve(lab, "emulator", ["--dir", str(lab.dir)], "emulator.json")
    # A user of their own tells the stand-ins from the tests in the emulator's log of requests.
    body = {"user": "lab-stand-ins", "groups": ["system:masters"]}
    own.touch(mode=0o600)
    answer = Api(Path(about["admin_kubeconfig"])).post("/_emulator/kubeconfig", body)
    if answer.status >= 300:
        raise LabError(f"the emulator gives no kubeconfig for the stand-ins: {answer.status} {answer.body[:200]!r}")
    own.write_bytes(answer.body)
    return {"emulated": True, **about}


def _server(kubeconfig: Path) -> str:
    """URL of the API server in a kubeconfig."""
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_kube_config

    configuration = Configuration()
    try:
        load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    except ConfigException as error:
        raise LabError(f"LAB_KUBECONFIG: {error}") from None
    return str(configuration.host)


def _wipe(name: str) -> list[str]:
    """Removes the lab's objects from a real API server; what went wrong, in words. The emulator's end with it."""
    try:
        lab = state.load(name)
    except (LabError, ValueError, KeyError, TypeError):
        return []
    if lab.api.get("emulated", True):
        return []
    try:
        cluster.wipe(lab)
    except LabError as error:
        return [f"objects in {lab.api['url']} ({error}), so try again, or remove {lab.dir} to give up"]
    return []


def _spawn(lab: Lab, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts a module in the background; it logs to a file of its own and is found again by its marker."""
    log_path = _log_path(lab, module)
    log_path.parent.mkdir(exist_ok=True)
    environment = os.environ | {s.MARKER: lab.settings.name, "PYTHONPATH": str(Path(__file__).parents[1])}
    with log_path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
            cwd=lab.dir,
        )


def _log_path(lab: Lab, module: str) -> Path:
    return lab.dir / "logs" / f"{module.rpartition('.')[2]}.log"


def _serve(lab: Lab, module: str, arguments: list[str], file: str, *, timeout: float = 60) -> dict[str, Any]:
    """Starts a server; content of the JSON file that it writes once it serves; timeout in seconds."""
    process = _spawn(lab, module, *arguments)
    deadline = time.monotonic() + timeout
    while not (path := lab.dir / file).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = _log_path(lab, module).read_text().strip().splitlines()
            raise LabError(f"{module} did not start: {said[-1] if said else 'it says nothing'}")
        time.sleep(0.03)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _clear(name: str) -> None:
    """Refuses if the lab runs, removes the rest of a crashed one."""
    directory = LabSettings(name).directory
    if directory.exists():
        with _starting(directory):
            if _is_ready(name) and processes(name):
                raise LabError(f"lab {name} is up: take it down first, or choose another --name")
    if leftovers(name):
        down(name)


def _is_ready(name: str) -> bool:
    """Whether a lab's start was completed; a damaged lab.json says no."""
    try:
        return state.load(name).ready
    except (LabError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def _starting(directory: Path) -> Iterator[None]:
    """Holds the lab's directory locked; the lock ends with the process, however that ends."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another process is starting the lab in {directory}") from None
        yield
    finally:
        os.close(handle)


def _own_line() -> set[int]:
    """This process and its ancestors."""
    line, pid = set(), os.getpid()
    while pid > 0 and pid not in line:
        line.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except OSError:
        return "ended"


def _mountinfo() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()


def _cgroups(name: str) -> list[str]:
    """The lab's cgroups, deepest first, where this host's systemd does not look after them."""
    group = machines.cgroup(name)
    return _in_cgroup2(f"find {group} -depth -type d").split() if group else []


def _in_cgroup2(command: str) -> str:
    """Output of a shell command in the root of the cgroup2 tree, mounted for it alone."""
    script = f"mount -t cgroup2 cgroup2 /mnt && cd /mnt && {command}"
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    ).stdout
