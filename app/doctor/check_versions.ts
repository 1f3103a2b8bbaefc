import { hashText, LAYOUT_HASH, LAYOUT_VERSION } from "../memory/layout.ts";
import { bad, type Finding, good, note, type OurProgram, type Probes } from "./check.ts";

/** Whether hosts, guests and servers that run here are of a build that works with this one. */
export function checkVersions(probes: Probes, version: string): Finding[] {
  const others = probes.regions().filter(({ layout, hash }) =>
    layout !== 0 && (layout !== LAYOUT_VERSION || hash !== LAYOUT_HASH)
  );
  return [...others.map(anotherLayout), checkPrograms(probes.programs(), version)];
}

function anotherLayout(
  { region, layout, hash }: { region: string; layout: number; hash: number },
): Finding {
  return bad(
    `region ${region}`,
    `its layout is ${layout}, hash ${hashText(hash)}: this build has ${LAYOUT_VERSION}, hash ` +
      hashText(LAYOUT_HASH),
    `culvert host --region ${region}, of this build; VMs in it have to boot again`,
  );
}

function checkPrograms(running: readonly OurProgram[], version: string): Finding {
  const programs = running.filter(({ isHidden }) => !isHidden);
  const hidden = running.length - programs.length;
  const besides = hidden > 0 ? `; root may see the versions of ${hidden} programs of others` : "";
  if (programs.length === 0) {
    return good("versions", `culvert ${version}${besides || "; no host, guest or server"}`);
  }
  const count = (command: string) => programs.filter((found) => found.command === command).length;
  const all = [...new Set(programs.map(({ command }) => command))]
    .map((command) => `${count(command)} ${command}`).join(", ");
  const others = programs.filter((found) => found.version !== version);
  if (others.length === 0) {
    return good("versions", `culvert ${version}, as all programs that run: ${all}${besides}`);
  }
  const named = others.map(({ command, pid, version }) =>
    `${command} ${pid} is ${version ?? "from files that are gone"}`
  ).join(", ");
  return note(
    "versions",
    `this is culvert ${version}; ${named}${besides}`,
    `start ${others.length === 1 ? "it" : "them"} anew: guests attach again by themselves`,
  );
}
