/** An agent in a process of its own: its order is its argument, its answer is what it prints. */
import { runAgent } from "./agent.ts";

console.log(JSON.stringify(runAgent(JSON.parse(Deno.args[0]))));
