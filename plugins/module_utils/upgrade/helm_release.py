# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The chart and the values of a revision of a Helm release, from the Secret in which helm keeps them.

`helm rollback` can't be used for Cilium's agents. It applies the manifests of that revision as they were, with the old
update strategy, so the DaemonSet's controller would restart the agents by itself. The chart can be applied with
OnDelete.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from ..base.errors import HitlessError
from ..kube.client import Client, segment

GZIP = b"\x1f\x8b"


class ReleaseError(HitlessError):
    """The revision isn't there, or it doesn't have its whole chart."""


def decode(secret: dict[str, Any]) -> dict[str, Any]:
    """The release in a Secret that helm has written; raises ReleaseError."""
    name = secret["metadata"]["name"]
    try:
        # Base64 twice: once by helm, once because it is a Secret.
        data = base64.b64decode(base64.b64decode((secret.get("data") or {})["release"], validate=True), validate=True)
        found = json.loads(gzip.decompress(data) if data.startswith(GZIP) else data)
        if found["chart"]["metadata"]["name"]:
            return dict(found)
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error) as exc:
        raise ReleaseError(f"Secret {name} can't be read as a release of helm: {type(exc).__name__}") from exc
    raise ReleaseError(f"the release in Secret {name} has a chart without a name")


def chart_files(release: dict[str, Any]) -> dict[str, bytes]:
    """Path in the chart's folder -> content; raises ReleaseError if the chart isn't whole."""
    chart, named = release["chart"], f"revision {release.get('version')} of release {release.get('name')}"
    metadata = chart["metadata"]
    if metadata.get("dependencies"):
        raise ReleaseError(f"{named} has a chart that needs other charts, and helm doesn't keep these with a release")
    # JSON is also YAML.
    found = {
        "Chart.yaml": json.dumps(metadata).encode(),
        "values.yaml": json.dumps(chart.get("values") or {}).encode(),
    }
    if chart.get("schema"):
        found["values.schema.json"] = base64.b64decode(chart["schema"])
    for entry in [*(chart.get("templates") or []), *(chart.get("files") or [])]:
        path = PurePosixPath(entry["name"])
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ReleaseError(f"{named} has a file {entry['name']!r}, which would lie outside of the chart's folder")
        found[str(path)] = base64.b64decode(entry.get("data") or "")
    return found


def read(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    """A revision of a release; raises ReleaseError if helm no longer keeps it."""
    namespace, name, revision = params["namespace"], params["release"], params["revision"]
    path = f"/api/v1/namespaces/{segment(namespace)}/secrets/{segment(f'sh.helm.release.v1.{name}.v{revision}')}"
    secret = client.find(path)
    if secret is None:
        raise ReleaseError(
            f"helm no longer keeps revision {revision} of release {name} in namespace {namespace}: give the chart and "
            f"the values of that revision by an upgrade with agent_chart and agent_values"
        )
    return decode(secret)


def release_chart(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of release_chart; raises ReleaseError."""
    release = read(client, params)
    top, changed = Path(params["path"]), False
    for path, content in chart_files(release).items():
        file = top / path
        if file.is_file() and file.read_bytes() == content:
            continue
        changed = True
        if not check_mode:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    metadata = release["chart"]["metadata"]
    return {
        "changed": changed,
        "path": str(top),
        "chart": {"name": metadata["name"], "version": metadata.get("version")},
        "values": release.get("config") or {},
        "diff": {"before": {}, "after": {"path": str(top)} if changed else {}},
    }
