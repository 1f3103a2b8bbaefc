import { DebianContainer } from "../kit/debian_container.ts";
import type { Lab } from "../kit/lab.ts";
import { operate, type Place } from "./systemd_steps.ts";

async function container(lab: Lab): Promise<Place> {
  const { netns, inner, outer } = await lab.cable({ quiet: true });
  // Of the addresses for benchmarks (RFC 2544): nothing else uses them, whatever was left behind.
  const net = `198.18.${Deno.pid % 256}`;
  const [here, there] = [`${net}.1`, `${net}.2`];
  await lab.run("ip", "address", "add", `${here}/24`, "dev", outer);
  const shared = "/dev/shm/shared";
  return {
    network: `[Match]\nName=${inner}\n[Network]\nAddress=${there}/24\nLinkLocalAddressing=no\n`,
    here,
    listen: here,
    address: there,
    port: 22,
    guest: `--region ${shared}`,
    boot: (root, region) => DebianContainer.boot(root, { netns, binds: [`${region}:${shared}`] }),
  };
}

Deno.test("In a container with Debian and systemd", (t) => operate(t, container));
