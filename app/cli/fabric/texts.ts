import type { FabricHost, FabricPlan } from "./plan.ts";

/** The bridge of a host, and its end of the tunnels. */
function linksOf({ vni }: FabricPlan): { bridge: string; tunnel: string } {
  return { bridge: `cv${vni}`, tunnel: `vx${vni}` };
}

/**
 * A shell script that makes a host's interfaces: a bridge, and a VXLAN tunnel that learns nothing
 * by itself (RFC 7348, RFC 8365).
 */
export function interfacesText(plan: FabricPlan, { address }: FabricHost): string {
  const { bridge, tunnel } = linksOf(plan);
  return `set -e
ip link add ${bridge} type bridge
ip link add ${tunnel} type vxlan id ${plan.vni} local ${address} dstport 4789 nolearning
ip link set ${tunnel} mtu ${plan.mtu} master ${bridge}
bridge link set dev ${tunnel} learning off
ip link set ${tunnel} up
ip link set ${bridge} up`;
}

/** A shell script that puts a host's TAPs, which culvert has made, into its bridge. */
export function joinText(plan: FabricPlan, { ports }: FabricHost): string {
  const { bridge } = linksOf(plan);
  return ["set -e", ...ports.map((port) => `ip link set ${port} master ${bridge}`)].join("\n");
}

/** FRR's configuration: each host is a peer of each other one (RFC 7432, RFC 8365). */
export function frrText({ asn, host: hosts }: FabricPlan, { name, address }: FabricHost): string {
  const peers = hosts.filter((other) => other.name !== name);
  return `hostname ${name}
!
router bgp ${asn}
 bgp router-id ${address}
 no bgp default ipv4-unicast
 timers bgp 1 3
 neighbor hosts peer-group
 neighbor hosts remote-as ${asn}
${peers.map((peer) => ` neighbor ${peer.address} peer-group hosts`).join("\n")}
 !
 address-family l2vpn evpn
  neighbor hosts activate
  advertise-all-vni
 exit-address-family
exit`;
}

/** The options of culvert host that make a host's TAPs. */
export function hostOptionsText({ mtu }: FabricPlan, { ports }: FabricHost): string {
  return [...ports.map((port) => `--port tap:${port}`), `--mtu ${mtu}`].join(" ");
}
