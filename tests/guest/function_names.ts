/** The functions that come with culvert, by their files. */
export function functionNames(): string[] {
  return [...Deno.readDirSync(new URL("../../app/guest/functions/", import.meta.url))]
    .map(({ name }) => name.replace(/\.ts$/, "")).sort();
}
