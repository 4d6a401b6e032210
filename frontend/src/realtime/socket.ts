import { type LiveState, reportSocket } from "./liveStatus";

/** Close codes after which trying again is of no use: bad request, not signed in, no such thing. */
const FINAL_CODES = new Set([4400, 4401, 4404]);
const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

interface Options<Message> {
  /** A name for the live mark, and in the address: "/ws/pools/". */
  path: string;
  /** The query that resumes where this socket stood; empty for a snapshot. */
  resume: () => Record<string, string>;
  /** All messages of one frame at once, in their order. */
  onMessages: (messages: Message[]) => void;
  onRefused?: (code: number) => void;
}

/**
 * A websocket that comes back by itself: it waits longer each time, asks for what it missed, and hands
 * messages over once per frame, so that a burst costs one rendering.
 *
 * Returns the function that closes it.
 */
export function openLive<Message>({ path, resume, onMessages, onRefused }: Options<Message>): () => void {
  let socket: WebSocket | null = null;
  let closed = false;
  let delay = FIRST_DELAY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let frame: number | undefined;
  let inbox: Message[] = [];

  const report = (state: LiveState | null) => reportSocket(path, state);

  const deliver = () => {
    frame = undefined;
    const messages = inbox;
    inbox = [];
    if (!closed && messages.length > 0) onMessages(messages);
  };

  const receive = (event: MessageEvent<string>) => {
    delay = FIRST_DELAY;
    inbox.push(JSON.parse(event.data) as Message);
    // A hidden page gets no frames; its messages are handed over by a timer instead.
    frame ??= document.hidden ? window.setTimeout(deliver, 250) : requestAnimationFrame(deliver);
  };

  const connect = () => {
    report("connecting");
    // What waits for its frame was received: resuming must ask for what comes after it.
    deliver();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams(resume()).toString();
    socket = new WebSocket(`${scheme}://${location.host}${path}${query ? `?${query}` : ""}`);
    socket.onopen = () => report("live");
    socket.onmessage = receive;
    socket.onclose = ({ code }) => {
      if (closed) return;
      report("connecting");
      if (FINAL_CODES.has(code)) {
        report(null);
        onRefused?.(code);
        return;
      }
      timer = setTimeout(connect, delay * (0.75 + Math.random() / 2));
      delay = Math.min(LONGEST_DELAY, delay * 2);
    };
  };

  const wake = () => {
    if (closed || socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(timer);
    connect();
  };

  window.addEventListener("online", wake);
  connect();
  return () => {
    closed = true;
    clearTimeout(timer);
    if (frame !== undefined) {
      cancelAnimationFrame(frame);
      clearTimeout(frame);
    }
    window.removeEventListener("online", wake);
    socket?.close();
    report(null);
  };
}
