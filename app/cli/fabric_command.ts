import { UsageError } from "../../ffi/error.ts";
import { readRegularFile } from "../linux/kernel_file.ts";
import { stdout } from "../linux/output.ts";
import { type FabricHost, type FabricPlan, readFabric } from "./fabric/plan.ts";
import { frrText, hostOptionsText, interfacesText, joinText } from "./fabric/texts.ts";
import type { Parsed } from "./options.ts";
import type { FABRIC } from "./tables/fabric.ts";

const PARTS = { interfaces: interfacesText, frr: frrText, join: joinText } as const;

/** `culvert fabric`: returns the exit status. */
export async function fabricCommand({ values }: Parsed<typeof FABRIC>): Promise<number> {
  const { hosts: file, host: name, show } = values;
  if (file === undefined) throw new UsageError("Cannot plan without hosts: write --hosts FILE");
  const plan = await readFabric(file, readRegularFile(file));
  const hosts = plan.host.filter((host) => name === undefined || host.name === name);
  if (hosts.length === 0) {
    throw new UsageError(
      `Cannot show host ${name} as ${file} has ${plan.host.map((host) => host.name).join(", ")}`,
    );
  }
  const text = show === "all" ? everything : PARTS[show];
  stdout.line(hosts.map((host) => text(plan, host)).join("\n\n"));
  return 0;
}

function everything(plan: FabricPlan, host: FabricHost): string {
  return [
    `### ${host.name}, ${host.address}: interfaces, by root`,
    interfacesText(plan, host),
    `\n### ${host.name}: /etc/frr/frr.conf; bgpd=yes in /etc/frr/daemons`,
    frrText(plan, host),
    ...host.ports.length === 0 ? [] : [
      `\n### ${host.name}: culvert, with further ports that lead to the workloads`,
      `culvert host ${hostOptionsText(plan, host)} --port ...`,
      `\n### ${host.name}: once it is ready, by root`,
      joinText(plan, host),
    ],
  ].join("\n");
}
