/** Wakes whoever waits in this process for something to be told on their stream. */
export interface Bell {
  /** Something was written, for whomever. */
  ring(): void;
  /** Resolves once something waits for this stream, after `ms`, or when `ended` aborts: whichever comes first. */
  wait(streamId: string, ms: number, ended: AbortSignal): Promise<void>;
  /** From now on nobody waits. */
  stop(): void;
  readonly stopped: boolean;
}

/** A ring may be lost with a connection. */
const LOOK_AGAIN_MS = 1_000;

/**
 * `pending` says for which of these streams something waits: asked once for all who wait here, at a ring and every second, so that a thousand who wait
 * cost what one does, whoever rings.
 */
export const createBell = (pending: (streamIds: readonly string[]) => Promise<readonly string[]>): Bell => {
  const waiting = new Map<string, Set<() => void>>();
  let stopped = false;
  let looking = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    again = true;
    if (looking) return;
    looking = true;
    while (again && waiting.size) {
      again = false;
      const asked = [...waiting.keys()];
      const found = await pending(asked).catch(() => asked); // they meet the same fault, and say so
      for (const id of found) for (const wake of [...(waiting.get(id) ?? [])]) wake();
    }
    looking = false;
  };
  const ring = (): void => void look();

  return {
    ring,
    wait: (streamId, ms, ended) =>
      new Promise((done) => {
        if (stopped || ended.aborted) return done();
        const here = waiting.get(streamId) ?? new Set();
        const wake = (): void => {
          here.delete(wake);
          if (!here.size) waiting.delete(streamId);
          if (!waiting.size) {
            clearInterval(timer);
            timer = undefined;
          }
          clearTimeout(over);
          ended.removeEventListener('abort', wake);
          done();
        };
        const over = setTimeout(wake, ms).unref();
        waiting.set(streamId, here.add(wake));
        timer ??= setInterval(ring, LOOK_AGAIN_MS).unref();
        ended.addEventListener('abort', wake);
      }),
    stop() {
      stopped = true;
      for (const wakes of [...waiting.values()]) for (const wake of [...wakes]) wake();
    },
    get stopped() {
      return stopped;
    },
  };
};
