# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of both forms: power, boot id, SSH, echo, Redfish."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from lab import cli
from lab import settings as s
from lab.settings import LabError, LabSettings
from lab.state import Lab

pytestmark = pytest.mark.long

Eventually = Callable[..., None]


@pytest.fixture(scope="module", params=s.FORMS)
def lab(request: pytest.FixtureRequest, network_lab: Any) -> Iterator[Lab]:
    with network_lab(LabSettings(f"m{request.param[:2]}", request.param), announce=False) as found:
        yield found


def answers(lab: Lab, role: str) -> bool:
    """Whether a machine answers a ping from the client."""
    address = s.addresses(role)[0]
    return lab.client.run(["ping", "-c1", "-W1", address]).returncode == 0


def login(lab: Lab, user: str, role: str, command: str) -> subprocess.CompletedProcess[str]:
    host = f"{user}@{lab.settings.machine(role)}"
    argv = ["ssh", "-F", str(lab.dir / "ssh_config"), host, command]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def test_off_and_on_again(lab: Lab, eventually: Eventually) -> None:
    machine = lab.machines[lab.settings.machine("worker-1")]
    first = machine.boot_id()
    eventually(lambda: answers(lab, "worker-1"), "worker-1 answers")
    machine.poweroff()
    assert (machine.running(), machine.boot_id(), machine.leader()) == (False, None, None)
    assert not answers(lab, "worker-1"), "a machine that is off answers to nothing"
    with pytest.raises(LabError, match="worker-1 is off: cannot true"):
        machine.run(["true"])
    machine.poweroff()  # once more changes nothing
    machine.start()
    machine.start()
    assert machine.boot_id() not in (None, first)
    eventually(lambda: answers(lab, "worker-1"), "worker-1 answers again")


def test_reboot_changes_the_boot_id(lab: Lab) -> None:
    machine = lab.machines[lab.settings.machine("worker-2")]
    first = machine.boot_id()
    machine.reboot()
    inside = machine.run(["cat", "/proc/sys/kernel/random/boot_id"]).stdout.strip()
    assert inside == machine.boot_id() != first
    others = {other.boot_id() for other in lab.machines.values()}
    assert len(others) == len(lab.machines), "no two machines share a boot id"


def test_cut_says_nothing_and_on_again(lab: Lab, eventually: Eventually) -> None:
    machine = lab.machines[lab.settings.machine("worker-3")]
    machine.cut()
    assert not machine.running()
    assert not answers(lab, "worker-3")
    machine.start()
    eventually(lambda: answers(lab, "worker-3"), "worker-3 answers again")


def test_os_switches_itself_off_and_reboots(lab: Lab, eventually: Eventually) -> None:
    machine = lab.machines[lab.settings.machine("worker-1")]
    first = machine.boot_id()
    eventually(lambda: login(lab, "root", "worker-1", "true").returncode == 0, "sshd answers")
    login(lab, "root", "worker-1", "shutdown -r now")
    eventually(lambda: machine.boot_id() not in (None, first), "another boot id")
    eventually(lambda: login(lab, "root", "worker-1", "true").returncode == 0, "sshd answers after the reboot")
    login(lab, "root", "worker-1", "poweroff")
    eventually(lambda: not machine.running(), "off")
    assert cli.main(["power", "on", "worker-1", "--name", lab.settings.name]) == 0
    assert machine.running()


def test_command_line_names_the_machines_it_knows(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["power", "off", "worker-9", "--name", lab.settings.name]) == 1
    assert "no machine worker-9" in capsys.readouterr().err


def test_router_users_may_and_may_not_read_frr(lab: Lab, eventually: Eventually) -> None:
    read = "vtysh -c 'show bgp summary json'"
    eventually(lambda: login(lab, "hitless", "tor-1", read).returncode == 0, "vtysh answers hitless")
    assert json.loads(login(lab, "hitless", "tor-1", read).stdout)["ipv4Unicast"]["as"] == s.ROUTER_ASN
    refused = login(lab, "guest", "tor-1", read)
    assert refused.returncode != 0
    assert "failed to connect to any daemons" in refused.stderr


def test_every_vip_is_echoed_over_udp_and_tcp(lab: Lab, eventually: Eventually) -> None:
    ask = (
        "import socket, sys\n"
        "for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:\n"
        "    with socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, kind) as sock:\n"
        "        sock.settimeout(2)\n"
        "        sock.connect((sys.argv[1], 7))\n"
        "        sock.sendall(b'hello')\n"
        "        assert sock.recv(99) == b'hello'\n"
    )
    node = lab.machines[lab.settings.machine("worker-2")]

    def echoed(vip: str) -> bool:
        argv = node.inside(["python3", "-c", ask, vip.partition("/")[0]])
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    node.set_vips(s.LOCAL_VIPS, [])
    for vip in (*s.VIPS, *s.LOCAL_VIPS):
        eventually(lambda vip=vip: echoed(vip), f"echo on {vip}")
    node.set_vips([], s.LOCAL_VIPS)
    assert not any(echoed(vip) for vip in s.LOCAL_VIPS)


class Bmc:
    """A Redfish client."""

    def __init__(self, lab: Lab, uuid: str) -> None:
        self.access, self.path = lab.redfish, f"/redfish/v1/Systems/{uuid}"
        self.context = ssl.create_default_context(cafile=self.access["ca"])

    def ask(self, path: str = "", body: Any = None, password: str | None = None) -> tuple[int, Any]:
        """Status and, of a success, what was said."""
        token = f"{self.access['username']}:{password or self.access['password']}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(token).decode()}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.access["url"] + self.path + path, data, headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=120) as answer:  # noqa: S310
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, None

    def reset(self, kind: str) -> int:
        """Presses a button."""
        return self.ask("/Actions/ComputerSystem.Reset", {"ResetType": kind})[0]

    def state(self) -> str:
        """PowerState."""
        return str(self.ask()[1]["PowerState"])


def test_redfish_switches_the_machine(lab: Lab, eventually: Eventually) -> None:
    machine = lab.machines[lab.settings.machine("worker-3")]
    bmc = Bmc(lab, machine.uuid)
    assert bmc.ask()[1]["UUID"] == machine.uuid
    assert (bmc.state(), bmc.ask(password="wrong")[0]) == ("On", 401)
    assert Bmc(lab, "nobody").ask()[0] == 404
    assert bmc.reset("Nmi") >= 400, "what is not modelled is refused"
    for kind, state in [("GracefulShutdown", "Off"), ("On", "On"), ("ForceOff", "Off"), ("On", "On")]:
        assert bmc.reset(kind) == 204
        eventually(lambda state=state: bmc.state() == state, f"{state} after {kind}")
        assert machine.running() == (state == "On")
    for kind in ("ForceRestart", "GracefulRestart"):
        before = machine.boot_id()
        assert bmc.reset(kind) == 204
        eventually(lambda before=before: machine.boot_id() not in (None, before), f"another boot after {kind}")


def test_redfish_follows_what_others_switch(lab: Lab) -> None:
    machine = lab.machines[lab.settings.machine("worker-2")]
    bmc = Bmc(lab, machine.uuid)
    machine.cut()
    assert bmc.state() == "Off"
    machine.start()
    assert bmc.state() == "On"
    machine.poweroff()
    assert bmc.state() == "Off"
    machine.start()


def test_inventory_names_users_that_can_log_in(lab: Lab, eventually: Eventually) -> None:
    inventory = yaml.safe_load((lab.dir / "inventory.yml").read_text())
    assert {group: list(content["hosts"]) for group, content in inventory.items()} == {
        "nodes": list(lab.nodes),
        "routers": list(lab.routers),
    }
    for group in inventory.values():
        user, arguments = group["vars"]["ansible_user"], group["vars"]["ansible_ssh_common_args"].split()
        for host in group["hosts"]:
            argv = ["ssh", *arguments, "-l", user, host, "id -un; hostname"]
            eventually(
                lambda argv=argv: subprocess.run(argv, capture_output=True, check=False).returncode == 0,
                f"{host} answers",
            )
            assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split() == [user, host]
    for host, variables in inventory["nodes"]["hosts"].items():
        assert variables["power_redfish_resource_id"] == lab.machines[host].uuid
