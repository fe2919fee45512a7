import type { Domain } from './cli/context.ts';
import type { Config } from './config/config.ts';
import type { Sessions } from './delegation/sessions.ts';
import type { Task } from './jobs/runner.ts';
import type { Stamping } from './journal/stamping.ts';
import type { Clock } from './kernel/clock.ts';

type Work = () => Promise<number>;

interface Periodic {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: (level: 'info', line: Readonly<Record<string, unknown>>) => void;
  readonly watchEveryMs: number;
  readonly domain: Domain;
  readonly sessions: Sessions;
  readonly stamping: Stamping | undefined;
  /** What signs: each looks by itself, whatever the others find. */
  readonly keySets: readonly { refreshKeys(): Promise<boolean> }[];
  readonly heartbeat: { beat: Work };
  readonly clockWatch: { look(): Promise<unknown> };
  readonly scrub: Work;
  readonly losses: { work: Work; purge: Work };
  readonly mandates: { expireOverdue: Work };
  readonly consents: { expireOverdue: Work; purge: Work };
  readonly stopping: { purge: Work };
  readonly reminders: { remind: Work };
  /** What forgets what has expired, and says how much. */
  readonly purges: readonly Work[];
}

/** What happens by itself, but for the tasks that carry the outbox (`app-signals.ts`). */
export const periodic = (parts: Periodic): readonly Task[] => {
  const {
    config,
    clock,
    log,
    watchEveryMs,
    domain,
    sessions,
    stamping,
    heartbeat,
    clockWatch,
    scrub,
    losses,
    mandates,
    consents,
    stopping,
    reminders,
  } = parts;
  return [
    { name: 'losses', everyMs: 500, work: losses.work },
    ...(stamping ? [{ name: 'timestamp', everyMs: 60_000, work: () => stamping.stamp().then(() => 0) }] : []),
    {
      name: 'keys',
      everyMs: 5_000,
      work: async () => {
        const looked = await Promise.allSettled(parts.keySets.map((each) => each.refreshKeys()));
        if (looked.some((each) => each.status === 'fulfilled' && each.value)) log('info', { event: 'signing-keys' });
        for (const each of looked) if (each.status === 'rejected') throw each.reason;
        return 0;
      },
    },
    { name: 'heartbeat', everyMs: 5_000, work: heartbeat.beat },
    { name: 'clock', everyMs: watchEveryMs, work: () => clockWatch.look().then(() => 0) },
    { name: 'scrub', everyMs: watchEveryMs, work: scrub },
    { name: 'expire-sessions', everyMs: 5_000, work: async () => (await sessions.end({ expiredAt: clock.now() }, 'time')).length },
    { name: 'expire-mandates', everyMs: 30_000, work: mandates.expireOverdue },
    { name: 'expire-questions', everyMs: 30_000, work: consents.expireOverdue },
    { name: 'purge-calls', everyMs: 3_600_000, work: consents.purge },
    { name: 'remind', everyMs: 600_000, work: reminders.remind },
    { name: 'erase', everyMs: 600_000, work: domain.erasures.resume },
    ...(config.purge === false
      ? []
      : [
          {
            name: 'retention',
            everyMs: 21_600_000,
            work: async () => {
              const { keys, dropped } = await domain.retention.run();
              if (keys.length || dropped.length) log('info', { event: 'retention', keys: keys.length, dropped: dropped.length });
              return 0;
            },
          },
        ]),
    { name: 'purge-tries', everyMs: 3_600_000, work: stopping.purge },
    {
      name: 'purge',
      everyMs: 60_000,
      work: async () => {
        let gone = 0;
        for (const purge of parts.purges) gone += await purge();
        return gone;
      },
    },
  ];
};
