/** A bounded number of workers for what a table holds. */
export interface Pool {
  /** Takes as much as there are free workers for, and waits for none; returns how many were begun. */
  begin(): Promise<number>;
  /** Waits until no worker has anything. */
  idle(): Promise<void>;
  /** Begins nothing more, and waits for what was begun. */
  stop(): Promise<void>;
}

/** Workers that end at about the same time look for more together. */
const GATHER_MS = 5;

/** Each worker that ends looks for more, so that what waited for it leaves at once. A fault of `take` after a work is left to the next `begin`. */
export const createPool = <T>(parts: {
  readonly workers: number;
  readonly take: (limit: number) => Promise<readonly T[]>;
  readonly one: (item: T) => Promise<void>;
}): Pool => {
  const working = new Set<Promise<void>>();
  let stopped = false;
  let taking: Promise<number> | undefined;
  let again = false;
  let later: NodeJS.Timeout | undefined;

  const start = (item: T): void => {
    const work: Promise<void> = parts
      .one(item)
      .catch(() => undefined) // its lease runs out, and it is tried again
      .finally(() => {
        working.delete(work);
        later ??= setTimeout(() => {
          later = undefined;
          void begin().catch(() => undefined);
        }, GATHER_MS);
      });
    working.add(work);
  };

  const take = async (): Promise<number> => {
    let begun = 0;
    do {
      again = false;
      const free = parts.workers - working.size;
      if (stopped || free <= 0) return begun;
      const items = await parts.take(free);
      for (const item of items) start(item);
      begun += items.length;
      again ||= items.length > 0;
    } while (again);
    return begun;
  };

  const begin = (): Promise<number> => {
    again = true;
    taking ??= take().finally(() => {
      taking = undefined;
    });
    return taking;
  };

  const idle = async (): Promise<void> => {
    while (working.size || taking) await Promise.all([...working, taking?.catch(() => 0)]);
  };

  return {
    begin,
    idle,
    async stop() {
      stopped = true;
      clearTimeout(later);
      await idle();
    },
  };
};
