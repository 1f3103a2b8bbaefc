import { type Cpu, type CpuLayout, cpuListText } from "./cpu_layout.ts";

/** Where to run what. */
export interface CoreAdvice {
  /** For `culvert host -l`. */
  readonly host: readonly number[];
  /** For `culvert guest -l` as a process; for a VM, where its vCPU's thread should be. */
  readonly guest: readonly number[];
  /** For the rest of QEMU: `taskset -c` takes these and the guest's. */
  readonly qemu: readonly number[];
  /** Cores in the same place, in which there is room for more lcores. */
  readonly more: readonly number[];
  /** Why these cores, and what is wrong with them; a sentence each. */
  readonly reasons: readonly string[];
}

/**
 * Choose cores for a host's and a guest's lcore: two physical cores behind one L3 cache, isolated
 * ones if there are any, away from core 0, on which the kernel does its own work, if there are
 * enough.
 *
 * @returns undefined if there is no CPU.
 */
export function adviseCores(layout: CpuLayout): CoreAdvice | undefined {
  const candidates = layout.cpus.filter((cpu) => cpu.isUsable || cpu.isIsolated);
  if (candidates.length === 0) return undefined;
  const isolated = candidates.filter((cpu) => cpu.isIsolated);
  const places = placesOf(firstThreads(isolated.length >= 2 ? isolated : candidates));
  const away = places.map((cores) => cores.filter((cpu) => !isHousekeeping(cpu)));
  const chosen = [...away, ...places].find((cores) => cores.length >= 2) ??
    scattered(places.flat(), candidates);
  const [host, guest = host, ...more] = chosen;
  const lcores = [host.cpu, guest.cpu];
  const isAll = host !== guest && firstThreads(candidates).length === 2;
  return {
    host: [host.cpu],
    guest: [guest.cpu],
    qemu: [qemuCore(candidates, lcores)],
    more: more.map(({ cpu }) => cpu),
    reasons: [...reasonsFor(host, guest, layout), ...isAll ? [sharing(host.cpu)] : []],
  };
}

/** Of each physical core the first thread. */
function firstThreads(cpus: readonly Cpu[]): Cpu[] {
  return cpus.filter((cpu) => cpus.find((other) => other.threads.includes(cpu.cpu)) === cpu);
}

function l3Of(cpu: Cpu): readonly number[] | undefined {
  return cpu.caches.find(({ level, type }) => level === 3 && type !== "Instruction")?.cpus;
}

/** Cores among which frames travel by one cache: those of one L3, else of one node or socket. */
function placesOf(cores: readonly Cpu[]): Cpu[][] {
  const places = new Map<string, Cpu[]>();
  for (const cpu of cores) {
    const key = `${cpu.socket}/${cpu.node}/${l3Of(cpu)}`;
    places.set(key, [...places.get(key) ?? [], cpu]);
  }
  return [...places.values()];
}

/** Whether it is the core that the kernel prefers for its own work, or a thread of that. */
function isHousekeeping({ threads }: Cpu): boolean {
  return threads.includes(0);
}

/** No place has two cores: take cores of several, or threads of one. */
function scattered(cores: readonly Cpu[], candidates: readonly Cpu[]): readonly Cpu[] {
  const away = cores.filter((cpu) => !isHousekeeping(cpu));
  const chosen = [away, cores].find(({ length }) => length >= 2) ?? candidates;
  return chosen.slice(0, 2);
}

/** QEMU's main thread does little: it may have a thread that no lcore shares a core with. */
function qemuCore(candidates: readonly Cpu[], lcores: readonly number[]): number {
  const free = candidates.filter(({ cpu }) => !lcores.includes(cpu));
  const apart = free.find(({ threads }) => !lcores.some((lcore) => threads.includes(lcore)));
  return (apart ?? free[0] ?? candidates.find(({ cpu }) => cpu === lcores[1]))!.cpu;
}

/**
 * Measured over ports of the kernel on a machine of two cores, which also ran both ends of the TCP
 * connection: host and guest on one core carried 4.9 to 10.7 Gb/s, on two 5.8 to 11.3 Gb/s, in six
 * runs each.
 */
function sharing(core: number): string {
  return "these are all cores there are: if the programs whose frames are forwarded run here too, " +
    `-l ${core} for host and guest is as fast, and leaves them the other one`;
}

function reasonsFor(host: Cpu, guest: Cpu, { cpus }: CpuLayout): string[] {
  const reasons = [];
  const l3 = l3Of(host);
  if (host === guest) {
    reasons.push("there is one core only: host and guest take turns on it, use --idle sleep");
  } else if (host.threads.includes(guest.cpu)) {
    reasons.push("there is one physical core only: its threads share its units and its L1 cache");
  } else if (host.socket !== guest.socket) {
    reasons.push("no socket has two cores for us: frames cross from one socket to the other");
  } else if (l3?.includes(guest.cpu)) {
    reasons.push(`cores ${host.cpu} and ${guest.cpu} share an L3 cache`);
  } else if (l3) {
    reasons.push("no L3 cache has two cores for us: frames cross from one to another");
  } else {
    reasons.push("the machine does not tell its L3 caches: taken from one socket and node");
  }
  if (cpus.some((cpu) => cpu.threads.length > 1)) {
    const idle = [host, guest].flatMap(({ cpu, threads }) => threads.filter((t) => t !== cpu));
    if (idle.length > 0 && !idle.includes(host.cpu)) {
      reasons.push(`leave their other threads idle: ${cpuListText(idle)}`);
    }
  }
  if (isHousekeeping(host) || isHousekeeping(guest)) {
    reasons.push("core 0 has to be used too, which also does the kernel's own work");
  }
  if (host.isIsolated && guest.isIsolated) {
    reasons.push("both are isolated (isolcpus): nothing else is scheduled there");
  }
  const foreign = [...new Set([host, guest])].filter(({ isUsable }) => !isUsable);
  if (foreign.length > 0) {
    const list = cpuListText(foreign.map(({ cpu }) => cpu));
    reasons.push(`this process may not run on ${list} yet: put taskset -c ${list} in front`);
  }
  if (host.node !== null && cpus.some(({ node }) => node !== host.node)) {
    reasons.push(`keep the region on their node: --numa-node ${host.node}`);
  }
  return reasons;
}
