import { serveOrder } from "../ffi/run_workers.ts";
import { runAgent } from "./agent.ts";

serveOrder(runAgent);
