import { UsageError } from "../../ffi/error.ts";

/** The kinds of port that `--port` takes. */
export const PORT_KINDS = ["tap", "packet", "null", "ring", "link"] as const;

/** One of {@linkcode PORT_KINDS}. */
export type PortKind = typeof PORT_KINDS[number];

/** A port as the command line names it. */
export interface PortSpec {
  /** What stands before the colon. */
  readonly kind: PortKind;
  /** Of the interface, ring or link; for a null port the frame length in bytes. */
  readonly name: string;
  /** Of a packet port: whether captures on this machine are to see what it sends. */
  readonly isVisible?: boolean;
}

const VISIBLE = ",visible";

/**
 * Read `tap:NAME`, `packet:IFACE[,visible]`, `null[:BYTES]`, `ring[:NAME]` or `link:NAME`.
 *
 * @throws {UsageError} if it is none of these.
 */
export function parsePortSpec(text: string): PortSpec {
  const colon = text.indexOf(":");
  const kind = colon < 0 ? text : text.slice(0, colon);
  const isVisible = kind === "packet" && text.endsWith(VISIBLE);
  const name = colon < 0 ? "" : text.slice(colon + 1, isVisible ? -VISIBLE.length : undefined);
  const found = PORT_KINDS.find((known) => known === kind);
  if (found === undefined) {
    throw new UsageError(
      `Cannot use port "${text}" as "${kind}" is no kind of port: tap:NAME, packet:IFACE, ` +
        `null[:BYTES], ring[:NAME] and link:NAME are`,
    );
  }
  if (name === "" && (found === "tap" || found === "packet")) {
    throw new UsageError(`Cannot use port "${text}" as it names no interface: write ${kind}:NAME`);
  }
  if (name === "" && found === "link") {
    throw new UsageError(`Cannot use port "${text}" as it names no link: write link:NAME`);
  }
  return isVisible ? { kind: found, name, isVisible } : { kind: found, name };
}
