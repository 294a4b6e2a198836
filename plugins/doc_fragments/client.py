# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The same options as argument_spec() in kube/connection.py, with the names and variables of kubernetes.core.
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig to use, on the host that the task runs on.
      - Without it, E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG), then C(~/.kube/config) is used, and in a pod its
        service account.
      - Not read when O(host) is given together with O(api_key) or O(client_cert).
    type: path
  context:
    description:
      - Context of the kubeconfig, if not its current one. E(K8S_AUTH_CONTEXT) stands in for it.
    type: str
  host:
    description:
      - URL of the API server. E(K8S_AUTH_HOST) stands in for it.
      - With O(api_key) or O(client_cert) it makes a kubeconfig unnecessary, otherwise it overrides the kubeconfig's.
    type: str
  api_key:
    description:
      - Bearer token. E(K8S_AUTH_API_KEY) stands in for it.
    type: str
  validate_certs:
    description:
      - Whether the API server's certificate is checked. E(K8S_AUTH_VERIFY_SSL) stands in for it.
      - Without it, as the kubeconfig says, and V(true) if it says nothing.
      - AWX's Kubernetes credential sets the variable to V(false) when it has no certificate authority.
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description:
      - Path of the certificate authority's certificate. E(K8S_AUTH_SSL_CA_CERT) stands in for it.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of a client certificate. E(K8S_AUTH_CERT_FILE) stands in for it.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the client certificate's key. E(K8S_AUTH_KEY_FILE) stands in for it.
    type: path
    aliases: [key_file]
  request_timeout:
    description:
      - Seconds that one request to the API may take.
      - Raise it where the API server is slow or far away. How long a module waits for the world to change is another
        option.
    type: float
    default: 10.0
notes:
  - In a play the variables C(kubeconfig), C(kube_context), C(kube_host), C(kube_api_key), C(kube_validate_certs),
    C(kube_ca_cert), C(kube_client_cert), C(kube_client_key) and C(kube_request_timeout) stand in for the options of
    these names, so that an inventory says once how to reach the cluster.
requirements:
  - python >= 3.11
  - kubernetes >= 31.0.0
"""
