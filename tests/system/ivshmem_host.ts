/**
 * A host of a region that does nothing with it until it reads a line.
 *
 * @module
 */
import { hostRegionMemory } from "../../app/region/hosted_memory.ts";
import { Region } from "../../app/memory/region.ts";

try {
  const hosted = await hostRegionMemory(Deno.args[0], undefined, 3);
  const region = Region.build(hosted.memory, Deno.args[0]);
  region.publish();
  console.log(`hosting: epoch ${region.epoch}, server ${hosted.peer?.server.pid}`);
  await Deno.stdin.read(new Uint8Array(1));
  region.close();
  hosted.close();
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}
