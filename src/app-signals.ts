import type { Config } from './config/config.ts';
import type { Task } from './jobs/runner.ts';
import type { Journal } from './journal/journal.ts';
import type { Clock } from './kernel/clock.ts';
import { Failure } from './kernel/failure.ts';
import type { Transaction } from './kernel/transaction.ts';
import { createDeliveries, type Message } from './notices/deliveries.ts';
import { createEndTelling } from './notices/ends.ts';
import { createIdentityTelling } from './notices/identity.ts';
import { createReminders } from './notices/reminders.ts';
import { createHttpSmsGateway, createTexting, sendThrough } from './notices/sms.ts';
import { channelStore, smsQuotaStore } from './persistence/channels.ts';
import type { Database } from './persistence/database.ts';
import { deliveryStore } from './persistence/deliveries.ts';
import { reminderStore } from './persistence/reminders.ts';
import { referentsOf } from './persistence/stopping.ts';
import { streamStore } from './persistence/streams.ts';
import type { KeySource } from './provider/key-set.ts';
import { createBell } from './signals/bell.ts';
import { EVENTS } from './signals/events.ts';
import { sendLogout } from './signals/logout.ts';
import { createOutgoing } from './signals/outgoing.ts';
import { createSetIssuer } from './signals/set.ts';
import { createStreams } from './signals/streams.ts';
import { smsTexts } from './web/i18n/sms.ts';
import type { SecurityEvent } from './web/site.ts';

/** Joins what tells people and services: the outbox, its transports, and the tasks that empty it. */
export const joinSignals = async ({
  config,
  logoutToken,
  signing,
  administrationOf,
  sendMessage,
  notice,
  log,
  ...common
}: {
  readonly transactions: Database;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly config: Config;
  readonly logoutToken: Parameters<typeof sendLogout>[0]['token'];
  readonly signing: KeySource;
  readonly administrationOf: (tx: Transaction, serviceId: string) => Promise<string | undefined>;
  readonly sendMessage: (kind: 'mail' | 'sms', message: Message) => Promise<void>;
  readonly notice: (event: SecurityEvent) => void;
  readonly log: (level: 'warn', line: Readonly<Record<string, unknown>>) => void;
}) => {
  const { clock } = common;
  const { keys } = config;
  const smsKey = config.smsUrl ? keys.raw('sms-gateway') : undefined;
  const carrySms = config.smsUrl && smsKey ? sendThrough(createHttpSmsGateway({ url: config.smsUrl, key: smsKey, clock })) : undefined;
  const outgoing = createOutgoing({ allowLoopback: config.allowLoopback });
  const streams = config.keys.has('ssf-rs256')
    ? createStreams({
        ...common,
        store: streamStore,
        kek: keys.raw('payload-kek'),
        issuer: await createSetIssuer({
          issuer: config.publicUrl,
          opIssuer: config.issuer,
          signing,
          pairwiseKey: keys.raw('pairwise'),
        }),
        outgoing,
        allowLoopback: config.allowLoopback,
        allEvents: Object.values(EVENTS),
        administrationOf,
      })
    : undefined;
  const deliveries = createDeliveries({
    ...common,
    store: deliveryStore,
    kek: keys.raw('payload-kek'),
    transports: {
      logout: sendLogout({ token: logoutToken, outgoing }),
      set: async (delivery) => {
        if (!streams) throw new Failure('ssf_off');
        await streams.push(delivery);
      },
      message: (kind, message, id) => (kind === 'sms' && carrySms ? carrySms(message, id) : sendMessage(kind, message)),
    },
  });
  const texting = {
    ...common,
    kek: keys.raw('payload-kek'),
    texts: smsTexts(config.helpNumber),
    queueSms: createTexting({ deliveries, quota: smsQuotaStore, clock, capped: (scope) => notice({ code: 'sms_capped', detail: scope }) }),
  };
  const endTelling = createEndTelling({
    deliveries,
    queueSms: carrySms && texting.queueSms,
    channels: channelStore,
    referents: referentsOf,
    texts: texting.texts,
    clock,
  });
  const identityTelling = carrySms && createIdentityTelling({ queueSms: texting.queueSms, channels: channelStore, texts: texting.texts });
  const reminders = createReminders({
    ...common,
    store: reminderStore,
    channels: channelStore,
    deliveries,
    queueSms: carrySms && texting.queueSms,
    texts: texting.texts,
  });
  /** What runs to carry the outbox, each nudged when something is put in it. */
  const bell = createBell(async (ids) => (await streams?.pending(ids)) ?? []);
  const known = new Set<string>();
  /** One line for an endpoint that falls silent, and another if it does again. */
  const lookForDeaf = async (): Promise<number> => {
    const found = await deliveries.deaf();
    for (const { target, since, waiting } of found)
      if (!known.has(target)) log('warn', { event: 'deaf', service: target, since: since.toISOString(), waiting });
    known.clear();
    for (const { target } of found) known.add(target);
    return 0;
  };
  const tasks: readonly Task[] = [{ name: 'deliver', everyMs: 500, work: deliveries.begin }];
  const watches: readonly Task[] = [{ name: 'deaf', everyMs: 5_000, work: lookForDeaf }];
  /** Wakes at once whatever another process wrote. */
  const listen = (wake: () => void): (() => Promise<void>) => {
    const ended = common.transactions.listen('relais_delivery', () => {
      bell.ring();
      wake();
    });
    return async () => {
      await ended();
      await deliveries.stop();
    };
  };
  return { deliveries, texting, smsKey, endTelling, identityTelling, reminders, tasks, watches, listen, streams, bell };
};
