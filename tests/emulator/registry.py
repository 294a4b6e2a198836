# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes: create, update and delete with everything the API does around them. Nothing here awaits, so nothing races."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import crd, kinds, managedfields
from .errors import (
    MODIFIED,
    ApiError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from .resources import Catalogue, Resource
from .store import Entry, Key, Store

Json = dict[str, Any]

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_SERVER_SET = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, for managedFields, and whether only for show."""

    manager: str
    dry_run: bool = False


def _reject_uid(resource: Resource, obj: Json, uid: str | None, rv: str | None) -> None:
    """Raise 409 when the preconditions of a DELETE do not hold."""
    metadata = obj["metadata"]
    for what, wanted, found in (("UID", uid, metadata["uid"]), ("ResourceVersion", rv, metadata["resourceVersion"])):
        if wanted and wanted != found:
            why = f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
            raise conflict(resource.plural, resource.group, metadata["name"], why)


class Registry:
    """The writing side of the API; handlers and controllers both use it."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self.store = store
        self.catalogue = catalogue

    def get(self, resource: Resource, namespace: str, name: str) -> Entry:
        """The stored object, or 404."""
        entry = self.store.table(resource.key).items.get((namespace, name))
        if entry is None:
            raise not_found(resource.plural, resource.group, name)
        return entry

    def builtin(self, plural: str, group: str = "") -> Resource:
        """A built-in resource by name."""
        resource = self.catalogue.find(group, "v1", plural)
        assert resource is not None, plural
        return resource

    def create(self, resource: Resource, namespace: str, obj: Json, who: Writer) -> Entry:
        """Store a new object; 404 without its namespace, 403 while that one goes away, 409 when it exists."""
        obj.pop("apiVersion", None)
        obj.pop("kind", None)
        kinds.check_shape(obj)
        if resource.from_view:
            obj = resource.from_view(obj)
        metadata = obj["metadata"]
        if resource.namespaced:
            if metadata.setdefault("namespace", namespace) != namespace:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
        else:
            metadata.pop("namespace", None)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(random.choices(_SUFFIX, k=5))
        name = metadata.get("name")
        if not name:
            cause = {
                "reason": "FieldValueRequired",
                "message": "Required value: name or generateName is required",
                "field": "metadata.name",
            }
            raise invalid(resource.kind, resource.group, "", [cause])
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if resource.namespaced:
            self.check_namespace(resource, namespace, name)
        key = (namespace if resource.namespaced else "", name)
        if key in self.store.table(resource.key).items:
            raise already_exists(resource.plural, resource.group, name)
        for field in (*_SERVER_SET, "managedFields", "selfLink"):
            metadata.pop(field, None)
        kinds.default(resource, obj)
        kinds.on_create(resource, obj)
        kinds.check(resource, obj)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = kinds.now()
        if resource.generation:
            metadata["generation"] = 1
        managedfields.record(
            None, obj, manager=who.manager, subresource="", api_version=resource.api_version, now=kinds.now()
        )
        if who.dry_run:
            return Entry(obj, self.store.rv)
        entry = self.store.put(resource.key, key, obj)
        self._definition_changed(resource, entry)
        return entry

    def check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        """Raise 404 without the namespace, 403 while it is being deleted."""
        entry = self.store.table("namespaces.").items.get(("", namespace))
        if entry is None:
            raise not_found("namespaces", "", namespace)
        if entry.obj["metadata"].get("deletionTimestamp"):
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource.plural, resource.group, name, why, [cause])

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Callable[[Json], Json],
        who: Writer,
        *,
        subresource: str = "",
        free: bool = False,
    ) -> Entry:
        """Store what `change` makes of the object. 409 when the result carries another resourceVersion or uid.

        `free` lets the emulator's own controllers write what clients may not (a pod's node).
        """
        entry = self.get(resource, namespace, name)
        old = entry.obj
        new = change(entry.copy())
        new.pop("apiVersion", None)
        new.pop("kind", None)
        kinds.check_shape(new)
        metadata = new["metadata"]
        if metadata.get("name", name) != name:
            raise kinds.immutable_name(name, metadata["name"])
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        rv = metadata.get("resourceVersion")
        if not rv and resource.needs_version:
            cause = {
                "reason": "FieldValueInvalid",
                "message": "Invalid value: 0: must be specified for an update",
                "field": "metadata.resourceVersion",
            }
            raise invalid(resource.kind, resource.group, name, [cause])
        if metadata.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: "
                f"{old['metadata']['uid']}"
            )
            raise conflict(resource.plural, resource.group, name, why)
        if rv and rv not in ("0", old["metadata"]["resourceVersion"]):
            raise conflict(resource.plural, resource.group, name, MODIFIED)
        new = self._separate(resource, old, new, subresource)
        self._keep_server_fields(old, new)
        if subresource != "status":
            kinds.default(resource, new)
        if not free:
            kinds.before_update(resource, old, new)
            kinds.check(resource, new)
        return self._store_update(resource, entry, new, who, subresource)

    def _separate(self, resource: Resource, old: Json, new: Json, subresource: str) -> Json:
        """Writes to /status change only the status, other writes everything but the status."""
        if subresource == "status":
            # A status write of a built-in kind may change labels and annotations too, that of a custom resource not.
            metadata = old["metadata"] if resource.custom else new["metadata"]
            return {**old, "metadata": dict(metadata), **({"status": new["status"]} if "status" in new else {})}
        if resource.status and not subresource:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        return new

    def _keep_server_fields(self, old: Json, new: Json) -> None:
        metadata, before = new["metadata"], old["metadata"]
        metadata["name"] = before["name"]
        if "namespace" in before:
            metadata["namespace"] = before["namespace"]
        for field in (*_SERVER_SET, "managedFields", "resourceVersion"):
            metadata.pop(field, None)
            if field in before:
                metadata[field] = before[field]

    def _store_update(self, resource: Resource, entry: Entry, new: Json, who: Writer, subresource: str) -> Entry:
        old = entry.obj
        metadata = new["metadata"]
        key: Key = (metadata.get("namespace", ""), metadata["name"])
        going = (
            metadata.get("deletionTimestamp")
            and not metadata.get("finalizers")
            and not metadata.get("deletionGracePeriodSeconds")
            and not (resource.plural == "namespaces" and new["spec"].get("finalizers"))
        )
        if new == old and not going:
            return entry
        if resource.generation and self._content(resource, old) != self._content(resource, new):
            metadata["generation"] = old["metadata"].get("generation", 0) + 1
        managedfields.record(
            old,
            new,
            manager=who.manager,
            subresource=subresource,
            api_version=resource.api_version,
            now=kinds.now(),
        )
        if who.dry_run:
            return Entry(new, entry.rv)
        stored = self.store.put(resource.key, key, new)
        self._definition_changed(resource, stored)
        if going:
            return self._remove(resource, key)
        return stored

    def _content(self, resource: Resource, obj: Json) -> Json:
        """What `generation` counts changes of."""
        if resource.plural == "endpointslices" or (resource.custom and not resource.status):
            return {key: value for key, value in obj.items() if key != "metadata"}
        if resource.custom:
            return {key: value for key, value in obj.items() if key not in ("metadata", "status")}
        return {"spec": obj.get("spec")}

    def delete(self, resource: Resource, namespace: str, name: str, options: Json, who: Writer) -> tuple[Entry, bool]:
        """Delete, or begin to: the last or marked object, and whether it is gone. Raises 404 and 409."""
        entry = self.get(resource, namespace, name)
        preconditions = options.get("preconditions") or {}
        _reject_uid(resource, entry.obj, preconditions.get("uid"), preconditions.get("resourceVersion"))
        policy = options.get("propagationPolicy")
        if policy not in (None, "Background", "Foreground", "Orphan"):
            raise bad_request(f'invalid propagationPolicy "{policy}"')
        new = entry.copy()
        metadata = new["metadata"]
        grace = self._grace(resource, new, options.get("gracePeriodSeconds"))
        finalizers = list(metadata.get("finalizers") or ())
        for name_, wanted in (("foregroundDeletion", policy == "Foreground"), ("orphan", policy == "Orphan")):
            if wanted and name_ not in finalizers and not metadata.get("deletionTimestamp"):
                finalizers.append(name_)
        if finalizers:
            metadata["finalizers"] = finalizers
        waits = bool(finalizers) or (resource.plural == "namespaces" and bool(new["spec"].get("finalizers")))
        key: Key = (namespace if resource.namespaced else "", name)
        if not waits and grace == 0:
            if who.dry_run:
                return entry, True
            return self._remove(resource, key), True
        if metadata.get("deletionTimestamp") and grace >= metadata.get("deletionGracePeriodSeconds", 0):
            return entry, False
        metadata["deletionTimestamp"] = kinds.now()
        metadata["deletionGracePeriodSeconds"] = grace
        if resource.generation:
            metadata["generation"] = metadata.get("generation", 0) + 1
        if resource.plural == "namespaces":
            new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
        if who.dry_run:
            return Entry(new, entry.rv), False
        return self.store.put(resource.key, key, new), False

    def _grace(self, resource: Resource, obj: Json, wanted: int | None) -> int:
        """Seconds a pod may take to end; 0 for everything else."""
        if resource.plural != "pods":
            return 0
        if wanted is not None and wanted < 0:
            wanted = 1
        spec, phase = obj["spec"], obj["status"].get("phase")
        if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
            return 0
        if wanted is None:
            marked: int | None = obj["metadata"].get("deletionGracePeriodSeconds")
            wanted = marked if marked is not None else int(spec.get("terminationGracePeriodSeconds", 30))
        return wanted

    def _remove(self, resource: Resource, key: Key) -> Entry:
        last = self.store.delete(resource.key, key)
        if resource.plural == "customresourcedefinitions":
            spec = last.obj["spec"]
            self.catalogue.remove(spec["group"], spec["names"]["plural"])
        return last

    def _definition_changed(self, resource: Resource, entry: Entry) -> None:
        if resource.plural != "customresourcedefinitions" or resource.group != "apiextensions.k8s.io":
            return
        spec = entry.obj["spec"]
        self.catalogue.remove(spec["group"], spec["names"]["plural"])
        for served in crd.resources(entry.obj):
            self.catalogue.add(served)


def parse_rv(text: str) -> int:
    """A resourceVersion from a query, or 400."""
    if not text:
        return 0
    if not text.isdigit():
        raise bad_request(f"Invalid value: {text!r}: resourceVersion is not a number")
    return int(text)


def too_large(rv: int, current: int) -> ApiError:
    """504: the client knows a newer version than the server."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {rv}, current: {current}",
        causes=[cause],
        retry_after=1,
    )
