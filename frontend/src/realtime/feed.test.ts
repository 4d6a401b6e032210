import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoff, openFeed, socketUrl } from "./feed";
import { inFrames } from "./frames";

class FakeSocket {
  static opened: FakeSocket[] = [];
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onclose?: (event: { code: number }) => void;
  closed = false;
  constructor(readonly url: string) {
    FakeSocket.opened.push(this);
  }
  close() {
    this.closed = true;
  }
}

const last = () => FakeSocket.opened.at(-1) as FakeSocket;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.opened = [];
});
afterEach(() => vi.useRealTimers());

function open() {
  const seen: unknown[] = [];
  const states: string[] = [];
  const close = openFeed({
    url: () => `ws://here/?seq=${seen.length}`,
    onMessage: (message) => seen.push(message),
    onState: (state) => states.push(state),
    random: () => 1,
    open: (url) => new FakeSocket(url) as unknown as WebSocket,
  });
  return { seen, states, close };
}

describe("a feed", () => {
  it("comes back by itself and resumes where it stood", () => {
    const feed = open();
    last().onopen?.();
    last().onmessage?.({ data: '{"seq":1}' });
    last().onclose?.({ code: 1006 });
    expect(feed.states).toEqual(["connecting", "live", "waiting"]);
    vi.advanceTimersByTime(backoff(0, 1));
    expect(FakeSocket.opened).toHaveLength(2);
    expect(last().url).toBe("ws://here/?seq=1");
    feed.close();
  });

  it("waits longer after each failure, and at once when the network is back", () => {
    const feed = open();
    for (let failure = 0; failure < 4; failure += 1) {
      last().onclose?.({ code: 1006 });
      vi.advanceTimersByTime(backoff(failure, 1));
    }
    expect(FakeSocket.opened).toHaveLength(5);
    last().onclose?.({ code: 1006 });
    window.dispatchEvent(new Event("online"));
    expect(FakeSocket.opened).toHaveLength(6);
    feed.close();
  });

  it("does not come back when the server says that it would be of no use", () => {
    const feed = open();
    last().onclose?.({ code: 4404 });
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.opened).toHaveLength(1);
    expect(feed.states.at(-1)).toBe("closed");
  });

  it("stays closed once it was closed", () => {
    const feed = open();
    feed.close();
    expect(last().closed).toBe(true);
    last().onclose?.({ code: 1000 });
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.opened).toHaveLength(1);
  });

  it("waits between half and all of a bounded time", () => {
    expect(backoff(0, 0)).toBe(200);
    expect(backoff(0, 1)).toBe(400);
    expect(backoff(50, 1)).toBe(10_000);
  });

  it("leaves out what it has no value for", () => {
    expect(socketUrl("/ws/runs/1/", { seq: 0, team: null })).toMatch(/^ws:\/\/.*\/ws\/runs\/1\/\?seq=0$/);
  });
});

describe("frames", () => {
  it("hand on all messages of a frame at once, in a hidden tab too", () => {
    const deliveries: number[][] = [];
    const frames = inFrames<number>((messages) => deliveries.push(messages));
    for (let message = 0; message < 1000; message += 1) frames.push(message);
    vi.advanceTimersByTime(300);
    expect(deliveries.map((messages) => messages.length)).toEqual([1000]);
    frames.push(1);
    frames.stop();
    vi.advanceTimersByTime(300);
    expect(deliveries).toHaveLength(1);
  });
});
