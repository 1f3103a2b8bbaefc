import type { Command } from "../command.ts";

/** `culvert fabric`. */
export const FABRIC = {
  name: "fabric",
  summary: "print what joins hosts: VXLAN interfaces and FRR's BGP EVPN, for each of them",
  usage: ["--hosts FILE [--host NAME] [--show PART]"],
  options: {
    "hosts": {
      kind: "text",
      argument: "FILE",
      about: "a TOML file: vni, asn and mtu of the network, and a [[host]] for each, with name, " +
        "address and ports",
    },
    "host": { kind: "text", argument: "NAME", about: "this one alone", otherwise: "all" },
    "show": {
      kind: "choice",
      argument: "PART",
      choices: ["all", "interfaces", "frr", "join"],
      default: "all",
      meanings: {
        all: "everything, under headings",
        interfaces: "a shell script, to be run as root once",
        frr: "/etc/frr/frr.conf; bgpd has to be on in /etc/frr/daemons",
        join: "a shell script, to be run once culvert host is ready: puts its TAPs into the bridge",
      },
      about: "what to print",
    },
  },
  text: [
    "Guests of different hosts reach each other as on one Ethernet segment: the far side of a TAP " +
    "is the kernel's bridge, behind that a VXLAN tunnel to each other host, and bgpd tells which " +
    "host has which MAC address. app/vm/MANY_HOSTS.md explains it.",
  ],
  examples: [
    { line: "culvert fabric --hosts fabric.toml --host h1 --show interfaces | sh" },
    { line: "culvert fabric --hosts fabric.toml --host h1 --show frr > /etc/frr/frr.conf" },
  ],
} as const satisfies Command;
