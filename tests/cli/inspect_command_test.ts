import { deepEqual, match, throws } from "node:assert/strict";
import { inspectOptions } from "../../app/cli/inspect_command.ts";
import { INSPECT } from "../../app/cli/tables/inspect.ts";
import { helpText } from "../../app/cli/help.ts";
import { parsed } from "./tables.ts";

function read(...args: string[]) {
  return inspectOptions(parsed(INSPECT, args));
}

Deno.test("culvert inspect takes a region before or behind options, or a PCI device", () => {
  deepEqual(read("r0"), { source: { region: "r0" }, json: false, watch: 0 });
  deepEqual(read("--json", "/a/b", "--watch", "5"), {
    source: { region: "/a/b" },
    json: true,
    watch: 5,
  });
  deepEqual(read("--pci", "auto").source, { pci: "auto" });
});

Deno.test("culvert inspect takes --region NAME as it takes NAME", () => {
  deepEqual(read("--region", "r0", "--json"), read("r0", "--json"));
  match(helpText(INSPECT), /--region NAME\|PATH/);
});

for (
  const [line, message] of [
    ["", /^Cannot inspect nothing: name one region; there are /],
    ["a b", /^Cannot use "b" as culvert inspect takes no more than REGION: /],
    ["a --region b", /^Cannot inspect a, b: name one region/],
    ["a --pci auto", /^Cannot inspect a, --pci auto: name one region/],
    ["a_b", /^Cannot use region "a b" as it is no name /],
    ["--region a_b", /^Cannot use region "a b" as it is no name /],
    ["a --watch x", /^Cannot use --watch x as it is no whole number from 1 to 86400$/],
    ["-x", /^Cannot use -x as culvert inspect has no such option: /],
  ] as const
) {
  Deno.test(`culvert inspect ${line} is a usage error`, () => {
    const words = line.split(" ").filter(Boolean).map((word) => word.replace("_", " "));
    throws(() => read(...words), { name: "UsageError", message });
  });
}
