import { loadUnitTests } from "./unit_files.ts";

await loadUnitTests(0);
