/**
 * The project's source files: what they import, export and load by URL. For tests of the project's
 * structure.
 *
 * @module
 */

/** The project's folder. All paths here are relative to it. */
export const ROOT: URL = new URL("../", import.meta.url);

/** The text of a file. */
export function readSource(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

/** The files below `folder` whose names end in one of `endings`, sorted. */
export function sourcesIn(folder: string, endings: readonly string[] = [".ts"]): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourcesIn(`${folder}${name}/`, endings);
    return endings.some((ending) => name.endsWith(ending)) ? [folder + name] : [];
  }).sort();
}

const STRING = `"(?:\\\\.|[^"\\\\\n])*"|'(?:\\\\.|[^'\\\\\n])*'|\`(?:\\\\[^]|[^\`\\\\])*\``;
const COMMENT = `\\/\\*[^]*?\\*\\/|\\/\\/.*`;
const STRING_OR_COMMENT = new RegExp(`(${STRING})|${COMMENT}`, "g");

/** Source text without comments. Strings stay. */
export function withoutComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, "$1");
}

const REGULAR_EXPRESSION =
  `(?<=[(,=:!&|?[]\\s*)\\/(?![*/])(?:\\\\.|\\[[^\\]\n]*\\]|[^/\\\\\n])+\\/`;
const LITERAL_OR_COMMENT = new RegExp(`(${COMMENT})|${STRING}|${REGULAR_EXPRESSION}`, "g");

/** Source text without what is in strings and regular expressions. Comments and line ends stay. */
export function withoutLiterals(text: string): string {
  return text.replace(
    LITERAL_OR_COMMENT,
    (found, comment) => comment ?? found.replaceAll(/[^\n]+/g, ""),
  );
}

/** An import, a re-export, or a call of `import()`. */
export interface Import {
  /** The other file, as the source writes it: `./b.ts`. */
  readonly specifier: string;
  /** The names that are taken, as the other file calls them; undefined for the whole module. */
  readonly names?: readonly string[];
}

/** The names in `a, type B as C`, as the other file calls them: `["a", "B"]`. */
function importedNames(list: string): string[] {
  return list.split(",").map((item) => item.trim().replace(/^type\s+/, "").split(/\s+as\s+/)[0])
    .filter((name) => name !== "");
}

/** What a source imports and re-exports, and what it loads by `import()`. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  return [
    ...code.matchAll(/^\s*(?:import|export)\b([^"';]*?)\bfrom\s*["']([^"']+)["']/gm),
    ...code.matchAll(/^\s*import()\s*["']([^"']+)["']/gm),
    ...code.matchAll(/\bimport()\s*\(\s*["'`]([^"'`]+)["'`]/g),
  ].map(([, clause, specifier]) => {
    const list = /^\s*(?:type\s*)?\{([^}]*)\}\s*$/.exec(clause)?.[1];
    return list === undefined ? { specifier } : { specifier, names: importedNames(list) };
  });
}

/** The modules of this project that a source loads by URL, such as Workers. */
export function urlsOf(text: string): string[] {
  const code = withoutComments(text);
  return [...code.matchAll(/new URL\(\s*["']([^"':]+\.ts)["'],\s*import\.meta\.url/g)]
    .map(([, path]) => path);
}

/** A declaration that a source exports. */
export interface Export {
  readonly name: string;
  /** Whether it is a class, an interface or a type alias. */
  readonly isType: boolean;
  /** The whole declaration, without comments. */
  readonly code: string;
}

/** The declarations that a source exports. Re-exports are not among them. */
export function exportsOf(text: string): Export[] {
  const start = /^export (?:(?:declare|abstract|async|default) )*(\w+)\*? (\w+)/;
  return withoutComments(text).split(/^(?=[a-z])/m).flatMap((code) => {
    const [, kind, name] = start.exec(code) ?? [];
    return name === undefined
      ? []
      : [{ name, isType: /^(interface|type|class)$/.test(kind), code }];
  });
}

/** The path of what `file` names relative to itself. */
export function resolve(file: string, specifier: string): string {
  return new URL(specifier, new URL(file, ROOT)).href.slice(ROOT.href.length);
}
