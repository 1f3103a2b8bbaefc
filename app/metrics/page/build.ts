/**
 * `deno task page`: put the page of `culvert metrics` into one file, .cache/page/index.html, or the
 * file that is named: HTML, styles, script and uPlot. Nothing is loaded from elsewhere.
 *
 * @module
 */
import { build, type Plugin, stop } from "esbuild";
import { fileURLToPath } from "node:url";
import uplotScript from "uplot/dist/uPlot.esm.js" with { type: "text" };
import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const STYLE = fileURLToPath(new URL("./style.css", import.meta.url));
const HTML = fileURLToPath(new URL("./index.html", import.meta.url));
const OUT = fileURLToPath(new URL("../../../.cache/page/", import.meta.url));

/** Gives esbuild what Deno keeps in its cache, where esbuild does not look. */
const UPLOT: Plugin = {
  name: "uplot",
  setup(build) {
    build.onResolve({ filter: /^uplot$/ }, () => ({ path: "uplot", namespace: "uplot" }));
    build.onLoad({ filter: /.*/, namespace: "uplot" }, () => ({ contents: uplotScript }));
  },
};

async function bundle(entry: string): Promise<string> {
  const { outputFiles: [{ text }] } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    target: "es2022",
    legalComments: "none",
    plugins: [UPLOT],
  });
  return text.trim();
}

async function main(out: string): Promise<void> {
  const [script, style] = await Promise.all([
    bundle(MAIN),
    bundle(STYLE),
  ]);
  const html = await Deno.readTextFile(HTML);
  const page = html.replace("/* STYLE */", () => uplotStyle.trim() + style)
    .replace("/* SCRIPT */", () => script.replaceAll("</script", "<\\/script"));
  await Deno.mkdir(out.slice(0, out.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(out, page);
}

if (import.meta.main) {
  await main(Deno.args[0] ?? `${OUT}index.html`);
  await stop(); // esbuild's process
}
