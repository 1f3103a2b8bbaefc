import { CANNOT_RUN, runArea } from "../bench/area.ts";

Deno.test({
  name: "bench vm runs, and ends with a verdict",
  ignore: CANNOT_RUN,
  fn: () => runArea("vm", ", 64 B", [/^tap -> host -> VM -> tap, 64 B +Mpps/m]),
});
