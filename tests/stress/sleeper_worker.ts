import { serveOrder } from "../ffi/run_workers.ts";
import { play } from "./sleeper.ts";

serveOrder(play);
