/** Line by line, what two texts differ in. Pure. */

export interface Line {
  mark: " " | "+" | "-";
  text: string;
}

/** Longer texts are shown whole, the old one before the new one. */
const MOST = 400;

/** The longest common subsequence of lines, by the textbook's table. */
export function lineDiff(before: string, after: string): Line[] {
  const old = before.split("\n");
  const now = after.split("\n");
  if (old.length > MOST || now.length > MOST) {
    return [
      ...old.map((text): Line => ({ mark: "-", text })),
      ...now.map((text): Line => ({ mark: "+", text })),
    ];
  }
  const table = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  const at = (i: number, j: number) => table[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const row = table[i];
      if (row) row[j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push({ mark: " ", text: old[i++] ?? "" });
      j++;
    } else if (i < old.length && (j >= now.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ mark: "-", text: old[i++] ?? "" });
    } else lines.push({ mark: "+", text: now[j++] ?? "" });
  }
  return lines;
}

/** The lines of a unified diff with their marks. */
export function unifiedLines(text: string): (Line | { mark: "@"; text: string })[] {
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => {
      if (/^(@@|---|\+\+\+)/.test(line)) return { mark: "@", text: line };
      const mark = line.charAt(0);
      if (mark === "+" || mark === "-") return { mark, text: line.slice(1) };
      return { mark: " ", text: line.slice(1) };
    });
}
