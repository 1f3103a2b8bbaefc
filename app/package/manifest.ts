import { VERSION } from "../cli/version.ts";

/** The modules that users import, by what follows `culvert-net` in their names. */
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
  /** The version of the library that tells percentiles of latencies. */
  readonly "hdr-histogram-js": string;
  /** The version of the API by which `culvert metrics` exports to OTLP. */
  readonly "@opentelemetry/api": string;
  /** The version of the parser of configuration files. */
  readonly "toml-eslint-parser": string;
  /** The version of the library that checks these. */
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
