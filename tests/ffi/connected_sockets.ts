import { cString, shim } from "../../ffi/shim.ts";
import { Folder } from "./folder.ts";
import { OpenFiles } from "./open_files.ts";

/** Two connected UNIX sockets of one test: `client` blocks for a while, `server` does not. */
export class ConnectedSockets extends OpenFiles {
  readonly folder: Folder = new Folder();
  readonly path: string = `${this.folder.path}/socket`;
  readonly listener: number = this.add(shim.shim_unix_listen(cString(this.path)));
  readonly client: number;
  readonly server: number;

  /** @param milliseconds How long a receive of the client may wait. */
  constructor(milliseconds = 1000) {
    super();
    this.client = this.add(shim.shim_unix_connect(cString(this.path), milliseconds));
    this.server = this.add(shim.shim_unix_accept(this.listener, 0));
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.folder[Symbol.dispose]();
  }
}
