import { loadUnitTests } from "./unit_files.ts";

await loadUnitTests(1);
