/** The page of `culvert metrics`, as `deno task page` makes it: all that it needs is in it. */
const PAGE = new URL("../../.cache/page/index.html", import.meta.url);

/** The page's text. If it was not made, the text of a page that says so. */
export function pageText(): string {
  try {
    return Deno.readTextFileSync(PAGE);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "<!doctype html><title>culvert</title><p>The page was not made: deno task page\n";
  }
}
