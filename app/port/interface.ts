import { check, CulvertError, INTERFACE_ADVICE } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

const IFF_UP = 1, IFF_RUNNING = 0x40;
const ARPHRD_ETHER = 1, ARPHRD_NONE = 65534;
const IFNAMSIZ = 16;

/** A network interface, as the kernel describes it. */
export interface Interface {
  /** Its number, which a new interface of the same name does not share. */
  readonly index: number;
  /** What it is called now. */
  readonly name: string;
  /** Whether it is administratively up. */
  readonly isUp: boolean;
  /** Whether the link has a carrier: without one, frames go nowhere. */
  readonly hasCarrier: boolean;
  /** Its MTU in bytes. */
  readonly mtu: number;
  /** Its MAC address, 6 bytes. */
  readonly mac: Uint8Array;
}

/**
 * Check an interface's name. `%` is refused too: TUNSETIFF takes it for a pattern.
 *
 * @throws {CulvertError} if no interface can have that name.
 */
export function checkInterfaceName(name: string): void {
  if (name.length > 0 && name.length < IFNAMSIZ && !/[\s/%]|^\.\.?$/.test(name)) return;
  throw new CulvertError(
    `Cannot use interface "${name}" as no interface can have that name: ` +
      (withoutPeer(name) ?? "1 to 15 characters, no space, no slash"),
  );
}

/**
 * What to write for an interface that is named as `ip link` shows a veth: `NAME@PEER`.
 *
 * @returns undefined if no `@` is in it.
 */
export function withoutPeer(name: string): string | undefined {
  const end = name.indexOf("@");
  if (end < 0) return undefined;
  return `write ${name.slice(0, end)}, as what \`ip link\` shows behind @ is another's name`;
}

/**
 * Look an interface up, in this process's network namespace.
 *
 * @returns undefined if there is none of that name.
 * @throws {CulvertError} if it is not Ethernet, or its name cannot be one.
 */
export function findInterface(name: string): Interface | undefined {
  checkInterfaceName(name);
  const words = new Uint32Array(6);
  const result = shim.shim_interface_get(cString(name), words);
  if (result < 0) return undefined;
  const [index, flags, mtu, type] = words;
  if (type !== ARPHRD_ETHER || name === "lo") {
    const isTunnel = type === ARPHRD_NONE;
    throw new CulvertError(
      `Cannot use interface ${name} as it is not Ethernet (ARPHRD type ${type}): ` +
        (isTunnel
          ? "it carries IP alone, as tun and WireGuard do; use a VXLAN interface over it"
          : "use a NIC, veth, bridge or TAP"),
    );
  }
  const mac = new Uint8Array(words.buffer, 16, 6).slice();
  const isUp = (flags & IFF_UP) !== 0;
  return { index, name, isUp, hasCarrier: isUp && (flags & IFF_RUNNING) !== 0, mtu, mac };
}

/**
 * Find an interface again: the one of that number, whatever it is called now, or else another one
 * of that name.
 *
 * @returns undefined if there is neither.
 * @throws {CulvertError} if it is not Ethernet.
 */
export function findInterfaceAgain(index: number, name: string): Interface | undefined {
  const bytes = new Uint8Array(IFNAMSIZ);
  if (shim.shim_interface_name(index, bytes) < 0) return findInterface(name);
  return findInterface(new TextDecoder().decode(bytes).replace(/\0[^]*/, ""));
}

/**
 * What is there now for an interface, as {@linkcode findInterfaceAgain} finds it, as far as a port
 * can use it.
 *
 * @returns undefined if there is none, or it is not Ethernet.
 */
export function lookAgain(index: number, name: string): Interface | undefined {
  try {
    return findInterfaceAgain(index, name);
  } catch (error) {
    if (error instanceof CulvertError) return undefined;
    throw error;
  }
}

/**
 * Set an interface up or down.
 *
 * @throws {ShimError} without CAP_NET_ADMIN.
 */
export function setInterfaceUp(name: string, up: boolean): void {
  const result = shim.shim_interface_flags(cString(name), up ? IFF_UP : 0, up ? 0 : IFF_UP);
  check(result, `set interface ${name} ${up ? "up" : "down"}`, INTERFACE_ADVICE);
}

/**
 * Set an interface's MTU in bytes.
 *
 * @throws {ShimError} without CAP_NET_ADMIN, or if the device cannot do it.
 */
export function setInterfaceMtu(name: string, mtu: number): void {
  const result = shim.shim_interface_mtu(cString(name), mtu);
  check(result, `set the MTU of ${name} to ${mtu}`, INTERFACE_ADVICE);
}
