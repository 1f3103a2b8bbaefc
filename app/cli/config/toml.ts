import type { AST } from "toml-eslint-parser";

/** Where something stands in a file: both numbers count from 1. */
export interface Place {
  /** The line. */
  readonly line: number;
  /** The column, in UTF-16 units. */
  readonly column: number;
}

/** Keys and indexes that lead from the top of a file to a value. */
export type Path = readonly (string | number)[];

/** A TOML file that was read. */
export interface Toml {
  /** Its content: objects, arrays, strings, numbers, booleans and dates. */
  readonly value: unknown;
  /**
   * Where the key of the value at `path` stands; if the file has none, where that of its parent
   * does.
   */
  placeOf(path: Path): Place;
}

/** A file that is no TOML. */
export class TomlError extends Error {
  /** What is wrong, and where. */
  constructor(message: string, readonly place: Place) {
    super(message);
  }
}

/** Not a literal: the package is loaded when a file is read, not when the program starts. */
const PARSER = "toml-eslint-parser";

/**
 * Read TOML 1.0.
 *
 * @throws {TomlError} if it is none.
 */
export async function readToml(text: string): Promise<Toml> {
  const parser: typeof import("toml-eslint-parser") = await import(PARSER);
  const places = new Map<string, Place>();
  const program = parseWith(parser, text);
  for (const node of program.body[0].body) collect(node, [], places);
  return {
    value: parser.getStaticTOMLValue(program),
    placeOf: (path) => {
      for (let length = path.length; length > 0; length--) {
        const found = places.get(JSON.stringify(path.slice(0, length)));
        if (found) return found;
      }
      return { line: 1, column: 1 };
    },
  };
}

function parseWith(
  { parseTOML, ParseError }: typeof import("toml-eslint-parser"),
  text: string,
): AST.TOMLProgram {
  try {
    return parseTOML(text, { tomlVersion: "1.0" });
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new TomlError(error.message, { line: error.lineNumber, column: error.column + 1 });
  }
}

type Node = AST.TOMLTopLevelTable["body"][number] | AST.TOMLContentNode;

/** Note where the keys and elements below `node` stand. */
function collect(node: Node, path: Path, places: Map<string, Place>): void {
  const note = (at: Path, { loc: { start } }: AST.TOMLNode) =>
    places.set(JSON.stringify(at), { line: start.line, column: start.column + 1 });
  switch (node.type) {
    case "TOMLTable":
      note(node.resolvedKey, node);
      for (const entry of node.body) collect(entry, node.resolvedKey, places);
      break;
    case "TOMLKeyValue": {
      const own = [...path, ...node.key.keys.map((key) => "name" in key ? key.name : key.value)];
      note(own, node);
      collect(node.value, own, places);
      break;
    }
    case "TOMLInlineTable":
      for (const entry of node.body) collect(entry, path, places);
      break;
    case "TOMLArray":
      node.elements.forEach((element, i) => {
        note([...path, i], element);
        collect(element, [...path, i], places);
      });
  }
}
