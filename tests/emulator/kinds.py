# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is special about single kinds: defaults, checks, what an update may change. Plain functions, plain objects."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
from datetime import UTC, datetime
from typing import Any

from . import crd
from .errors import ApiError, bad_request, invalid
from .resources import Resource

Json = dict[str, Any]

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL_NAME = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
_LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")
_PERCENT = re.compile(r"^[0-9]+%$")
# Names of RBAC objects are path segments, not DNS names ("system:node").
_PATH_SEGMENT = re.compile(r"^[^/%]+$")


def now() -> str:
    """The time as metav1.Time shows it: RFC 3339, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(text: str) -> float:
    """Seconds since an RFC 3339 time."""
    return (datetime.now(UTC) - datetime.fromisoformat(text.replace("Z", "+00:00"))).total_seconds()


def _string_map(value: Any, field: str) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        raise bad_request(f"json: cannot unmarshal {_json_type(value)} into Go struct field ObjectMeta.{field}")
    for item in value.values():
        if not isinstance(item, str):
            raise bad_request(
                f"json: cannot unmarshal {_json_type(item)} into Go struct field ObjectMeta.{field} of type string"
            )


def _json_type(value: Any) -> str:
    for kind, name in ((bool, "bool"), ((int, float), "number"), (str, "string"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "null"


def check_shape(obj: Any) -> None:
    """Raise 400 for an object whose metadata a typed server could not even decode."""
    if not isinstance(obj, dict):
        raise bad_request("the object provided is unrecognized: must be a JSON object")
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request("json: cannot unmarshal metadata: must be a JSON object")
    for field in ("labels", "annotations"):
        _string_map(metadata.get(field), f"metadata.{field}")
        if field in metadata and not metadata[field]:
            del metadata[field]
    for field in ("name", "namespace", "generateName", "resourceVersion", "uid"):
        if not isinstance(metadata.get(field, ""), str):
            kind = _json_type(metadata[field])
            raise bad_request(
                f"json: cannot unmarshal {kind} into Go struct field ObjectMeta.metadata.{field} of type string"
            )
    for field in ("finalizers", "ownerReferences"):
        if field in metadata and not metadata[field]:
            del metadata[field]


def check_metadata(resource: Resource, obj: Json) -> None:
    """Raise 422 for names and labels that the API does not allow."""
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    causes: list[Json] = []

    def bad(field: str, value: str, why: str) -> None:
        causes.append({"reason": "FieldValueInvalid", "message": f'Invalid value: "{value}": {why}', "field": field})

    pattern = _PATH_SEGMENT if resource.group == "rbac.authorization.k8s.io" else _SUBDOMAIN
    if not pattern.match(name) or len(name) > 253:
        bad("metadata.name", name, "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters")
    for key, value in (metadata.get("labels") or {}).items():
        prefix, _unused, rest = key.rpartition("/")
        if not _LABEL_NAME.match(rest) or (prefix and not _SUBDOMAIN.match(prefix)):
            bad("metadata.labels", key, "name part must consist of alphanumeric characters, '-', '_' or '.'")
        if not _LABEL_VALUE.match(value):
            bad("metadata.labels", value, "a valid label must be an empty string or consist of alphanumeric characters")
    if sum(len(key) + len(value) for key, value in (metadata.get("annotations") or {}).items()) > 256 * 1024:
        cause = "Too long: may not be more than 262144 bytes"
        causes.append({"reason": "FieldValueTooLong", "message": cause, "field": "metadata.annotations"})
    if causes:
        raise invalid(resource.kind, resource.group, name, causes)


def default(resource: Resource, obj: Json) -> None:
    """Fill in what the server fills in, at every write."""
    if resource.custom:
        if resource.schema:
            crd.apply_defaults(resource.schema, obj)
        return
    spec = obj.get("spec")
    specified = ("pods", "deployments", "replicasets", "daemonsets", "poddisruptionbudgets", "services")
    if resource.plural in specified and not isinstance(spec, dict):
        spec = obj["spec"] = {}
    match resource.plural:
        case "nodes":
            for part in ("spec", "status"):
                if not isinstance(obj.get(part), dict):
                    obj[part] = {}
        case "pods":
            _default_pod(obj["spec"])
        case "deployments" | "replicasets" | "daemonsets":
            if resource.plural != "daemonsets":
                obj["spec"].setdefault("replicas", 1)
            template = obj["spec"].setdefault("template", {})
            template.setdefault("metadata", {})
            _default_pod(template.setdefault("spec", {}), template=True)
        case "services":
            _default_service(obj["spec"])
        case "secrets":
            obj.setdefault("type", "Opaque")
            plain = obj.pop("stringData", None) or {}
            if plain:
                data = obj.setdefault("data", {})
                data.update({key: base64.b64encode(value.encode()).decode() for key, value in plain.items()})
        case "customresourcedefinitions":
            crd.check(obj)
            crd.complete(obj)


def _default_pod(spec: Json, *, template: bool = False) -> None:
    for key, value in (
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 30),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
        ("securityContext", {}),
    ):
        spec.setdefault(key, value)
    if not template:
        spec.setdefault("serviceAccountName", "default")
        spec.setdefault("enableServiceLinks", True)
        tolerated = {item.get("key") for item in spec.get("tolerations") or ()}
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
            if key not in tolerated and None not in tolerated:
                toleration = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                spec.setdefault("tolerations", []).append(toleration)


def _default_service(spec: Json) -> None:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec["type"] in ("LoadBalancer", "NodePort"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    spec.setdefault("internalTrafficPolicy", "Cluster")


def on_create(resource: Resource, obj: Json) -> None:
    """What creation sets whatever the client says."""
    metadata = obj["metadata"]
    # A Node is created with its status by the kubelet; every other status starts empty.
    if resource.status and resource.plural != "nodes":
        obj.pop("status", None)
    match resource.plural:
        case "pods":
            obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        case "namespaces":
            obj["spec"] = {"finalizers": ["kubernetes"]}
            obj["status"] = {"phase": "Active"}
            metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
        case "deployments" | "replicasets":
            obj["status"] = {"replicas": 0} if resource.plural == "replicasets" else {}
        case "daemonsets":
            names = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
            obj["status"] = dict.fromkeys(names, 0)
        case "poddisruptionbudgets":
            names = ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods")
            obj["status"] = dict.fromkeys(names, 0)
        case "services":
            obj["status"] = {"loadBalancer": {}}
            if obj["spec"]["type"] != "ExternalName" and not obj["spec"].get("clusterIP"):
                obj["spec"]["clusterIP"] = _cluster_ip(f"{metadata['namespace']}/{metadata['name']}")
                obj["spec"]["clusterIPs"] = [obj["spec"]["clusterIP"]]
        case "customresourcedefinitions":
            obj["status"] = crd.status(obj, now())
            metadata["finalizers"] = [crd.CLEANUP]


def _cluster_ip(name: str) -> str:
    """An address of 10.96.0.0/12, the same for the same Service (collisions are not looked for)."""
    offset = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % (2**20 - 2) + 1
    return str(ipaddress.IPv4Address("10.96.0.0") + offset)


def _missing(resource: Resource, obj: Json, fields: list[str]) -> None:
    causes = [{"reason": "FieldValueRequired", "message": "Required value", "field": field} for field in fields]
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes)


def check(resource: Resource, obj: Json) -> None:
    """Raise 422 for an object that breaks the rules of its kind (few rules for built-in kinds, the schema for CRs)."""
    check_metadata(resource, obj)
    if resource.custom:
        crd.validate(resource, obj)
        return
    spec = obj.get("spec") or {}
    match resource.plural:
        case "pods":
            missing = [] if spec.get("containers") else ["spec.containers"]
            for index, container in enumerate(spec.get("containers") or ()):
                missing += [f"spec.containers[{index}].{key}" for key in ("name", "image") if not container.get(key)]
            _missing(resource, obj, missing)
        case "poddisruptionbudgets":
            if "minAvailable" in spec and "maxUnavailable" in spec:
                text = "Invalid value: minAvailable and maxUnavailable cannot be both set"
                cause = {"reason": "FieldValueInvalid", "message": text, "field": "spec"}
                raise invalid(resource.kind, resource.group, obj["metadata"]["name"], [cause])
            for field in ("minAvailable", "maxUnavailable"):
                value = spec.get(field, 0)
                if not (isinstance(value, int) and value >= 0) and not _PERCENT.match(str(value)):
                    text = f'Invalid value: "{value}": must be a number or a percentage'
                    cause = {"reason": "FieldValueInvalid", "message": text, "field": f"spec.{field}"}
                    raise invalid(resource.kind, resource.group, obj["metadata"]["name"], [cause])
        case "rolebindings" | "clusterrolebindings":
            _missing(resource, obj, [] if obj.get("roleRef") else ["roleRef"])
        case "deployments" | "replicasets" | "daemonsets":
            _missing(resource, obj, [] if spec.get("selector") else ["spec.selector"])


def before_update(resource: Resource, old: Json, new: Json) -> None:
    """Raise 422 for a change that the kind does not allow."""
    name = old["metadata"]["name"]
    if resource.plural == "pods" and _pod_frozen(old["spec"]) != _pod_frozen(new.get("spec") or {}):
        text = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`, "
            "`spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to "
            "existing tolerations), `spec.terminationGracePeriodSeconds`"
        )
        raise invalid("Pod", "", name, [{"reason": "FieldValueForbidden", "message": text, "field": "spec"}])
    selected = resource.plural in ("deployments", "replicasets", "daemonsets")
    if selected and old["spec"].get("selector") != new["spec"].get("selector"):
        text = "Invalid value: field is immutable"
        cause = {"reason": "FieldValueInvalid", "message": text, "field": "spec.selector"}
        raise invalid(resource.kind, resource.group, name, [cause])
    frozen = resource.plural in ("secrets", "configmaps") and old.get("immutable")
    if frozen and any(old.get(key) != new.get(key) for key in ("data", "binaryData", "immutable")):
        text = "Forbidden: field is immutable when `immutable` is set"
        raise invalid(resource.kind, "", name, [{"reason": "FieldValueForbidden", "message": text, "field": "data"}])
    if old["metadata"].get("deletionTimestamp"):
        added = set(new["metadata"].get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
        if added:
            text = (
                f"Forbidden: no new finalizers can be added if the object is being deleted, found new: {sorted(added)}"
            )
            cause = {"reason": "FieldValueForbidden", "message": text, "field": "metadata.finalizers"}
            raise invalid(resource.kind, resource.group, name, [cause])


def _pod_frozen(spec: Json) -> Json:
    """The part of a pod's spec that may not change."""
    frozen = {
        key: value
        for key, value in spec.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
    }
    for key in ("containers", "initContainers"):
        if key in frozen:
            frozen[key] = [{k: v for k, v in item.items() if k != "image"} for item in frozen[key]]
    return frozen


def template_hash(template: Json) -> str:
    """A short stable name for a pod template."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def pod_ready(pod: Json) -> bool:
    """Whether the pod's Ready condition is True."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def set_condition(status: Json, kind: str, value: str, reason: str, message: str) -> None:
    """Set one condition; its transition time changes only when its value does."""
    conditions: list[Json] = status.setdefault("conditions", [])
    for condition in conditions:
        if condition["type"] == kind:
            if condition.get("status") != value:
                condition["lastTransitionTime"] = now()
            condition.update({"status": value, "reason": reason, "message": message})
            return
    conditions.append(
        {"type": kind, "status": value, "reason": reason, "message": message, "lastTransitionTime": now()}
    )


def immutable_name(url: str, obj: str) -> ApiError:
    """400: the object is not the one in the URL."""
    return bad_request(f"the name of the object ({obj}) does not match the name on the URL ({url})")
