import { VERSION } from "../cli/version.ts";

/** What users import, by its name behind `culvert-net`. */
export const EXPORTS: Readonly<Record<string, string>> = {
  ".": "app/api",
  "./function": "app/function",
  "./testing": "app/testing",
};

/** What is installed with the package: exact versions. */
export interface Dependencies {
  /** The version of Deno that runs the program. */
  readonly deno: string;
  /** The version of esbuild that bundles a VM's guest app. */
  readonly esbuild: string;
  /** The version of what tells percentiles of latencies. */
  readonly "hdr-histogram-js": string;
  /** The version of what `culvert metrics` exports by. */
  readonly "@opentelemetry/api": string;
  /** The version of the parser of configuration files. */
  readonly "toml-eslint-parser": string;
  /** The version of what checks them. */
  readonly valibot: string;
}

/** The text of package.json. */
export function manifestText(dependencies: Dependencies): string {
  const exports = Object.entries(EXPORTS).map(([name, module]) => [
    name,
    { types: `./types/${module}.d.ts`, default: `./dist/${module}.js` },
  ]);
  const manifest = {
    name: "culvert-net",
    version: VERSION,
    description: "Ethernet frames between a Linux host and its VMs, through shared memory",
    license: "MIT",
    type: "module",
    os: ["linux"],
    cpu: ["x64", "arm64"],
    bin: { culvert: "bin/culvert" },
    exports: Object.fromEntries(exports),
    files: ["bin", "dist", "types", "app", "bench", "CHANGELOG.md"],
    dependencies,
  };
  return JSON.stringify(manifest, null, 2) + "\n";
}
