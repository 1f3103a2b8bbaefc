import { plugTwice } from "./hotplug_steps.ts";

// ACPI is QEMU's default for q35.
Deno.test("a region is plugged into a VM that runs, unplugged, plugged again (ACPI)", () =>
  plugTwice([]));
