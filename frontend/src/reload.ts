const KEY = "reloaded-at";
const SOON = 10_000; // ms
const MOST = 3;

/**
 * A part of the application that could not be fetched is fetched with the whole page again: the network changed in that
 * moment (Chromium drops requests then), or a newer application has replaced the files. At most three times in ten
 * seconds, so that a part that is really missing shows its error.
 */
export function reloadSometimes(storage: Storage, now: number, reload: () => void): void {
  const recent = (storage.getItem(KEY) ?? "")
    .split(" ")
    .map(Number)
    .filter((at) => now - at < SOON);
  if (recent.length >= MOST) return;
  storage.setItem(KEY, [...recent, now].join(" "));
  reload();
}
