# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asking: client certificates, and tokens of service accounts with an expiry."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

from .errors import invalid, unauthorized
from .store import Store

Json = dict[str, Any]

_ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated user."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def from_certificate(certificate: Json | None) -> User | None:
    """The user of a verified client certificate (as ssl.getpeercert() gives it), or None."""
    if not certificate:
        return None
    pairs = [pair for rdn in certificate.get("subject", ()) for pair in rdn]
    name = next((value for key, value in pairs if key == "commonName"), "")
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return User(name, (*groups, "system:authenticated"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    """Issues and checks tokens (JWTs, signed with a key of this process)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._secret = secrets.token_bytes(32)
        # Tokens of earlier generations are expired: that is how a fault knob ends all of them at once.
        self._generation = 0

    def expire_all(self) -> None:
        """All tokens issued so far are expired from now on."""
        self._generation += 1

    def _signature(self, head: str) -> str:
        return _encode(hmac.new(self._secret, head.encode(), hashlib.sha256).digest())

    def issue(self, namespace: str, name: str, request: Json) -> Json:
        """Answer a TokenRequest: the same object with status.token and status.expirationTimestamp."""
        account = self._store.table("serviceaccounts.").items[(namespace, name)]
        spec = request.setdefault("spec", {})
        seconds = spec.setdefault("expirationSeconds", 3600)
        if not isinstance(seconds, int) or seconds < 600:
            text = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
            cause = {"reason": "FieldValueInvalid", "message": text, "field": "spec.expirationSeconds"}
            raise invalid("TokenRequest", "authentication.k8s.io", "", [cause])
        spec["audiences"] = spec.get("audiences") or [_ISSUER]
        issued = int(time.time())
        claims = {
            "iss": _ISSUER,
            "aud": spec["audiences"],
            "iat": issued,
            "nbf": issued,
            "exp": issued + seconds,
            "jti": str(uuid.uuid4()),
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": account.obj["metadata"]["uid"]},
            },
            "emulator.generation": self._generation,
        }
        head = ".".join(_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued + seconds))
        request["status"] = {"token": f"{head}.{self._signature(head)}", "expirationTimestamp": expires}
        return request

    def user(self, token: str) -> User:
        """The user of a token; raises 401 for a wrong or expired one, or when its service account is gone."""
        head, _unused, signature = token.rpartition(".")
        if not head or not hmac.compare_digest(signature, self._signature(head)):
            raise unauthorized()
        claims = json.loads(_decode(head.partition(".")[2]))
        if claims["exp"] <= time.time() or claims["emulator.generation"] != self._generation:
            raise unauthorized()
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        entry = self._store.table("serviceaccounts.").items.get((namespace, account["name"]))
        if entry is None or entry.obj["metadata"]["uid"] != account["uid"]:
            raise unauthorized()
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(claims["sub"], groups, account["uid"])


def authenticate(tokens: Tokens, certificate: Json | None, authorization: str) -> User:
    """The user of a request, by certificate, else by token, else the anonymous one, as a real server does it.

    Raises 401.
    """
    by_certificate = from_certificate(certificate)
    if by_certificate:
        return by_certificate
    scheme, _unused, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return tokens.user(token.strip())
    return ANONYMOUS
