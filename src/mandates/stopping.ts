import type { Journal } from '../journal/journal.ts';
import { parisDay } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, sha256 } from '../kernel/crypto.ts';
import type { AidantId, MandateId, OrganisationId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { firstName } from '../usagers/usager.ts';
import { readCode } from './attestation.ts';
import type { Ended, EndingStore, Endings, Through } from './ending.ts';
import { type ActorRefusal, checkActor } from './policy.ts';

export interface StoppingStore extends Pick<EndingStore, 'actor' | 'find'> {
  /** What the paper with this code names: by the unique index, unknown or not. */
  byPaper(tx: Transaction, code: string): Promise<{ mandateId: MandateId; birthdate: string } | undefined>;
  /** Counts one more try of a day and returns how many there were with it, holding the count until the transaction ends. */
  countTry(tx: Transaction, day: string, scope: 'aidant' | 'address' | 'code', holder: Buffer): Promise<number>;
  /** Takes back a try that was right. */
  forgiveTry(tx: Transaction, day: string, scope: 'aidant' | 'address' | 'code', holder: Buffer): Promise<void>;
  /** Counts of days before this one. */
  purgeTries(tx: Transaction, before: string): Promise<number>;
}

/** What is written on the paper, and what the person knows. */
export interface PaperProof {
  /** As typed. */
  readonly code: string;
  /** `YYYY-MM-DD`. */
  readonly birthdate: string;
}

export type StopRefusal = 'stop_unknown' | 'stop_capped';

/** Ways in which a person stops a mandate without account, password, reason or her own aidant (claim M18). */
export interface Stopping {
  /** Anybody who holds the paper and knows the person's birth date: she, or whoever helps her. `address` is where the request comes from. */
  byLetter(proof: PaperProof, address: string): Promise<Ended | { refused: StopRefusal }>;
  /** The person's signed stop, received by an aidant of any organisation, who is written down. */
  byPaper(who: { aidantId: AidantId; organisationId: OrganisationId }, proof: PaperProof): Promise<Ended | { refused: StopRefusal | ActorRefusal }>;
  /** Forgets the counts of past days. */
  purge(): Promise<number>;
}

/** Wrong tries in one day of Paris, by whoever tries and what is tried: nobody's wrong tries stop somebody else's right one. */
const MOST = 10;
/** Wrong tries at one code, wherever they come from, after which one try a minute is looked at: an aidant's always is, for it is signed. */
const MOST_SWIFT = 100;
const MINUTE = 60_000;
const NO_BIRTHDATE = '0000-00-00';

export const createStopping = (parts: {
  transactions: Transactions;
  store: StoppingStore;
  endings: Pick<Endings, 'stopIn'>;
  journal: Journal;
  clock: Clock;
}): Stopping => {
  const { transactions, store, endings, journal, clock } = parts;

  /** The counts come first and stay, whatever comes of the try: the answer to a code that exists and to one that does not is the same. */
  const stop = async (
    tx: Transaction,
    proof: PaperProof,
    trier: { readonly scope: 'aidant' | 'address'; readonly holder: string },
    through: Through,
  ): Promise<Ended | { refused: StopRefusal }> => {
    const now = clock.now();
    const day = parisDay(now);
    const code = readCode(proof.code);
    if (!code) return { refused: 'stop_unknown' };
    const mine = sha256('relais/stop/trier\n', `${trier.holder} ${code}`);
    if ((await store.countTry(tx, day, trier.scope, mine)) > MOST) return { refused: 'stop_capped' };
    const all = sha256('relais/stop/code\n', code);
    if (trier.scope === 'address' && (await store.countTry(tx, day, 'code', all)) > MOST_SWIFT) {
      const minute = sha256('relais/stop/minute\n', `${code} ${Math.floor(now.getTime() / MINUTE)}`);
      if ((await store.countTry(tx, day, 'code', minute)) > 1) {
        await store.forgiveTry(tx, day, trier.scope, mine); // nobody has looked at it
        return { refused: 'stop_capped' };
      }
    }
    const paper = await store.byPaper(tx, code);
    const right = equal(Buffer.from(proof.birthdate.padEnd(10).slice(0, 10)), Buffer.from(paper?.birthdate ?? NO_BIRTHDATE));
    const mandate = paper && right ? await store.find(tx, paper.mandateId) : undefined;
    if (!mandate) return { refused: 'stop_unknown' };
    await store.forgiveTry(tx, day, trier.scope, mine);
    if (trier.scope === 'address') await store.forgiveTry(tx, day, 'code', all);
    return endings.stopIn(tx, mandate, through);
  };

  const committed = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const result = await transactions.run(work);
    journal.nudge();
    return result;
  };

  return {
    byLetter: (proof, address) => committed((tx) => stop(tx, proof, { scope: 'address', holder: address }, { by: 'letter' })),
    byPaper: (who, proof) =>
      committed(async (tx) => {
        const actor = await store.actor(tx, who.aidantId, who.organisationId);
        const refused = actor ? checkActor(actor) : 'aidant_suspended';
        if (!actor || refused) return { refused: refused ?? ('aidant_suspended' as const) };
        const through = { by: 'paper', aidantId: who.aidantId, aidantName: firstName(actor.givenName), structure: actor.organisationName } as const;
        return stop(tx, proof, { scope: 'aidant', holder: who.aidantId }, through);
      }),
    purge: () => store.purgeTries(transactions.auto, parisDay(clock.now())),
  };
};
