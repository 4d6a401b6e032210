import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { query, request } from "./client";
import { keys } from "./keys";
import type {
  AddedAlertChannel,
  Alert,
  AlertChannel,
  AlertChannelChanges,
  NewAlertChannel,
  Page,
} from "./types";

const EVERY_MS = 5000;
const SHOWN = 20;

export type AlertsShown = "open" | "all";

/** What the team was alerted of, the newest first. */
export const alertList = (shown: AlertsShown) =>
  infiniteQueryOptions({
    queryKey: keys.alerts(shown),
    queryFn: ({ pageParam, signal }) =>
      request<Page<Alert>>(
        pageParam ?? `alerts/${query({ state: shown === "open" ? shown : undefined, limit: SHOWN })}`,
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: EVERY_MS,
  });

/** Where alerts go, with how the last one went. */
export const channelList = queryOptions({
  queryKey: keys.alertChannels(),
  queryFn: ({ signal }) => request<Page<AlertChannel>>("alert-channels/", { signal }),
  refetchInterval: EVERY_MS,
});

const at = (id: string) => `alert-channels/${id}/`;

export const addChannel = (channel: NewAlertChannel) =>
  request<AddedAlertChannel>("alert-channels/", { method: "POST", body: channel });
export const changeChannel = (id: string, changes: AlertChannelChanges) =>
  request<AlertChannel>(at(id), { method: "PATCH", body: changes });
export const removeChannel = (id: string) => request<void>(at(id), { method: "DELETE" });
/** Sends one now; an error says why it was not taken. */
export const testChannel = (id: string) => request<void>(`${at(id)}test/`, { method: "POST" });
