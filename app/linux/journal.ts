import { environmentVariable } from "./environment.ts";
import { statusOfFile } from "./owner.ts";

/** The descriptor of stderr. */
const STDERR = 2;

/**
 * Whether stderr is systemd's journal, as `JOURNAL_STREAM` says: systemd.exec(5). Then lines may
 * begin with their priority: sd-daemon(3).
 */
export function stderrIsJournal(): boolean {
  try {
    const { device, inode } = statusOfFile(STDERR, "stderr");
    return environmentVariable("JOURNAL_STREAM") === `${device}:${inode}`;
  } catch { // stderr is closed
    return false;
  }
}
