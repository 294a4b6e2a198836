# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three patch formats: JSON patch (RFC 6902), merge patch (RFC 7386) and Kubernetes' strategic merge patch."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
import jsonpointer

from .errors import ApiError, bad_request, unmodelled, unsupported_media
from .resources import Resource

Json = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = ("application/apply-patch+yaml", "application/apply-patch+cbor")

# patchMergeKey of the built-in types' lists, by field name; "" = a set of plain values. A list that is not here is
# atomic (a Node's taints are).
_MERGE_KEYS = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "finalizers": "",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "podCIDRs": "",
    "ports": "containerPort",
    "secrets": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


def apply_patch(resource: Resource, content_type: str, body: bytes, obj: Json) -> Json:
    """`obj` with the patch applied (obj itself may be changed); raises 400, 415, 422 or 501."""
    if content_type in APPLY:
        raise unmodelled("server-side apply")
    if content_type not in (JSON_PATCH, MERGE_PATCH, STRATEGIC) or (content_type == STRATEGIC and resource.custom):
        offered = [JSON_PATCH, MERGE_PATCH] if resource.custom else [JSON_PATCH, MERGE_PATCH, STRATEGIC]
        raise unsupported_media(", ".join((*offered, APPLY[0])))
    try:
        patch = json.loads(body)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from error
    if content_type == JSON_PATCH:
        return _json_patch(patch, obj)
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: a merge patch is a JSON object")
    merged: Any = merge(obj, patch) if content_type == MERGE_PATCH else strategic(obj, patch, resource.plural)
    if not isinstance(merged, dict) or not isinstance(merged.get("metadata"), dict):
        raise bad_request("the patched object has no metadata")
    return merged


def _json_patch(patch: Any, obj: Json) -> Json:
    if not isinstance(patch, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    try:
        result: Json = jsonpatch.apply_patch(obj, patch)
    except jsonpatch.InvalidJsonPatch as error:
        raise bad_request(f"error decoding patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        message = f"the server rejected our request due to an error in our request: {error}"
        raise ApiError(422, "Invalid", message) from error
    return result


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(target: Any, patch: Json, plural: str) -> Json:
    """Strategic merge: as merge patch, but lists with a merge key are merged item by item."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    result: Json = target if isinstance(target, dict) else {}
    retained = patch.get("$retainKeys")
    if retained is not None:
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            result[name] = [item for item in result.get(name) or () if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = strategic(result.get(key), value, plural)
        elif isinstance(value, list) and key in _MERGE_KEYS:
            merge_key = "port" if key == "ports" and plural == "services" else _MERGE_KEYS[key]
            result[key] = _strategic_list(result.get(key) or [], value, merge_key, plural)
        else:
            result[key] = value
    return result


def _strategic_list(target: list[Any], patch: list[Any], key: str, plural: str) -> list[Any]:
    if not key:
        return target + [item for item in patch if item not in target]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" and key not in item for item in patch):
        return [item for item in patch if "$patch" not in item]
    result = list(target)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise bad_request(f'map: {item} does not contain declared merge key: "{key}"')
        at = next((index for index, old in enumerate(result) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del result[at]
        elif at is None:
            result.append(strategic({}, item, plural))
        else:
            result[at] = strategic(result[at], item, plural)
    return result
