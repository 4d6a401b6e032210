/** Gathers messages and hands them on once per frame, so that a thousand changes paint once. */
const HIDDEN_WAIT = 250;

export interface Frames<T> {
  push: (message: T) => void;
  stop: () => void;
}

export function inFrames<T>(deliver: (messages: T[]) => void): Frames<T> {
  let gathered: T[] = [];
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = 0;
    timer = undefined;
    const messages = gathered;
    gathered = [];
    if (messages.length > 0) deliver(messages);
  };

  return {
    push(message) {
      gathered.push(message);
      if (frame !== 0 || timer !== undefined) return;
      frame = requestAnimationFrame(flush);
      // Frames stop in a tab that is not seen; the data must not.
      timer = setTimeout(flush, HIDDEN_WAIT);
    },
    stop() {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      gathered = [];
    },
  };
}
