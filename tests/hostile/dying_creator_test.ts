import { newSeed, Random } from "../kit/random.ts";
import { CREATORS, dieWhileCreating } from "./dying_creator.ts";

for (const creator of CREATORS) {
  Deno.test(`A region whose ${creator.name} dies between two steps is made again by the next host`, async () => {
    const seed = newSeed();
    console.log(`  seed ${seed}: ${await dieWhileCreating(creator, 5, new Random(seed))}`);
  });
}
