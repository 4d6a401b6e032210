/** Who holds a lease, as the server names it: a run's attempt, or a program outside. */
export interface Holder {
  run: string | null;
  words: string;
}

const ATTEMPT = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/(.+)\/[^/]+\/[^/]+$/;

export function holderOf(holder: string): Holder {
  const [, run, step] = ATTEMPT.exec(holder) ?? [];
  if (run) return { run, words: `step ${step}` };
  return { run: null, words: holder.startsWith("api/") ? "a program outside" : holder };
}
