const KEY = "reloaded-at";
const SOON = 10_000; // ms

/**
 * A part of the application that could not be fetched is fetched with the whole page again: the network changed in that
 * moment (Chromium drops requests then), or a newer application has replaced the files. Not twice in a row, so that a
 * part that is really missing shows its error.
 */
export function reloadOnce(storage: Storage, now: number, reload: () => void): void {
  const before = Number(storage.getItem(KEY) ?? 0);
  if (now - before < SOON) return;
  storage.setItem(KEY, String(now));
  reload();
}
