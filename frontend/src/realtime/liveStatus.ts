import { create } from "zustand";

export type LiveState = "off" | "connecting" | "live";

interface LiveStore {
  sockets: Record<string, LiveState>;
  report: (socket: string, state: LiveState | null) => void;
}

const useLiveStore = create<LiveStore>((set) => ({
  sockets: {},
  report: (socket, state) =>
    set(({ sockets }) => {
      const { [socket]: _, ...rest } = sockets;
      return { sockets: state === null ? rest : { ...rest, [socket]: state } };
    }),
}));

/** Tells how a socket is; null when it is closed for good. */
export function reportSocket(socket: string, state: LiveState | null): void {
  useLiveStore.getState().report(socket, state);
}

/** The worst state of the sockets that this page holds; "off" when it holds none. */
export function useLiveStatus(): LiveState {
  return useLiveStore(({ sockets }) => {
    const states = Object.values(sockets);
    if (states.length === 0) return "off";
    return states.every((state) => state === "live") ? "live" : "connecting";
  });
}
