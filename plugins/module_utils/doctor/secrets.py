# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether the Secrets with BGP passwords are where Cilium looks for them. Their values are never read."""

from __future__ import annotations

from ..kube.api_errors import NotFound
from ..kube.client import Client, segment
from .links import Facts
from .unread import UNREAD, Reader

# Only the metadata is asked for, so the API never sends the value of a Secret.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
CONFIG_MAP = "cilium-config"
SETTING = "bgp-secrets-namespace"
# Namespaces in which people put a Secret by mistake: Cilium's for TLS, that of its earlier releases, the usual one.
MISTAKEN = ("cilium-secrets", "cilium-bgp-secrets", "kube-system")


def read(reader: Reader, names: list[str], namespace: str | None, cilium_namespace: str) -> list[Facts]:
    """For each Secret, whether it is where Cilium looks for it, and the names of its keys. Values are never read.

    namespace: where Cilium looks for Secrets. None: where its configuration says.
    """
    if not names:
        return []
    where = namespace or _configured_namespace(reader, cilium_namespace)
    return [_secret(reader.client, name, where, cilium_namespace) for name in names]


def _configured_namespace(reader: Reader, cilium_namespace: str) -> str:
    path = f"/api/v1/namespaces/{segment(cilium_namespace)}/configmaps/{CONFIG_MAP}"
    found = reader.attempt("cilium_config", lambda: reader.client.find(path))
    return ((found or {}).get("data") or {}).get(SETTING) or cilium_namespace


def _secret(client: Client, name: str, namespace: str, cilium_namespace: str) -> Facts:
    facts: Facts = {"name": name, "namespace": namespace, "exists": None, "keys": None, "elsewhere": [], "reason": ""}
    try:
        found = _metadata(client, namespace, name)
    except UNREAD as exc:
        return {**facts, "reason": exc.msg}
    if found is None:
        others = dict.fromkeys(each for each in (*MISTAKEN, cilium_namespace) if each != namespace)
        return {**facts, "exists": False, "elsewhere": [each for each in others if _is_in(client, each, name)]}
    keys = key_names(found)
    return {**facts, "exists": True, "keys": keys, "reason": "" if keys else "its metadata doesn't name them"}


def _metadata(client: Client, namespace: str, name: str) -> Facts | None:
    path = f"/api/v1/namespaces/{segment(namespace)}/secrets/{segment(name)}"
    try:
        return {"metadata": client.get(path, accept=METADATA)["metadata"]}
    except NotFound:
        return None


def _is_in(client: Client, namespace: str, name: str) -> bool:
    try:
        return _metadata(client, namespace, name) is not None
    except UNREAD:
        return False


def key_names(item: Facts) -> list[str] | None:
    """The names of a Secret's keys, by the list of written fields in its metadata. None: it has no such list."""
    names: set[str] = set()
    known = False
    for owned in item["metadata"].get("managedFields") or []:
        data = (owned.get("fieldsV1") or {}).get("f:data")
        if data is not None:
            known = True
            names.update(key.removeprefix("f:") for key in data if key.startswith("f:"))
    return sorted(names) if known else None
