# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running configuration of FRR with one of each thing that is read of it."""

from __future__ import annotations

from typing import Any

CONFIG = """
frr version 10.3
frr defaults traditional
!
ip prefix-list vips seq 20 permit 198.51.100.0/24 le 32
ip prefix-list vips seq 10 deny 198.51.100.66/32
ip prefix-list hosts seq 5 permit 203.0.113.0/24 ge 32
ip prefix-list wide seq 5 permit 203.0.113.0/24 ge 26 le 30
ip prefix-list all seq 5 permit any
ip prefix-list described description nothing else
ipv6 prefix-list six seq 5 permit 2001:db8::/64 le 128
!
route-map in permit 10
 match ip address prefix-list vips
exit
!
route-map in deny 20
 match ip address prefix-list wide
exit
!
route-map in6 permit 10
 match ipv6 address prefix-list six
exit
!
route-map tagged permit 10
 match community blue
exit
!
route-map both permit 10
 match community blue
 match ip address prefix-list hosts
exit
!
route-map chained permit 10
 on-match next
exit
!
route-map empty deny 10
exit
!
route-map of-nothing permit 10
 match ip address prefix-list described
exit
!
router bgp 62112
 no bgp default ipv4-unicast
 neighbor KUBE peer-group
 neighbor KUBE remote-as 65432
 neighbor KUBE password very-secret
 neighbor KUBE port 1790
 neighbor 192.0.2.11 peer-group KUBE
 neighbor 192.0.2.12 remote-as internal
 neighbor 192.0.2.12 local-as 65000 no-prepend
 neighbor 192.0.2.13 remote-as 65432
 neighbor 192.0.2.13 shutdown message gone
 neighbor 192.0.2.13 passive
 neighbor 192.0.2.13 ebgp-multihop 3
 neighbor eth1 interface v6only remote-as external
 bgp listen range 192.0.2.128/25 peer-group KUBE
 !
 address-family ipv4 unicast
  neighbor KUBE activate
  neighbor KUBE route-map in in
  neighbor 192.0.2.12 activate
  neighbor 192.0.2.12 prefix-list all out
  neighbor 192.0.2.13 activate
  neighbor 192.0.2.13 prefix-list vips in
  neighbor 192.0.2.13 route-map in6 in
  neighbor eth1 activate
 exit-address-family
 !
 address-family ipv6 unicast
  neighbor 192.0.2.11 activate
  neighbor 192.0.2.11 route-map in6 in
 exit-address-family
 !
 address-family l2vpn evpn
  neighbor 192.0.2.11 activate
  neighbor 192.0.2.11 route-map empty in
 exit-address-family
exit
!
router bgp 62113 vrf blue
 no bgp ebgp-requires-policy
 neighbor 192.0.2.21 remote-as 65432
exit
!
end
"""


def neighbor(config: dict[str, Any], name: str, vrf: str = "default") -> tuple[dict[str, Any], dict[str, Any]]:
    """(instance, neighbour) of that name."""
    instance = next(each for each in config["instances"] if each["vrf"] == vrf)
    return instance, next(each for each in instance["neighbors"] if each["name"] == name)
