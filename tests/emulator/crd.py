# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CustomResourceDefinitions: what they make the server serve, defaults and validation by openAPIV3Schema.

Fields that the schema does not know are kept, not pruned; CEL rules (x-kubernetes-validations) are not evaluated.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import Any

import jsonschema
from jsonschema import Draft202012Validator

from .errors import invalid
from .resources import Resource

Json = dict[str, Any]

# Finalizer of every definition: its objects go first.
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def complete(crd: Json) -> None:
    """Fill in the names that a CustomResourceDefinition may leave out, and its status."""
    spec = crd["spec"]
    names = spec["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})


def status(crd: Json, now: str) -> Json:
    """The status of an accepted and established definition."""
    spec = crd["spec"]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    return {"acceptedNames": spec["names"], "conditions": conditions, "storedVersions": stored}


def check(crd: Json) -> None:
    """Raise 422 for a definition that no server would accept."""
    spec = crd.get("spec") or {}
    name = crd["metadata"]["name"]
    causes = []

    def bad(field: str, message: str, reason: str = "FieldValueInvalid") -> None:
        causes.append({"reason": reason, "field": field, "message": message})

    names = spec.get("names") or {}
    versions = spec.get("versions") or []
    for field, value in (
        ("spec.group", spec.get("group")),
        ("spec.scope", spec.get("scope")),
        ("spec.names.plural", names.get("plural")),
        ("spec.names.kind", names.get("kind")),
        ("spec.versions", versions),
    ):
        if not value:
            bad(field, "Required value", "FieldValueRequired")
    if not causes and name != f"{names['plural']}.{spec['group']}":
        bad("metadata.name", f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group')
    if versions and sum(bool(version.get("storage")) for version in versions) != 1:
        bad("spec.versions", "Invalid value: must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            bad(f"spec.versions[{index}].schema.openAPIV3Schema", "Required value: schemas are required")
    if causes:
        raise invalid("CustomResourceDefinition", "apiextensions.k8s.io", name, causes)


def resources(crd: Json) -> list[Resource]:
    """What a definition makes the server serve: one Resource per served version."""
    spec = crd["spec"]
    names = spec["names"]
    found = []
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        found.append(
            Resource(
                group=spec["group"],
                version=version["name"],
                kind=names["kind"],
                plural=names["plural"],
                singular=names["singular"],
                namespaced=spec["scope"] == "Namespaced",
                short=tuple(names.get("shortNames") or ()),
                status="status" in (version.get("subresources") or {}),
                generation=True,
                needs_version=True,
                custom=True,
                schema=version["schema"]["openAPIV3Schema"],
            )
        )
    return found


def apply_defaults(schema: Json, value: Any) -> None:
    """Fill in the schema's defaults, in place, where the object says nothing."""
    if isinstance(value, dict):
        for key, below in (schema.get("properties") or {}).items():
            if key not in value and "default" in below:
                value[key] = copy.deepcopy(below["default"])
            if key in value:
                apply_defaults(below, value[key])
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for key, below in value.items():
                if key not in (schema.get("properties") or {}):
                    apply_defaults(extra, below)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            apply_defaults(schema["items"], item)


# Keywords that validate nothing, or (format) nothing that we rely on.
_IGNORED = frozenset(("default", "description", "example", "externalDocs", "format", "nullable", "title"))


def _plain(schema: Any) -> Any:
    """An OpenAPI v3 schema as a JSON schema: nullable and int-or-string said the other way."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain: Json = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            plain[key] = {name: _plain(below) for name, below in value.items()}
        elif key in ("items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"):
            plain[key] = _plain(value)
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            # Booleans beside minimum and maximum in OpenAPI v3.
            bound = "minimum" if key == "exclusiveMinimum" else "maximum"
            if value and bound in schema:
                plain[key] = schema[bound]
        elif key not in _IGNORED and not key.startswith("x-kubernetes-"):
            plain[key] = value
    if schema.get("x-kubernetes-int-or-string"):
        plain.pop("anyOf", None)
        plain["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in plain:
        kinds = plain["type"] if isinstance(plain["type"], list) else [plain["type"]]
        plain["type"] = [*kinds, "null"]
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    return plain


@lru_cache(maxsize=64)
def _validator(identity: int) -> Draft202012Validator:
    return Draft202012Validator(_plain(_SCHEMAS[identity]))


# Keeps the schema alive as long as its validator, so that an identity is never used twice.
_SCHEMAS: dict[int, Json] = {}


def _field(error: jsonschema.ValidationError) -> str:
    text = ""
    for part in error.absolute_path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "<nil>"


def validate(resource: Resource, obj: Json) -> None:
    """Raise 422, with a cause per field, when the object does not fit its schema."""
    if not resource.schema:
        return
    _SCHEMAS.setdefault(id(resource.schema), resource.schema)
    causes = []
    # metadata is checked by the server itself, the same way for every kind.
    for error in _validator(id(resource.schema)).iter_errors({k: v for k, v in obj.items() if k != "metadata"}):
        if error.validator == "required" and error.message.startswith("'metadata'"):
            continue
        field, reason, text = _field(error), "FieldValueInvalid", f"Invalid value: {error.message}"
        if error.validator == "required":
            missing = error.message.split("'")[1]
            field = missing if field == "<nil>" else f"{field}.{missing}"
            reason, text = "FieldValueRequired", "Required value"
        elif error.validator == "type":
            reason = "FieldValueTypeInvalid"
        elif error.validator == "enum":
            reason, text = "FieldValueNotSupported", f"Unsupported value: {error.message}"
        causes.append({"reason": reason, "message": text, "field": field})
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes)
