# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab comes up, goes without a trace, also after a crash, and leaves others alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml
from emulator.client import Api
from lab import cli, lifecycle, network, rootfs, state
from lab.settings import LabError, LabSettings
from lab.state import Lab

pytestmark = pytest.mark.long

LabMaker = Callable[..., AbstractContextManager[Lab]]
TESTS = Path(__file__).parents[2]


def lab_command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments],
        env=os.environ | {"PYTHONPATH": str(TESTS)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_whole_lab_up_and_down_leaves_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["up", "--name", "cka", "--form", "plain"]) == 0
    try:
        lab = state.load("cka")
        assert lab.ready
        assert lab.api["version"].endswith("-emulated")
        assert all(machine.running() for machine in lab.machines.values())
        assert lifecycle.missing_routes(lab) == []
        assert cli.main(["status", "--name", "cka"]) == 0
        assert cli.main(["up", "--name", "cka"]) == 1, "a lab that is up is not started twice"
        assert "lab cka is up: take it down first" in capsys.readouterr().err
        assert lab.client.running(), "the refusal changed nothing"
        assert cli.main(["knob", "--name", "cka", "operator.dead=true", "agents.cka-worker-1.keep_peers=[]"]) == 0
        knobs = {"operator": {"dead": True}, "agents": {"cka-worker-1": {"keep_peers": []}}}
        assert json.loads((lab.dir / "knobs.json").read_text()) == knobs
        assert cli.main(["knob", "--name", "cka", "operator.dead"]) == 1
        assert "a knob is set as KEY=VALUE" in capsys.readouterr().err
        assert cli.main(["integration-config", "--name", "cka", "--out", str(tmp_path / "config.yml")]) == 0
        assert yaml.safe_load((tmp_path / "config.yml").read_text())["lab_node"] == "cka-worker-1"
        kinds = {entry.split()[0] for entry in lifecycle.leftovers("cka")}
        assert kinds == {"process", "network", "directory"}
    finally:
        assert cli.main(["down", "--name", "cka"]) == 0
    assert lifecycle.leftovers("cka") == []
    assert cli.main(["status", "--name", "cka"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("lab: there is no lab cka: start it with")


@pytest.mark.parametrize("form", ["plain", "nspawn"])
def test_crash_in_the_middle_of_up_is_cleaned_up(form: str, eventually: Callable[..., None]) -> None:
    directory = LabSettings("ckb").directory
    process = lab_command("up", "--name", "ckb", "--form", form, "--network-only")
    try:
        # Killed at the moment when some machines are on and others not.
        eventually(lambda: any(directory.glob("machines/*/pid")) or process.poll() is not None, "a machine starts")
        process.kill()
        process.communicate()
        assert lifecycle.leftovers("ckb") != []
        lab = lifecycle.up(LabSettings("ckb", form), network_only=True)
        assert all(machine.running() for machine in lab.machines.values())
    finally:
        process.kill()
        process.communicate()
        lifecycle.down("ckb")
    assert lifecycle.leftovers("ckb") == []


def test_start_that_fails_removes_what_it_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(LabError, match=r"LAB_KUBECONFIG names .*/missing, and there is no such file"):
        lifecycle.up(LabSettings("ckf", "plain"))
    assert lifecycle.leftovers("ckf") == []


def server_url(directory: Path) -> str:
    return str(json.loads((directory / "emulator.json").read_text())["url"])


def test_api_server_of_others_is_used_and_left_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    def objects() -> set[str]:
        api = Api(tmp_path / "admin.kubeconfig")
        lists = [api.get(f"/api/v1/{kind}").of(200) for kind in ("nodes", "namespaces")]
        return {item["metadata"]["name"] for found in lists for item in found["items"]}

    argv = [sys.executable, "-m", "emulator", "--dir", str(tmp_path)]
    with subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": str(TESTS)}, stdout=subprocess.DEVNULL) as server:
        try:
            eventually((tmp_path / "emulator.json").exists, "an API server")
            before = objects()
            monkeypatch.setenv("LAB_KUBECONFIG", str(tmp_path / "admin.kubeconfig"))
            try:
                lab = lifecycle.up(LabSettings("ckh", "plain"))
                assert lab.api["emulated"] is False
                assert objects() - before == {"ckh", *lab.nodes}
            finally:
                lifecycle.down("ckh")
            assert objects() == before
            lifecycle.up(LabSettings("ckh", "plain"), network_only=True)
            lab = state.load("ckh")
            lab.api = {"emulated": False, "url": "https://127.0.0.1:1"}
            lab.save()
            (lab.dir / "standins.kubeconfig").write_text(
                (tmp_path / "admin.kubeconfig").read_text().replace(server_url(tmp_path), "https://127.0.0.1:1")
            )
            with pytest.raises(LabError, match=r"objects in https://127.0.0.1:1 \(.*\), so try again, or remove"):
                lifecycle.down("ckh")
            assert lifecycle.leftovers("ckh") == [f"directory {lab.dir}"]
        finally:
            server.terminate()
            shutil.rmtree(LabSettings("ckh").directory, ignore_errors=True)


def test_two_labs_side_by_side(network_lab: LabMaker) -> None:
    first, second = LabSettings("ckc", "plain"), LabSettings("ckd", "plain", scenario="off")
    with network_lab(first) as one:
        with network_lab(second, announce=False) as two:
            assert all(machine.running() for lab in (one, two) for machine in lab.machines.values())
            two.machines["ckd-worker-1"].cut()
            assert one.machines["ckc-worker-1"].running()
        assert lifecycle.leftovers("ckd") == []
        assert lifecycle.missing_routes(one) == [], "the other lab's end changed nothing here"


def test_process_of_a_user_in_a_namespace_is_found_and_ended() -> None:
    lab = lifecycle.up(LabSettings("cke", "plain"), network_only=True)
    with subprocess.Popen(lab.client.in_netns(["sleep", "1000"])) as process:
        try:
            deadline = time.monotonic() + 120
            while process.pid not in lifecycle.processes("cke"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            lifecycle.down("cke")
        assert process.wait(timeout=120) < 0
    assert network.namespaces("cke") == []


def test_not_root_is_one_line() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-m", "lab", "up", "--name", "ckg"],
        env=os.environ | {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in done.stderr:
        pytest.skip("this interpreter cannot be run by others")
    assert (done.returncode, done.stderr) == (1, "lab: the lab needs root (namespaces, mounts): run it with sudo\n")


def test_missing_program_is_one_line_with_its_package(tmp_path: Path) -> None:
    programs = {"ip", "ss", "nsenter", "ssh", "nc"}
    for program in programs:
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    process = lab_command("up", "--name", "ckg", PATH=str(tmp_path), LAB_CACHE=str(tmp_path))
    _unused, errors = process.communicate(timeout=120)
    wanted = "lab: systemd-nspawn, mmdebstrap missing on this host: apt-get install mmdebstrap systemd-container\n"
    assert (process.returncode, errors) == (1, wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "Upper"], "lab name 'Upper': 1 to 6 of a-z and 0-9, a letter first"),
        (["--name", "toolong"], "lab name 'toolong': 1 to 6 of a-z and 0-9, a letter first"),
    ],
)
def test_bad_name_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", *arguments]) == 1
    assert capsys.readouterr().err == f"lab: {message}\n"


def test_root_file_system_of_another_list_is_not_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootfs, "CACHE", tmp_path)
    stamp = tmp_path / "bookworm/etc/hitless-lab.json"
    stamp.parent.mkdir(parents=True)
    assert not rootfs.is_current("bookworm")
    stamp.write_text('{"suite": "bookworm", "packages": ["frr"]}')
    assert not rootfs.is_current("bookworm")


def test_root_file_system_in_use_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootfs, "CACHE", tmp_path)
    holder = subprocess.Popen(
        ["flock", "--shared", tmp_path / "bookworm.lock", "sh", "-c", "echo held; exec sleep 99"], stdout=-1
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(LabError, match="machines of a lab run on it: take the labs down first"):
            rootfs.ensure("bookworm")
    finally:
        holder.kill()
        holder.wait()


def test_mirror_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_MIRROR", "http://mirror.invalid/debian")
    assert rootfs.sources("trixie") == "deb http://mirror.invalid/debian trixie main\n"
