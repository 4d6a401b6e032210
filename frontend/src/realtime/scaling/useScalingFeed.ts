import { type QueryClient, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { chosenTeam, request } from "@/api/client";
import { keys } from "@/api/keys";
import type { Decision, Page } from "@/api/types";
import { openFeed, socketUrl } from "../feed";
import { inFrames } from "../frames";
import { tellFeed } from "../status";
import { reduceScaling, type ScalingLive, type ScalingMessage } from "./reducer";

/** The newest decisions: asked for once, then kept by the feed. */
export const scalingLive = queryOptions({
  queryKey: keys.scalingLive(),
  queryFn: async ({ signal, client }): Promise<ScalingLive> => {
    const found = await request<Page<Decision>>("decisions/?limit=100", { signal });
    const told = client.getQueryData<ScalingLive>(keys.scalingLive());
    // The feed was faster: what it told is at least as new as this answer.
    return told?.seq == null ? { seq: null, decisions: found.results } : told;
  },
  staleTime: Number.POSITIVE_INFINITY,
});

function connect(client: QueryClient): () => void {
  const frames = inFrames<ScalingMessage>((messages) => {
    client.setQueryData<ScalingLive>(keys.scalingLive(), (live) => reduceScaling(live, messages));
  });
  const close = openFeed({
    url: () => {
      const live = client.getQueryData<ScalingLive>(keys.scalingLive());
      return socketUrl("/ws/scaling/", { seq: live?.seq ?? null, team: chosenTeam() });
    },
    onMessage: (message) => frames.push(message as ScalingMessage),
    onState: (state) => tellFeed("scaling", state),
  });
  return () => {
    close();
    frames.stop();
    tellFeed("scaling", null);
  };
}

/** The team's decisions, fresh for as long as the page that asks is open. */
export function useScaling() {
  const client = useQueryClient();
  useEffect(() => connect(client), [client]);
  return useQuery(scalingLive);
}
