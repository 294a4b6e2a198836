# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: one handler that logs, injects faults, authenticates, authorizes and dispatches."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import struct
from typing import Any

from aiohttp import web

from . import discovery, kinds, paths, pki, protobuf, rbac, reads
from .auth import Tokens, User, authenticate
from .budgets import Budgets
from .errors import ApiError, bad_request, method_not_allowed, success, unmodelled, unsupported_media
from .eviction import evict
from .faults import Faults, Rule
from .housekeeping import Collector, Namespaces, Nodes
from .patching import apply_patch
from .paths import Target
from .podio import PodIO
from .registry import Registry, Writer
from .requestlog import RequestLog
from .resources import Catalogue, Resource
from .store import Store, dumps
from .worker import DELAY
from .workloads import Scheduler, Workloads

Json = dict[str, Any]

_LOG = logging.getLogger(__name__)

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
# What a real server accepts in one request.
_MAX_BODY = 3 * 1024 * 1024
_HEALTH = ("/healthz", "/livez", "/readyz")


def _answer(body: bytes, status: int = 200, **headers: str) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def _error(error: ApiError) -> web.Response:
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    return _answer(dumps(error.status()), error.code, **headers)


class Emulator:
    """All parts together, and the listener."""

    def __init__(self, *, node_grace: float = 40.0) -> None:
        self.store = Store()
        self.catalogue = Catalogue()
        self.registry = Registry(self.store, self.catalogue)
        self.tokens = Tokens(self.store)
        self.authority = pki.Authority()
        self.log = RequestLog()
        self.faults = Faults()
        self.pods = PodIO()
        self.url = ""
        self._watches: set[reads.Watch] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._tls: ssl.SSLContext | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._port = 0
        self._budgets = Budgets(self.registry)
        self._nodes = Nodes(self.registry, grace=node_grace)
        self._namespaces = Namespaces(self.registry)
        self._namespaces.ca = self.authority.pem.decode()
        self._workers = [
            self._budgets,
            self._nodes,
            self._namespaces,
            Collector(self.registry),
            Workloads(self.registry),
            Scheduler(self.registry),
        ]
        self._bootstrap()

    def _bootstrap(self) -> None:
        who = Writer("kube-apiserver")
        for name in _NAMESPACES:
            self.registry.create(self.registry.builtin("namespaces"), "", {"metadata": {"name": name}}, who)
        for plural, obj in rbac.bootstrap():
            self.registry.create(self.registry.builtin(plural, "rbac.authorization.k8s.io"), "", obj, who)
        self.store.compact()

    # The listener

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1 and start the controllers."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        # handler_cancellation: a watch ends when its client goes away, not at the next event.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, keepalive_timeout=3600, shutdown_timeout=0.2
        )
        await self._runner.setup()
        self._tls = self.authority.server_context()
        self._port = port
        await self._listen()
        self._tasks = [asyncio.create_task(worker.run()) for worker in self._workers]
        self._tasks.append(asyncio.create_task(self._nodes.watch_leases()))

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(
            self._runner, "127.0.0.1", self._port, ssl_context=self._tls, backlog=1024, reuse_address=True
        )
        await self._site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"https://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        for watch in self._watches:
            watch.end()
        if self._runner:
            await self._runner.cleanup()

    def _connections(self) -> list[Any]:
        server = self._runner.server if self._runner else None
        return list(server.connections) if server else []

    async def _refuse(self, seconds: float) -> None:
        """Close the listener and every connection, and come back later on the same port."""
        # Time for the answer to the request that asked for it.
        await asyncio.sleep(0.05)
        site, self._site = self._site, None
        if site is None:
            # Away already.
            return
        await site.stop()
        for protocol in self._connections():
            if protocol.transport:
                protocol.transport.abort()
        await asyncio.sleep(seconds)
        await self._listen()

    # One request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/_emulator/"):
            return await self._guard(self._control(request), None)
        entry = self.log.begin(request.method, request.path, dict(request.query))
        response = await self._guard(self._answer(request, entry), entry)
        if entry["status"] is None:
            entry["status"] = response.status
        return response

    async def _guard(self, work: Any, entry: Json | None) -> web.StreamResponse:
        """The response, with every error as a Status."""
        try:
            response: web.StreamResponse = await work
        except ApiError as error:
            return _error(error)
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {_MAX_BODY}"
            return _error(ApiError(413, "RequestEntityTooLarge", text))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 a server answers 500, it does not die
            _LOG.exception("%s", entry)
            return _error(ApiError(500, "InternalError", f"Internal error occurred: {error!r}"))
        return response

    def _user(self, request: web.Request) -> User:
        transport = request.transport
        certificate = transport.get_extra_info("peercert") if transport else None
        return authenticate(self.tokens, certificate, request.headers.get("Authorization", ""))

    async def _inject(self, rule: Rule, request: web.Request) -> None:
        """Do what a fault rule says; returns when the request may go on."""
        if rule.delay:
            await asyncio.sleep(rule.delay)
        if rule.reset:
            transport = request.transport
            if transport:
                connection = transport.get_extra_info("socket")
                # No lingering: the peer sees a reset, not an orderly end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()
            raise ConnectionResetError("fault injected")
        if rule.status:
            raise rule.error()

    async def _answer(self, request: web.Request, entry: Json) -> web.StreamResponse:
        method, path, query = request.method, request.path, request.query
        if self.faults.rules:
            try:
                name = self._user(request).name
            except ApiError:
                name = ""
            rule = self.faults.take(method, path, request.query_string, name)
            if rule:
                entry["user"] = name or None
                await self._inject(rule, request)
        body = await request.read() if request.can_read_body else b""
        entry["body_bytes"] = len(body)
        user = self._user(request)
        entry["user"] = user.name
        if request.headers.get("Impersonate-User"):
            raise unmodelled("impersonation")
        target = paths.parse(method, path, query)
        if target is None:
            return self._non_resource(request, user)
        self._authorize(user, target.attributes)
        resource = self.catalogue.find(target.group, target.version, target.plural)
        if resource is None:
            if target.builtin_group:
                raise unmodelled(f"{target.group or 'core'}/{target.version} {target.plural}")
            return web.Response(status=404, text="404 page not found\n")
        if resource.namespaced and not target.namespace and target.verb not in ("list", "watch"):
            raise method_not_allowed()
        if not resource.namespaced and target.namespace:
            return web.Response(status=404, text="404 page not found\n")
        if target.subresource and target.subresource != "status":
            return await self._subresource(request, user, target, resource, body)
        if target.subresource == "status" and not resource.status:
            return web.Response(status=404, text="404 page not found\n")
        if resource.verbs == ("create",):
            if method != "POST":
                raise method_not_allowed()
            return self._review(user, resource, self._json(request, body))
        if target.verb == "watch":
            return await self._watch(request, entry, target, resource)
        return self._plain(request, target, resource, body)

    def _authorize(self, user: User, wanted: rbac.Attributes) -> None:
        if not rbac.allowed(self.store, user, wanted):
            raise rbac.denial(user, wanted)

    def _non_resource(self, request: web.Request, user: User) -> web.Response:
        path = request.path
        self._authorize(user, rbac.Attributes(request.method.lower(), path=path))
        if path.rstrip("/") in _HEALTH:
            return web.Response(text="ok")
        document = discovery.document(self.catalogue, path)
        if document is None:
            return web.Response(status=404, text="404 page not found\n")
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        if "protobuf" in request.headers.get("Accept", "") and path.startswith("/openapi/"):
            # kubectl insists on protobuf here; no bytes are an empty document, and kubectl then validates nothing.
            return web.Response(body=b"", content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        return _answer(dumps(document))

    def _json(self, request: web.Request, body: bytes) -> Json:
        if request.headers.get("Content-Type") and request.content_type not in ("application/json", "text/plain"):
            raise unsupported_media("application/json")
        try:
            obj = json.loads(body)
        except ValueError as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
        if not isinstance(obj, dict):
            raise bad_request("the object provided is unrecognized: must be a JSON object")
        return obj

    def _object(self, request: web.Request, body: bytes, resource: Resource) -> Json:
        """The object in a request's body; 400 when it is of another kind."""
        if request.content_type == protobuf.CONTENT_TYPE and (resource.group, resource.plural) == ("", "secrets"):
            return protobuf.secret(body)
        obj = self._json(request, body)
        version, kind = obj.get("apiVersion", resource.api_version), obj.get("kind", resource.kind)
        if version != resource.api_version:
            expected = resource.api_version
            raise bad_request(
                f"the API version in the data ({version}) does not match the expected API version ({expected})"
            )
        if kind != resource.kind:
            raise bad_request(f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})")
        return obj

    def _writer(self, request: web.Request) -> Writer:
        for value in request.query.getall("dryRun", []):
            if value not in ("All", ""):
                text = f'Invalid value: "{value}": supported values: "All"'
                raise ApiError(422, "Invalid", f"dryRun: {text}")
        agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
        return Writer(request.query.get("fieldManager") or agent, "All" in request.query.getall("dryRun", []))

    # Resources

    def _plain(self, request: web.Request, target: Target, resource: Resource, body: bytes) -> web.Response:
        place = target.namespace, target.name
        match target.verb:
            case "list":
                return _answer(reads.listing(self.store, resource, target.namespace, request.query))
            case "get":
                return _answer(reads.render(resource, self.registry.get(resource, *place)))
            case "create" if not target.name:
                obj = self._object(request, body, resource)
                created = self.registry.create(resource, target.namespace, obj, self._writer(request))
                return _answer(reads.render(resource, created), 201)
            case "update" if target.name:
                obj = self._object(request, body, resource)
                if resource.from_view:
                    obj = resource.from_view(obj)
                return self._write(request, target, resource, lambda _: obj)
            case "patch" if target.name:
                return self._write(request, target, resource, lambda old: self._patched(request, resource, body, old))
            case "delete":
                return self._delete(request, target, resource, body)
            case "deletecollection":
                return self._delete_collection(request, target, resource, body)
        raise method_not_allowed()

    def _patched(self, request: web.Request, resource: Resource, body: bytes, old: Json) -> Json:
        shown = resource.to_view(old) if resource.to_view else old
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **shown}
        new = apply_patch(resource, request.content_type, body, full)
        return resource.from_view(new) if resource.from_view else new

    def _write(self, request: web.Request, target: Target, resource: Resource, change: Any) -> web.Response:
        entry = self.registry.update(
            resource,
            target.namespace,
            target.name,
            change,
            self._writer(request),
            subresource=target.subresource,
        )
        return _answer(reads.render(resource, entry))

    def _delete_options(self, request: web.Request, body: bytes) -> tuple[Json, Writer]:
        if request.content_type == protobuf.CONTENT_TYPE:
            options = protobuf.delete_options(body)
        else:
            options = self._json(request, body) if body.strip() else {}
        query, who = request.query, self._writer(request)
        if "gracePeriodSeconds" in query:
            options["gracePeriodSeconds"] = paths.number(query, "gracePeriodSeconds")
        if "propagationPolicy" in query:
            options["propagationPolicy"] = query["propagationPolicy"]
        if options.get("dryRun"):
            who = Writer(who.manager, dry_run=True)
        return options, who

    def _delete(self, request: web.Request, target: Target, resource: Resource, body: bytes) -> web.Response:
        options, who = self._delete_options(request, body)
        entry, gone = self.registry.delete(resource, target.namespace, target.name, options, who)
        if not gone or resource.returns_deleted:
            return _answer(reads.render(resource, entry))
        details = {"name": target.name, "kind": resource.plural, "uid": entry.obj["metadata"]["uid"]}
        if resource.group:
            details["group"] = resource.group
        return _answer(dumps(success(details)))

    def _delete_collection(self, request: web.Request, target: Target, resource: Resource, body: bytes) -> web.Response:
        options, who = self._delete_options(request, body)
        keys = reads.matching(self.store, resource, target.namespace, request.query)
        items = [self.registry.delete(resource, *key, options, who)[0] for key in keys]
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        metadata = {"resourceVersion": str(self.store.rv)}
        return _answer(dumps({**head, "metadata": metadata, "items": [entry.obj for entry in items]}))

    async def _watch(self, request: web.Request, entry: Json, target: Target, resource: Resource) -> web.StreamResponse:
        query = dict(request.query)
        if paths.is_true(query.get("sendInitialEvents", "")):
            text = (
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the feature is enabled"
            )
            raise ApiError(422, "Invalid", text)
        watch = reads.Watch(self.store, resource, target.namespace, query)
        self._watches.add(watch)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            entry["status"] = 200
            await watch.stream(response)
            await response.write_eof()
        except ConnectionError:
            _LOG.debug("a watcher of %s went away", resource.plural)
        finally:
            self._watches.discard(watch)
            watch.close()
        return response

    async def _subresource(
        self, request: web.Request, user: User, target: Target, resource: Resource, body: bytes
    ) -> web.StreamResponse:
        known = {sub.name for sub in resource.subresources}
        if target.subresource not in known:
            if resource.custom and target.subresource != "scale":
                return web.Response(status=404, text="404 page not found\n")
            raise unmodelled(f"{resource.plural}/{target.subresource}")
        place = target.namespace, target.name
        method = request.method
        match resource.plural, target.subresource:
            case "pods", "eviction" if method == "POST":
                eviction = self._json(request, body)
                # Both may be left out, as kubernetes.core.k8s_drain does: the path says what it is.
                version, kind = eviction.get("apiVersion", "policy/v1"), eviction.get("kind", "Eviction")
                if (version, kind) != ("policy/v1", "Eviction"):
                    raise bad_request("the eviction subresource wants an Eviction of policy/v1")
                return _answer(dumps(evict(self.registry, *place, eviction, self._writer(request))), 201)
            case "pods", "exec" if method in ("GET", "POST"):
                # Since 1.35 a websocket needs `create` too, although its request is a GET.
                self._authorize(user, rbac.Attributes("create", "", "pods", "exec", *place))
                return await self.pods.exec(request, self.registry.get(resource, *place).obj)
            case "pods", "log" if method == "GET":
                pod = self.registry.get(resource, *place).obj
                return web.Response(body=self.pods.log(pod, request.query), content_type="text/plain")
            case "serviceaccounts", "token" if method == "POST":
                self.registry.get(resource, *place)
                issued = self.tokens.issue(*place, self._json(request, body))
                full = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", **issued}
                return _answer(dumps(full), 201)
            case "namespaces", "finalize" if method == "PUT":
                obj = self._object(request, body, resource)
                return self._write(request, target, resource, lambda _: obj)
        raise method_not_allowed()

    def _review(self, user: User, resource: Resource, review: Json) -> web.Response:
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        if resource.kind == "SelfSubjectReview":
            info = {"username": user.name, "groups": list(user.groups), "uid": user.uid}
            metadata = {"creationTimestamp": kinds.now()}
            return _answer(dumps({**head, "metadata": metadata, "status": {"userInfo": info}}), 201)
        spec = review.get("spec") or {}
        about, plain = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if bool(about) == bool(plain):
            raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
        if about:
            wanted = rbac.Attributes(
                about.get("verb", ""), about.get("group", ""), about.get("resource", ""), about.get("subresource", ""),
                about.get("namespace", ""), about.get("name", ""),
            )  # fmt: skip
        else:
            path = (plain or {}).get("path", "")
            wanted = rbac.Attributes((plain or {}).get("verb", ""), path=path)
        answer = {"allowed": rbac.allowed(self.store, user, wanted)}
        return _answer(dumps({**head, "metadata": {}, "spec": spec, "status": answer}), 201)

    # The control plane of tests

    async def _control(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request)
        if "system:masters" not in user.groups:
            raise rbac.denial(user, rbac.Attributes(request.method.lower(), path=request.path))
        match request.method, request.path.removeprefix("/_emulator/"):
            case "GET", "models":
                return _answer(dumps(discovery.models(self.catalogue)))
            case "GET", "requests":
                return _answer(dumps({"requests": self.log.since(paths.number(request.query, "since"))}))
            case "GET", "faults":
                return _answer(dumps(self._knobs()))
            case "POST", "faults":
                return _answer(dumps(self._set_faults(self._json(request, await request.read()))))
            case "POST", "kubeconfig":
                return _answer(self._kubeconfig(self._json(request, await request.read())).encode())
            case "GET", "exec-backend":
                return await self.pods.register(request)
            case "POST", "pod-log":
                return _answer(dumps(self.pods.post_log(request.query, await request.text())))
        return web.Response(status=404, text="404 page not found\n")

    def _kubeconfig(self, wanted: Json) -> str:
        certificate, key = self.authority.client(wanted.get("user", ""), list(wanted.get("groups") or ()))
        return pki.kubeconfig(self.url, self.authority.pem, pki.certificate_user(certificate, key))

    def admin_kubeconfig(self) -> str:
        """A kubeconfig that may do everything."""
        return self._kubeconfig({"user": "kubernetes-admin", "groups": ["system:masters"]})

    def _knobs(self) -> Json:
        return {
            "rules": [rule.show() for rule in self.faults.rules],
            "pdb_lag": self._budgets.delay,
            "node_grace": self._nodes.grace,
            "watches": len(self._watches),
        }

    def _set_faults(self, knobs: Json) -> Json:
        """Turn the knobs; raises 400 for one that does not exist."""
        known = {
            "clear", "compact", "drop_watches", "expire_tokens", "node_grace", "pdb_lag", "refuse", "reset", "rules",
        }  # fmt: skip
        unknown = set(knobs) - known
        if unknown:
            raise bad_request(f"no fault knob {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
        rules = [Rule.parse(spec) for spec in knobs.get("rules") or ()]
        if knobs.get("clear"):
            self.faults.rules.clear()
            self._budgets.delay = DELAY
        self.faults.rules += rules
        if knobs.get("reset"):
            self.faults.rules.append(Rule.parse({"reset": True, "count": int(knobs["reset"])}))
        if "pdb_lag" in knobs:
            self._budgets.delay = float(knobs["pdb_lag"])
        if "node_grace" in knobs:
            self._nodes.grace = float(knobs["node_grace"])
        if knobs.get("expire_tokens"):
            self.tokens.expire_all()
        if knobs.get("compact"):
            self.store.compact()
        if knobs.get("drop_watches"):
            for watch in list(self._watches):
                watch.end()
        if knobs.get("refuse"):
            self._tasks.append(asyncio.create_task(self._refuse(float(knobs["refuse"]))))
        return self._knobs()
