# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import vtysh as vtysh_client
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError, UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

LOOK_UP = "show bgp ipv4 unicast 192.168.77.128/32 json"


def failure(version: str, name: str, allowed: bool | None = None) -> Exception:
    return vtysh_client.failure(
        "show bgp summary json",
        1,
        samples.text(version, name),
        samples.stderr(version, name),
        user="alice",
        allowed=allowed,
    )


@pytest.mark.parametrize("version", samples.VERSIONS)
@pytest.mark.parametrize(
    ("name", "allowed", "kind", "words"),
    [
        ("error.invalid-command", True, RouterError, ["% Unknown command", "FRR 8.4 or newer"]),
        ("bgpd-down.summary", True, UnknownError, ["bgpd is not running", "systemctl restart frr"]),
        ("frr-down.summary", True, UnknownError, ["FRR isn't running", "systemctl restart frr"]),
        (
            "unprivileged.nobody",
            False,
            RouterError,
            ["alice may not talk to FRR", "usermod -aG frrvty alice", "become"],
        ),
        # Without a group frrvty on the router nothing is known of rights: both causes are named.
        (
            "unprivileged.nobody",
            None,
            UnknownError,
            ["FRR isn't running", "use become if user alice isn't in group frrvty"],
        ),
        # A member of the group with FRR down gets the same text from vtysh as somebody without rights.
        ("unprivileged.nobody", True, UnknownError, ["FRR isn't running"]),
    ],
)
def test_failure_is_named_with_its_remedy(
    version: str, name: str, allowed: bool | None, kind: type[Exception], words: list[str]
) -> None:
    error = failure(version, name, allowed)
    assert isinstance(error, kind)
    assert [word for word in words if word not in str(error)] == []


def test_failure_of_another_kind_shows_what_vtysh_said() -> None:
    error = vtysh_client.failure("show x", 3, "", "segmentation\nfault", user="root", allowed=True)
    assert isinstance(error, UnknownError)
    assert "ended with 3 and said: segmentation fault" in str(error)


@pytest.mark.parametrize(
    ("user", "groups", "group", "expected"),
    [(0, [], None, True), (1000, [5, 7], 7, True), (1000, [5], 7, False), (1000, [5], None, None)],
)
def test_may_ask(user: int, groups: list[int], group: int | None, expected: bool | None) -> None:
    assert vtysh_client.may_ask(user, groups, group) is expected


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_answers_when_two_commands_answer_one_after_another(version: str) -> None:
    commands = [LOOK_UP, "show bgp ipv4 unicast 10.244.1.0/24 json"]
    found = vtysh_client.answers(commands, samples.text(version, "error.two-commands"))
    assert [document["prefix"] for document in found] == ["192.168.77.128/32", "10.244.1.0/24"]


@pytest.mark.parametrize("version", samples.VERSIONS)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.99])
def test_answers_when_cut_off_are_unknown(version: str, part: float) -> None:
    whole = samples.text(version, "established.vip").strip()
    with pytest.raises(UnknownError, match="isn't complete JSON"):
        vtysh_client.answers([LOOK_UP], whole[: int(len(whole) * part)])


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_answers_name_the_command_that_is_cut_off(version: str) -> None:
    both = samples.text(version, "error.two-commands").strip()
    with pytest.raises(UnknownError, match="the answer to 'second'"):
        vtysh_client.answers(["first", "second"], both[:-10])


@pytest.mark.parametrize("version", samples.VERSIONS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-router-bgp.vip", "Default BGP instance not found"),
        ("established.absent-neighbor-routes", "No such neighbor in this view/vrf"),
        # Invalid JSON on 10.3, a warning object on 8.4.4.
        ("no-soft-reconf.nbr-received", "Inbound soft reconfiguration not enabled"),
    ],
)
def test_answers_when_a_warning_comes_with_rc_0_are_unknown(version: str, name: str, words: str) -> None:
    with pytest.raises(UnknownError, match=words):
        vtysh_client.answers(["show"], samples.text(version, name))


@pytest.mark.parametrize(
    ("stdout", "words"),
    [
        ("", "0 answers to 1 commands"),
        ("\n \n", "0 answers to 1 commands"),
        ("{}{}", "2 answers to 1 commands"),
        ("[]", "is a list, not an object"),
        ("null", "is a NoneType, not an object"),
        ("FRRouting 8.4.4", "isn't complete JSON"),
        ("% VRF red not found\n{}", "zebra knows no VRF red"),
    ],
)
def test_answers_when_not_one_object_each_are_unknown(stdout: str, words: str) -> None:
    with pytest.raises(UnknownError, match=words):
        vtysh_client.answers(["show"], stdout)


@pytest.fixture
def vtysh(tmp_path: Path) -> samples.Replay:
    return samples.Replay(tmp_path / "v", "vtysh")


def test_show_when_all_is_well_takes_one_process(vtysh: samples.Replay) -> None:
    vtysh.answers({"a": (0, '\n{"n": 1}\n', "% Can't open configuration file"), "b": (0, "{}", "")})
    assert vtysh_client.Vtysh(str(vtysh.path)).show(["a", "b"]) == [{"n": 1}, {}]
    assert vtysh.asked() == [["a", "b"]]


def test_show_when_the_second_command_fails_names_it(vtysh: samples.Replay) -> None:
    vtysh.answers({"a": (0, "{}", ""), "b": (1, "", "bgpd is not running\n")})
    with pytest.raises(UnknownError, match="no answer to 'b': bgpd is not running"):
        vtysh_client.Vtysh(str(vtysh.path)).show(["a", "b"])


def test_show_with_when_the_extra_command_is_unknown_asks_it_once_only(vtysh: samples.Replay) -> None:
    vtysh.answers({"a": (0, '{"n": 1}\n', "")})
    client = vtysh_client.Vtysh(str(vtysh.path))
    assert client.show_with(["a"], ["extra"]) == ([{"n": 1}], [])
    assert client.show_with(["a"], ["extra"]) == ([{"n": 1}], [])
    assert vtysh.asked() == [["a", "extra"], ["a"]]


def test_show_with_when_the_extra_command_answers(vtysh: samples.Replay) -> None:
    vtysh.answers({"a": (0, '{"n": 1}', ""), "extra": (0, '{"n": 2}', "")})
    assert vtysh_client.Vtysh(str(vtysh.path)).show_with(["a"], ["extra"]) == ([{"n": 1}], [{"n": 2}])


def test_show_with_when_a_needed_command_is_unknown_fails(vtysh: samples.Replay) -> None:
    vtysh.answers({"extra": (0, "{}", "")})
    with pytest.raises(RouterError, match="vtysh refused 'a'"):
        vtysh_client.Vtysh(str(vtysh.path)).show_with(["a"], ["extra"])


def test_show_with_when_the_extra_command_fails_otherwise_is_unknown(vtysh: samples.Replay) -> None:
    vtysh.answers({"a": (0, "{}", ""), "extra": (1, "", "bgpd is not running")})
    with pytest.raises(UnknownError, match="'extra': bgpd is not running"):
        vtysh_client.Vtysh(str(vtysh.path)).show_with(["a"], ["extra"])


def test_text_gives_what_was_printed(vtysh: samples.Replay) -> None:
    vtysh.answers({"show version": (0, "FRRouting 10.3 (tor-1)\n", "")})
    assert vtysh_client.Vtysh(str(vtysh.path)).text("show version") == "FRRouting 10.3 (tor-1)\n"


def test_text_when_vtysh_fails(vtysh: samples.Replay) -> None:
    vtysh.answers({"show version": (1, "", "zebra is not running")})
    with pytest.raises(UnknownError, match="zebra is not running"):
        vtysh_client.Vtysh(str(vtysh.path)).text("show version")


def test_show_when_there_is_no_vtysh(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match="isn't on this host; install FRR"):
        vtysh_client.Vtysh(str(tmp_path / "none")).show(["a"])


def test_show_when_vtysh_may_not_be_run(tmp_path: Path) -> None:
    program = tmp_path / "vtysh"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(RouterError, match="this user may not run"):
        vtysh_client.Vtysh(str(program)).show(["a"])


def test_show_when_there_is_no_answer_in_time(tmp_path: Path) -> None:
    program = tmp_path / "vtysh"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(UnknownError, match="no answer to 'a' within 0 s"):
        vtysh_client.Vtysh(str(program), timeout=0.1).show(["a"])


def test_vtysh_takes_arguments_and_needs_a_program() -> None:
    assert vtysh_client.Vtysh("/usr/bin/vtysh -N blue").argv == ["/usr/bin/vtysh", "-N", "blue"]
    with pytest.raises(RouterError, match=r"router_vtysh .* is empty"):
        vtysh_client.Vtysh(" ")
