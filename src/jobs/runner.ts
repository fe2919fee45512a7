import { outsideRequest } from '../kernel/request-scope.ts';

/** One periodic task. `work` says how many things it did: as long as it did some, it runs again at once. */
export interface Task {
  readonly name: string;
  readonly everyMs: number;
  work(): Promise<number>;
}

export interface Jobs {
  /** Runs a task now rather than at its time. */
  nudge(name: string): void;
  /** Waits for what runs, and runs nothing more. */
  stop(): Promise<void>;
}

/**
 * Runs tasks, each one at a time in this process; between processes, each task's own statements let several share the work (leases, conditions).
 * A fault is reported and the task goes on at its next time.
 */
export const startJobs = (tasks: readonly Task[], fault: (name: string, error: unknown) => void): Jobs => {
  const loops = tasks.map((task) => startLoop(task, fault));
  return {
    nudge: (name) => loops.find((loop) => loop.name === name)?.nudge(),
    stop: async () => {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
};

const startLoop = (task: Task, fault: (name: string, error: unknown) => void) => {
  let stopped = false;
  let again = false;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const turn = async (): Promise<void> => {
    do {
      again = false;
      try {
        again = (await task.work()) > 0 || again;
      } catch (error) {
        fault(task.name, error);
      }
    } while (again && !stopped);
  };

  const go = (): void => {
    if (stopped) return;
    if (running) {
      again = true;
      return;
    }
    clearTimeout(timer);
    running = turn().finally(() => {
      running = undefined;
      if (!stopped) timer = setTimeout(go, task.everyMs).unref();
    });
  };

  timer = setTimeout(go, task.everyMs).unref();
  return {
    name: task.name,
    nudge: () => outsideRequest(go), // its later turns too would otherwise run in the request that nudged
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
};
