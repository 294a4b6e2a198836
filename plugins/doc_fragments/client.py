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
      - By default E(K8S_AUTH_KUBECONFIG) is used, then E(KUBECONFIG), then C(~/.kube/config). In a pod, its service
        account is used.
      - Not read when O(host) is given together with O(api_key) or O(client_cert).
    type: path
  context:
    description:
      - Context of the kubeconfig. By default E(K8S_AUTH_CONTEXT), or else the current context.
    type: str
  host:
    description:
      - URL of the API server. By default E(K8S_AUTH_HOST).
      - With O(api_key) or O(client_cert) no kubeconfig is needed. Otherwise it overrides the URL in the kubeconfig.
    type: str
  api_key:
    description:
      - Bearer token. By default E(K8S_AUTH_API_KEY).
    type: str
  validate_certs:
    description:
      - Whether to check the API server's certificate. By default E(K8S_AUTH_VERIFY_SSL).
      - Without either, the kubeconfig decides. If it doesn't say, the default is V(true).
      - AWX's Kubernetes credential sets the variable to V(false) when it has no certificate authority.
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description:
      - Path of the certificate authority's certificate. By default E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of a client certificate. By default E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the client certificate's key. By default E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  request_timeout:
    description:
      - Seconds that one request to the API may take.
      - Raise it if the API server is slow or far away. Another option says how long a module waits for a change.
    type: float
    default: 10.0
notes:
  - In a play the variables C(kubeconfig), C(kube_context), C(kube_host), C(kube_api_key), C(kube_validate_certs),
    C(kube_ca_cert), C(kube_client_cert), C(kube_client_key) and C(kube_request_timeout) are the defaults of the options
    with these names. So an inventory says only once how to reach the cluster.
requirements:
  - python >= 3.11
  - kubernetes >= 31.0.0
"""
