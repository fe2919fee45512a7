/** Wakes whoever waits in this process for something to be told. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, after `ms`, or when `ended` aborts: whichever comes first. */
  wait(ms: number, ended: AbortSignal): Promise<void>;
  /** From now on nobody waits. */
  stop(): void;
  readonly stopped: boolean;
}

export const createBell = (): Bell => {
  const waiting = new Set<() => void>();
  let stopped = false;
  const ring = (): void => {
    for (const wake of [...waiting]) wake();
  };
  return {
    ring,
    wait: (ms, ended) =>
      new Promise((done) => {
        if (stopped || ended.aborted) return done();
        const wake = (): void => {
          waiting.delete(wake);
          clearTimeout(timer);
          ended.removeEventListener('abort', wake);
          done();
        };
        const timer = setTimeout(wake, ms).unref();
        waiting.add(wake);
        ended.addEventListener('abort', wake);
      }),
    stop() {
      stopped = true;
      ring();
    },
    get stopped() {
      return stopped;
    },
  };
};
