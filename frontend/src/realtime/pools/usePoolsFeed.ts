import { type QueryClient, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { chosenTeam } from "@/api/client";
import { keys } from "@/api/keys";
import { getAgents, getPools } from "@/api/pools";
import { openFeed, socketUrl } from "../feed";
import { inFrames } from "../frames";
import { tellFeed } from "../status";
import { noteUtilization } from "./history";
import { NOTHING, type PoolsLive, type PoolsMessage, reducePools } from "./reducer";

/** Pools and agents: asked for once, then kept by the feed. */
export const poolsLive = queryOptions({
  queryKey: keys.pools(),
  queryFn: async ({ signal, client }): Promise<PoolsLive> => {
    const before = client.getQueryData<PoolsLive>(keys.pools()) ?? NOTHING;
    const [pools, agents] = await Promise.all([getPools(signal), getAgents(signal)]);
    const told = client.getQueryData<PoolsLive>(keys.pools());
    // The feed was faster: what it told meanwhile is newer than these answers.
    if (told && (told.seq !== before.seq || told.epoch !== before.epoch)) return told;
    return { seq: before.seq, epoch: before.epoch, pools: pools.results, agents: agents.results };
  },
  staleTime: Number.POSITIVE_INFINITY,
});

export function usePools() {
  return useQuery(poolsLive);
}

function connect(client: QueryClient): () => void {
  const frames = inFrames<PoolsMessage>((messages) => {
    const next = client.setQueryData<PoolsLive>(keys.pools(), (live) => reducePools(live, messages));
    if (next) noteUtilization(next.pools, Date.now());
  });
  const close = openFeed({
    url: () => {
      const live = client.getQueryData<PoolsLive>(keys.pools());
      const place = live?.epoch == null ? { seq: null, epoch: null } : { seq: live.seq, epoch: live.epoch };
      return socketUrl("/ws/pools/", { ...place, team: chosenTeam() });
    },
    onMessage: (message) => frames.push(message as PoolsMessage),
    onState: (state) => tellFeed("pools", state),
  });
  return () => {
    close();
    frames.stop();
    tellFeed("pools", null);
  };
}

/** Keeps pools and agents fresh for as long as the application is open. */
export function usePoolsFeed(): void {
  const client = useQueryClient();
  useEffect(() => connect(client), [client]);
}
