import { dirname, join } from "node:path";
import { ROOT, write } from "./modules.ts";

/** The documents in the package. They lie as in a clone, so that links between them hold. */
const DOCUMENTS = [
  ...["README.md", "CHANGELOG.md", "app/cli/SERVICE.md"],
  ...["app/guest/README.md", "app/guest/TUTORIAL.md"],
];

/** What the documents show: the plot, and functions to begin with. */
const PICTURE = "bench/results.svg", EXAMPLES = "app/guest/examples";

/** A link in Markdown, or a picture: `[text](path)`. */
const LINK = /(!?)\[([^\]]*)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)/g;

/** The text of a document, in which links to files that the package has not become plain text. */
function withoutDeadLinks(document: string, text: string, files: readonly string[]): string {
  return text.replaceAll(LINK, (link, _picture, words, path) => {
    const target = join(dirname(document), path).replace(/\/$/, "");
    return files.some((file) => file === target || dirname(file) === target) ? link : words;
  });
}

/** Write the package's documents, and what they show, into its folder. */
export async function writeDocuments(folder: string): Promise<void> {
  const examples = [...Deno.readDirSync(ROOT + EXAMPLES)].map(({ name }) => `${EXAMPLES}/${name}`);
  const others = [PICTURE, "LICENSE", ...examples];
  for (const file of others) await write(`${folder}/${file}`, await Deno.readTextFile(ROOT + file));
  for (const document of DOCUMENTS) {
    const text = await Deno.readTextFile(ROOT + document);
    const links = withoutDeadLinks(document, text, [...others, ...DOCUMENTS]);
    await write(`${folder}/${document}`, links);
  }
}
