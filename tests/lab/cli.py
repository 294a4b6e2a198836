# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the lab: `python -m lab --help`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from lab import lifecycle, probing, speaker, state
from lab import settings as s
from lab.settings import LabError, LabSettings
from lab.state import Lab
from lab.topologies import TOPOLOGIES


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 done, 1 an error (one line on stderr), 2 wrong usage, 130 interrupted."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command is not _probe:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    options.rest = rest
    try:
        return int(options.command(options) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--name", default="hn", help="name of the lab (default hn)")
        command.set_defaults(command=function)
        return command

    defaults = LabSettings()
    command = add("up", _up, "start a lab")
    command.add_argument("--form", choices=s.FORMS, default=defaults.form, help="machines with systemd, or plain ones")
    command.add_argument("--scenario", choices=s.SCENARIOS, default=defaults.scenario, help="graceful restart of nodes")
    command.add_argument("--frr", choices=tuple(s.FRR_SUITES), default=defaults.frr, help="version of the routers")
    command.add_argument("--topology", choices=tuple(TOPOLOGIES), default=defaults.topology, help=_topologies())
    command.add_argument("--network-only", action="store_true", help="machines and Redfish, no Kubernetes API")
    command.add_argument("--announce", action="store_true", help="with --network-only: start the speakers and wait")
    command = add("status", _status, "machines, sessions and routes")
    command.add_argument("--json", action="store_true", help="as JSON")
    add("down", _down, "remove a lab")
    command = add("power", _power, "switch a machine")
    command.add_argument("action", choices=("on", "off", "cut", "reboot"), help="off asks the OS, cut takes the power")
    command.add_argument("machine", help="worker-1 or its full name")
    command = add("knob", _knob, "set a knob of the stand-ins, e.g. operator.dead=true")
    command.add_argument("setting", nargs="*", metavar="K=V", help="dotted key and JSON value; none: show all")
    command = add("integration-config", _integration_config, "write variables for ansible-test integration")
    command.add_argument("--out", type=Path, required=True, help="file to write: integration_config.yml")
    add("probe", _probe, "count requests lost between client and VIPs; further options go to `python -m lab.prober`")
    return parser


def _topologies() -> str:
    return "; ".join(f"{name}: {topology.about}" for name, topology in TOPOLOGIES.items())


def _up(options: argparse.Namespace) -> None:
    started = time.monotonic()
    settings = LabSettings(options.name, options.form, options.scenario, options.frr, topology=options.topology)
    lab = lifecycle.up(settings, network_only=options.network_only, announce=options.announce)
    print(f"lab {lab.settings.name} is up after {time.monotonic() - started:.1f} s, in {lab.dir}")


def _down(options: argparse.Namespace) -> None:
    started = time.monotonic()
    lifecycle.down(options.name)
    print(f"lab {options.name} is removed after {time.monotonic() - started:.1f} s")


def _status(options: argparse.Namespace) -> None:
    lab = state.load(options.name)
    found = _observe(lab)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(" ".join(f"{key}={value}" for key, value in found["settings"].items()))
    for key, value in (("api", lab.api.get("url")), ("redfish", lab.redfish.get("url"))):
        print(f"{key:14} {value or '-'}")
    for name, machine in found["machines"].items():
        sessions = ", ".join(f"{one['address']} {one['state']}" for one in machine["sessions"])
        print(f"{name:14} {machine['power']:4} {machine['address4']:12} {machine['boot_id'] or '-':37} {sessions}")
    missing = found["missing_routes"]
    print(f"routes         {'all there' if not missing else f'{len(missing)} missing: ' + ', '.join(missing[:6])}")


def _observe(lab: Lab) -> dict[str, Any]:
    machines = {
        name: {
            "power": "on" if machine.running() else "off",
            "boot_id": machine.boot_id(),
            "address4": machine.address4,
            "address6": machine.address6,
            "sessions": speaker.neighbors(machine) if machine.role in s.NODES else [],
        }
        for name, machine in lab.machines.items()
    }
    return {
        "settings": asdict(lab.settings),
        "ready": lab.ready,
        "machines": machines,
        "missing_routes": lifecycle.missing_routes(lab),
    }


def _power(options: argparse.Namespace) -> None:
    lab = state.load(options.name)
    known = {machine.role: machine for machine in lab.machines.values()}
    role = options.machine.removeprefix(f"{options.name}-")
    if role not in known:
        raise LabError(f"no machine {options.machine} in lab {options.name}: one of {', '.join(known)}")
    machine = known[role]
    {"on": machine.start, "off": machine.poweroff, "cut": machine.cut, "reboot": machine.reboot}[options.action]()
    print(f"{machine.name} is {'on' if machine.running() else 'off'}")


def _knob(options: argparse.Namespace) -> None:
    lab = state.load(options.name)
    path = lab.dir / "knobs.json"
    knobs = json.loads(path.read_text()) if path.exists() else {}
    for setting in options.setting:
        key, equals, text = setting.partition("=")
        if not equals:
            raise LabError(f"{setting!r}: a knob is set as KEY=VALUE, for example operator.dead=true")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *parents, last = key.split(".")
        place = knobs
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise LabError(f"{key}: {parent} is a value, it has no parts")
        place[last] = value
    if options.setting:
        # In one step: the stand-ins read the file at any time.
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(knobs, indent=2))
        temporary.rename(path)
    print(json.dumps(knobs, indent=2))


def _integration_config(options: argparse.Namespace) -> None:
    lab = state.load(options.name)
    variables = {
        "lab_name": lab.settings.name,
        "lab_namespace": lab.settings.name,
        "lab_node": next(iter(lab.nodes)),
        "lab_other_address": list(lab.nodes.values())[1].address4,
        "lab_kubeconfig": lab.api.get("admin_kubeconfig"),
        "lab_inventory": str(lab.dir / "inventory.yml"),
        "lab_python": sys.executable,
        "lab_path": str(Path(__file__).parents[1]),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(yaml.safe_dump(variables, sort_keys=False))
    print(f"variables of lab {lab.settings.name} are in {options.out}")


def _probe(options: argparse.Namespace) -> int:
    lab = state.load(options.name)
    return subprocess.run(lab.client.in_netns([*probing.arguments(lab), *options.rest]), check=False).returncode
