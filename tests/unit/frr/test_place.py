# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where vtysh and ip are run, with a real command before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import place
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError, UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.place import Place
from ansible_collections.hitless.nodes.plugins.module_utils.frr.programs import programs
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

ROUTE = '[{"dst":"10.9.4.7","gateway":"192.0.2.1","dev":"x"}]\n'


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("ip netns exec blue", ["ip", "netns", "exec", "blue"]),
        (["ip", "netns", "exec", "blue"], ["ip", "netns", "exec", "blue"]),
        ("nsenter -t 7 -n", ["nsenter", "-t", "7", "-n"]),
        ("sudo -n", ["sudo", "-n"]),
        # Without -i these give ip nothing to read.
        ("docker exec frr", ["docker", "exec", "-i", "frr"]),
        ("/usr/bin/podman exec frr", ["/usr/bin/podman", "exec", "-i", "frr"]),
        ("sudo -n docker exec bgp", ["sudo", "-n", "docker", "exec", "-i", "bgp"]),
        ("kubectl -n net exec frr-0 --", ["kubectl", "-n", "net", "exec", "-i", "frr-0", "--"]),
        ("kubectl exec -n net frr-0 --", ["kubectl", "exec", "-i", "-n", "net", "frr-0", "--"]),
        ("docker exec -i frr", ["docker", "exec", "-i", "frr"]),
        ("docker exec --interactive frr", ["docker", "exec", "--interactive", "frr"]),
        ("lxc exec frr --", ["lxc", "exec", "frr", "--"]),
    ],
)
def test_the_words_of_router_exec(given: Any, words: list[str]) -> None:
    assert place.checked(given) == words


@pytest.mark.parametrize("given", ["docker 'exec", 7])
def test_what_can_not_be_split_is_refused(given: Any) -> None:
    with pytest.raises(RouterError, match=r"router_exec .* can't be split into words"):
        place.checked(given)


@pytest.mark.parametrize(
    ("given", "elsewhere"),
    [(None, False), ("sudo -n", False), ("/usr/bin/doas", False), ("sudo -n docker exec frr", True), ("./enter", True)],
)
def test_whether_it_leads_elsewhere(given: Any, elsewhere: bool) -> None:
    assert Place(given).is_elsewhere is elsewhere


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with vtysh and ip, which only a command "enter" finds."""
    inside = tmp_path / "inside"
    inside.mkdir()
    vtysh, ip = samples.Replay(inside / "v", "vtysh"), samples.Replay(inside / "i", "ip")
    vtysh.answers({"a": (0, '{"n": 1}', "")})
    ip.answers({"route get fibmatch 10.9.4.7": (0, ROUTE, "")})
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("PATH", str(outside))
    enter = outside / "enter"
    enter.write_text(f'#!/bin/sh\nPATH={inside}/v:{inside}/i exec "$@"\n')
    enter.chmod(0o755)
    return outside


@pytest.mark.usefixtures("there")
def test_both_programs_are_run_by_the_same_command() -> None:
    vtysh, fib = programs({"vtysh": "vtysh", "exec": "enter"})
    assert vtysh.show(["a"]) == [{"n": 1}]
    assert [entry["next_hops"] for entry in fib.routes({"default": ["10.9.4.7/32"]})] == [["192.0.2.1"]]


def test_the_configuration_is_changed_by_the_same_command(there: Path) -> None:
    inside = there.parent / "inside" / "v"
    (inside / "answers.json").write_text('{"configure terminal": [0, "", ""], "router bgp 65000": [0, "", ""]}')
    programs({"vtysh": "vtysh", "exec": "enter"})[0].configure(["router bgp 65000"])
    assert '"configure terminal", "router bgp 65000"' in (inside / "asked.json").read_text()


def says(there: Path, script: str, exec_: Any = "enter") -> tuple[Exception, Exception]:
    """What asking vtysh and ip ends with, where the command is this script."""
    (there / "enter").write_text(f"#!/bin/sh\n{script}\n")
    vtysh, fib = programs({"vtysh": "vtysh", "exec": exec_})
    with pytest.raises((RouterError, UnknownError)) as of_vtysh:
        vtysh.show(["a"])
    with pytest.raises((RouterError, UnknownError)) as of_ip:
        fib.routes({"default": ["10.9.4.7/32"]})
    return of_vtysh.value, of_ip.value


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'Error response from daemon: No such container: frr' >&2; exit 1", "No such container: frr"),
        ("echo 'Error response from daemon: container 12ab is not running' >&2; exit 1", "is not running"),
        ("echo 'Error: no container with name or ID \"frr\" found' >&2; exit 125", "no container with name"),
        ("echo 'Cannot open network namespace \"blue\": No such file or directory' >&2; exit 1", "namespace"),
        ("echo 'OCI runtime exec failed: exec: \"vtysh\": not found in $PATH' >&2; exit 127", "OCI runtime"),
        ("echo 'sudo: a password is required' >&2; exit 1", "a password is required"),
        ("exit 1", "said: nothing"),
    ],
)
def test_a_command_that_fails_is_named_in_one_line(there: Path, script: str, words: str) -> None:
    for error in says(there, script):
        assert isinstance(error, UnknownError)
        assert [word for word in ("router_exec (enter)", words) if word not in str(error)] == []
        assert "\n" not in str(error)


def test_a_command_that_passes_no_input_on_is_named(there: Path) -> None:
    """As docker exec without -i: ip reads an empty batch, and ends well."""
    of_ip = says(there, 'case "$1" in ip) exit 0;; esac; exit 1')[1]
    assert "ip gave no answer by router_exec (enter), which ended with 0 and said: nothing" in str(of_ip)


def test_a_command_that_is_not_there_is_refused(there: Path) -> None:
    for error in says(there, "", exec_="no-such-program exec frr"):
        assert isinstance(error, RouterError)
        assert "router_exec (no-such-program exec frr) can't be run on this router" in str(error)
        assert "no such file or directory; correct router_exec" in str(error)


def test_an_error_of_ip_itself_is_not_the_command_s(there: Path) -> None:
    of_ip = says(there, "echo 'Error: argument \"blue\" is wrong: Invalid VRF' >&2; exit 1")[1]
    assert "is the VRF's name right" in str(of_ip)


def test_daemons_that_can_not_be_reached_there(there: Path) -> None:
    of_vtysh = says(there, "echo 'Exiting: failed to connect to any daemons.' >&2; exit 1")[0]
    assert "vtysh found no FRR daemon by router_exec (enter)" in str(of_vtysh)


def test_a_list_is_not_understood_where_the_command_fails(there: Path) -> None:
    (there / "enter").write_text("#!/bin/sh\necho no such container >&2\nexit 1\n")
    with pytest.raises(UnknownError, match=r"ip gave no answer by router_exec \(enter\).*no such container"):
        Fib(Place("enter")).addresses()


def test_no_answer_in_time_names_the_command(there: Path) -> None:
    (there / "enter").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    with pytest.raises(UnknownError, match=r"no answer to 'a' by router_exec \(enter\) within 0 s"):
        Vtysh("vtysh", Place("enter"), timeout=0.1).show(["a"])
    with pytest.raises(UnknownError, match=r"look-ups by router_exec \(enter\) within 0 s"):
        Fib(Place("enter"), timeout=0.1).routes({"default": ["10.9.4.7/32"]})


@pytest.mark.parametrize("system", ["FreeBSD", "OpenBSD"])
def test_a_router_that_is_not_linux_is_named_as_such(system: str) -> None:
    with pytest.raises(RouterError, match=f"this router runs {system}, not Linux: .*; use evidence=cilium"):
        Fib(system=system)
