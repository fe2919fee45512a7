import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { hmacSha256, open, randomToken, seal, sha256 } from '../kernel/crypto.ts';
import { newId, type StaffId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { readEmail } from '../organisations/name.ts';
import { asParty, type Staff } from './aidant.ts';
import type { Aidants } from './aidants.ts';
import type { LinkRefusal } from './enrolment.ts';

/**
 * A lost means of signing in (claim S16). Anybody may report one for any address; nothing happens but a mail to that address, and the link in it,
 * confirmed by a button, suspends its own holder at once.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** As long as mails are counted: whoever uses up somebody's mails leaves her a link that works. */
const LINK_LASTS_MS = DAY_MS;
/** Reports that count in one clock hour; mails that one person gets in 24 hours. */
export const MOST = { address: 3, origin: 10, all: 300, mails: 3 } as const;

export type LossScope = 'all' | 'address' | 'origin';
export interface LossCap {
  readonly scope: LossScope;
  readonly holder: string;
  readonly most: number;
}

export interface LossStore {
  /** Counts one report of an hour against every cap, or against none; returns the first cap that it would pass. */
  take(tx: Transaction, hour: Date, caps: readonly LossCap[]): Promise<LossScope | undefined>;
  addReport(tx: Transaction, id: string, addressBox: Buffer, now: Date): Promise<void>;
  /** Takes the oldest reports away: of two workers, one gets each. */
  takeReports(tx: Transaction, limit: number): Promise<{ readonly id: string; readonly addressBox: Buffer }[]>;
  /** Who is active and was invited at this address, whatever their kind, held until the transaction ends. */
  activeAt(tx: Transaction, email: string): Promise<Staff[]>;
  /** How many links somebody asked for since then. */
  asked(tx: Transaction, staffId: StaffId, since: Date): Promise<number>;
  addLink(
    tx: Transaction,
    link: { readonly hash: Buffer; readonly staffId: StaffId; readonly asked: boolean; readonly createdAt: Date; readonly expiresAt: Date },
  ): Promise<void>;
  findLink(
    tx: Transaction,
    hash: Buffer,
  ): Promise<{ readonly staff: Staff; readonly expiresAt: Date; readonly usedAt: Date | undefined } | undefined>;
  /** Uses a link up if it was neither used nor expired: of two at once, one gets true. */
  useLink(tx: Transaction, hash: Buffer, now: Date): Promise<boolean>;
  /** The active référents of the organisations where somebody is a member, but for themselves. */
  referentsOf(tx: Transaction, staffId: StaffId): Promise<Staff[]>;
  purge(tx: Transaction, linksBefore: Date, hoursBefore: Date): Promise<number>;
}

/** Writes the mails, in the caller's transaction. */
export interface LossMails {
  link(tx: Transaction, to: Staff, token: string): Promise<unknown>;
  suspended(tx: Transaction, to: Staff, sessions: number): Promise<unknown>;
  referent(tx: Transaction, to: Staff, who: Staff, sessions: number): Promise<unknown>;
}

export interface Losses {
  /** Notes that somebody reports a loss at an address; `origin` is where the request came from. Known and unknown addresses cost the same statements. */
  report(address: unknown, origin: string): Promise<{ readonly noted: true } | { readonly refused: 'email_malformed' | 'too_many_reports' }>;
  /** Looks at what was reported: writes the mail where somebody active was invited at the address. Returns how many reports it looked at. */
  work(): Promise<number>;
  /** Makes a link for a mail that tells somebody of a change, in the caller's transaction; returns its token. */
  linkFor(tx: Transaction, staffId: StaffId): Promise<string>;
  /** Says whether a link is good. Changes nothing: a GET may call it (claim S12). */
  openLink(token: string): Promise<{ readonly expiresAt: Date } | { readonly refused: LinkRefusal }>;
  /** Acts once: suspends the holder, ends their browser and delegated sessions, tells them and their référents. */
  confirm(token: string): Promise<{ readonly sessions: number } | { readonly refused: LinkRefusal }>;
  purge(): Promise<number>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: LossStore;
  readonly aidants: Pick<Aidants, 'suspendIn'>;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Seals the address that waits. */
  readonly kek: Secret<Buffer>;
  /** Keys the hashes of addresses in the counters. */
  readonly key: Secret<Buffer>;
  readonly mails: LossMails;
  /** Hears of each report that a cap refused. */
  readonly capped: (scope: LossScope) => void;
}

const hashOf = (token: string): Buffer => sha256('relais/loss-link/v1\n', token);
const before = (now: Date, ms: number): Date => new Date(now.getTime() - ms);

const report = async (parts: Parts, given: unknown, origin: string): ReturnType<Losses['report']> => {
  const address = readEmail(typeof given === 'string' ? given.trim() : given);
  if (address === undefined) return { refused: 'email_malformed' };
  const now = parts.clock.now();
  const holder = (of: string): string => hmacSha256(hmacSha256(parts.key.reveal(), 'relais/loss-quota/v1'), of).toString('base64url');
  const over = await parts.transactions.run(async (tx) => {
    const passed = await parts.store.take(tx, new Date(Math.floor(now.getTime() / HOUR_MS) * HOUR_MS), [
      { scope: 'origin', holder: holder(`origin ${origin}`), most: MOST.origin },
      { scope: 'address', holder: holder(`address ${address}`), most: MOST.address },
      { scope: 'all', holder: 'all', most: MOST.all },
    ]);
    const id = newId('los');
    if (!passed) await parts.store.addReport(tx, id, seal(parts.kek.reveal(), address, id), now);
    return passed;
  });
  if (!over) return { noted: true };
  parts.capped(over);
  return { refused: 'too_many_reports' };
};

const makeLink = async (parts: Parts, tx: Transaction, staffId: StaffId, asked: boolean): Promise<string> => {
  const token = randomToken(32);
  const createdAt = parts.clock.now();
  const expiresAt = new Date(createdAt.getTime() + LINK_LASTS_MS);
  await parts.store.addLink(tx, { hash: hashOf(token), staffId, asked, createdAt, expiresAt });
  return token;
};

const work = (parts: Parts): Promise<number> =>
  parts.transactions.run(async (tx) => {
    const reports = await parts.store.takeReports(tx, 20);
    for (const { id, addressBox } of reports)
      for (const staff of await parts.store.activeAt(tx, open(parts.kek.reveal(), addressBox, id).toString())) {
        if ((await parts.store.asked(tx, staff.id, before(parts.clock.now(), DAY_MS))) >= MOST.mails) continue;
        await parts.mails.link(tx, staff, await makeLink(parts, tx, staff.id, true));
        await parts.journal.record(tx, { type: 'loss.reported', ...asParty(staff.id), detail: {} });
      }
    return reports.length;
  });

const usable = async (parts: Parts, tx: Transaction, token: string) => {
  const link = await parts.store.findLink(tx, hashOf(token));
  if (!link) return { refused: 'link_unknown' as const };
  if (link.usedAt) return { refused: 'link_used' as const };
  return link.expiresAt > parts.clock.now() ? link : { refused: 'link_expired' as const };
};

const confirm = (parts: Parts, token: string): ReturnType<Losses['confirm']> =>
  parts.transactions.run(async (tx) => {
    const link = await usable(parts, tx, token);
    if ('refused' in link) return link;
    const { staff } = link;
    if (!(await parts.store.useLink(tx, hashOf(token), parts.clock.now()))) return { refused: 'link_used' };
    const referents = await parts.store.referentsOf(tx, staff.id);
    const done = await parts.aidants.suspendIn(tx, staff.id, { reason: 'perte ou usage suspect, signalé par la personne', actor: staff.id });
    if ('refused' in done) return { sessions: 0 }; // suspended before, by another link or by somebody else: what was asked for holds
    await parts.mails.suspended(tx, staff, done.sessions);
    for (const referent of referents) await parts.mails.referent(tx, referent, staff, done.sessions);
    return done;
  });

/** Makes the use cases of lost means. */
export const createLosses = (parts: Parts): Losses => ({
  report: (address, origin) => report(parts, address, origin),
  work: async () => {
    const looked = await work(parts);
    if (looked) parts.journal.nudge();
    return looked;
  },
  linkFor: (tx, staffId) => makeLink(parts, tx, staffId, false),
  openLink: async (token) => {
    const link = await usable(parts, parts.transactions.auto, token);
    return 'refused' in link ? link : { expiresAt: link.expiresAt };
  },
  confirm: async (token) => {
    const done = await confirm(parts, token);
    parts.journal.nudge();
    return done;
  },
  purge: () => parts.store.purge(parts.transactions.auto, before(parts.clock.now(), 30 * DAY_MS), before(parts.clock.now(), DAY_MS)),
});
