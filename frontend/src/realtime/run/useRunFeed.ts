import {
  type InfiniteData,
  type QueryClient,
  queryOptions,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect } from "react";
import { chosenTeam } from "@/api/client";
import { keys } from "@/api/keys";
import { getRun, getSteps } from "@/api/runs";
import type { Item, Page, RunEvent } from "@/api/types";
import { openFeed, socketUrl } from "../feed";
import { inFrames } from "../frames";
import { tellFeed } from "../status";
import { eventsIn, itemChanges, reduceRun } from "./reducer";
import type { ItemChange, RunLive, RunMessage } from "./state";

/** Loaded items are asked for again at most this often while they change. */
const ITEMS_EVERY = 1500;

export const runLive = (id: string) =>
  queryOptions({
    queryKey: keys.runLive(id),
    queryFn: async ({ signal, client }): Promise<RunLive> => {
      const before = client.getQueryData<RunLive>(keys.runLive(id))?.seq ?? null;
      const [run, steps] = await Promise.all([getRun(id, signal), getSteps(id, signal)]);
      const told = client.getQueryData<RunLive>(keys.runLive(id));
      // The feed was faster: what it told meanwhile is newer than this answer.
      return told && told.seq !== before ? told : { seq: before, run, steps };
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

export function useRunLive(id: string) {
  return useQuery(runLive(id));
}

/** One step of the run; renders again only when that step changed. */
export function useLiveStep(id: string, step: string) {
  return useQuery({ ...runLive(id), select: (live) => live.steps.find((one) => one.id === step) }).data;
}

function patchItems(client: QueryClient, id: string, step: string, changes: Map<number, ItemChange>): void {
  client.setQueriesData<InfiniteData<Page<Item>>>({ queryKey: keys.items(id, step) }, (data) => {
    if (!data) return data;
    const patch = (item: Item): Item => {
      const change = changes.get(item.index);
      return change ? { ...item, state: change[1], attempts: change[2] } : item;
    };
    return { ...data, pages: data.pages.map((page) => ({ ...page, results: page.results.map(patch) })) };
  });
}

/** Adds live events to a list that was paged to its end; a list with more pages to come gets them there. */
function appendEvents(client: QueryClient, id: string, events: RunEvent[]): void {
  client.setQueryData<InfiniteData<Page<RunEvent>>>(keys.events(id), (data) => {
    const last = data?.pages.at(-1);
    if (!data || !last || last.next !== null) return data;
    const seen = last.results.at(-1)?.seq ?? 0;
    const fresh = events.filter((event) => event.seq > seen);
    return {
      ...data,
      pages: [...data.pages.slice(0, -1), { ...last, results: [...last.results, ...fresh] }],
    };
  });
}

const FINISHED = new Set(["run.completed", "run.failed", "run.cancelled"]);
/** Events after which what was asked for before tells of another attempt. */
const ANEW = new Set([...FINISHED, "run.retried"]);

function apply(client: QueryClient, id: string, messages: RunMessage[], askItems: () => void): void {
  client.setQueryData<RunLive>(keys.runLive(id), (live) => reduceRun(live, messages));
  const changes = itemChanges(messages);
  for (const [step, ofStep] of changes) patchItems(client, id, step, ofStep);
  if (changes.size > 0) askItems();
  const events = eventsIn(messages);
  appendEvents(
    client,
    id,
    events.map(({ seq, event, at, data }) => ({ seq, type: event, at, data })),
  );
  if (events.some((event) => ANEW.has(event.event))) {
    // Output and figures of the whole run are in no event: ask once, at its end. Nor are the steps of a retry.
    void client.invalidateQueries({ queryKey: keys.runLive(id) });
    void client.invalidateQueries({ queryKey: keys.items(id) });
    void client.invalidateQueries({ queryKey: keys.logs(id) });
    void client.invalidateQueries({ queryKey: keys.state(id) });
    void client.invalidateQueries({ queryKey: keys.steps(id) });
  }
}

function connect(client: QueryClient, id: string): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const askItems = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      void client.invalidateQueries({ queryKey: keys.items(id) });
    }, ITEMS_EVERY);
  };
  const frames = inFrames<RunMessage>((messages) => apply(client, id, messages, askItems));
  const close = openFeed({
    url: () =>
      socketUrl(`/ws/runs/${id}/`, {
        seq: client.getQueryData<RunLive>(keys.runLive(id))?.seq ?? null,
        team: chosenTeam(),
      }),
    onMessage: (message) => frames.push(message as RunMessage),
    onState: (state) => tellFeed(`run ${id}`, state === "closed" ? null : state),
  });
  return () => {
    close();
    frames.stop();
    clearTimeout(timer);
    tellFeed(`run ${id}`, null);
  };
}

/** Follows one run for as long as the page shows it. */
export function useRunFeed(id: string): void {
  const client = useQueryClient();
  useEffect(() => connect(client, id), [client, id]);
}
