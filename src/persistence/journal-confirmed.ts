import type { Unconfirmed } from '../journal/confirmed.ts';
import type { Policy } from '../journal/policy.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row } from './database.ts';
import { confirmedBy, findWitnessed, newestWitnessed, type WitnessedCheckpoint } from './journal-cosignatures.ts';
import { sql } from './sql.ts';

/** Since when the journal is not signed, or not witnessed, as the database of this instance shows it: every instance knows, leading or not. */

export interface Confirmed {
  /** Looks at what is stored now. */
  look(tx: Transaction): Promise<void>;
  /** The newest checkpoint that meets the quorum, as last looked at. */
  witnessed(): WitnessedCheckpoint | undefined;
  /** Why what waits for a confirmed journal must wait; undefined while all is well. */
  blocked(): Unconfirmed | undefined;
}

export interface ConfirmedOptions {
  readonly clock: Clock;
  readonly origin: string;
  readonly policy?: Policy | undefined;
  /** How long entries may stay unsigned, and the journal unwitnessed, in milliseconds; undefined: for ever. */
  readonly sealLimitMs: number | undefined;
  readonly witnessLimitMs: number | undefined;
  /** The signer's last answer was a refusal (in the process that leads). */
  readonly sealRefused: () => boolean;
  /** A limit counts as passed once this has passed with it; 5000 by default, 0 for one look. */
  readonly certainMs?: number;
  /** Milliseconds that pass, whatever the clock says. */
  readonly elapsed?: () => number;
}

interface Standing {
  readonly size: number;
  readonly sealed: number;
  /** Time of the first entry that is not signed. */
  readonly first: Date | null;
}

const standing = (tx: Transaction): Promise<Standing | undefined> =>
  row(
    tx,
    sql`select h.size, c.size as sealed, l.at as first from journal.head h
      cross join lateral (select coalesce(max(size), 0) as size from journal.checkpoint) c left join journal.leaf l on l.idx = c.size`,
  );

/** Makes it. It knows nothing before it has looked. */
export const createConfirmed = (options: ConfirmedOptions): Confirmed => {
  const { clock, origin, policy, sealLimitMs, witnessLimitMs, sealRefused, certainMs = 5000, elapsed = () => performance.now() } = options;
  const startedAt = clock.now();
  const verifiers = policy?.witnesses.map(({ verifier }) => verifier) ?? [];
  let witnessed: WitnessedCheckpoint | undefined;
  let witnessedSince = startedAt;
  let unsealedSince: Date | undefined;
  let begun = false;
  /** Since when a limit is passed, on the clock that nobody sets: a clock that jumps must not stop the house. */
  let over: { readonly code: Unconfirmed; readonly from: number; readonly certain: boolean } | undefined;

  const passed = (since: Date | undefined, limitMs: number | undefined): boolean =>
    since !== undefined && limitMs !== undefined && clock.now().getTime() - since.getTime() > limitMs;
  const lookAtSeal = async (tx: Transaction): Promise<void> => {
    const found = await standing(tx);
    if (!found) return;
    if (found.size > found.sealed) unsealedSince = found.first ?? unsealedSince ?? clock.now();
    else if (found.size < found.sealed || sealRefused()) unsealedSince ??= clock.now();
    else unsealedSince = undefined;
  };
  const lookAtWitnesses = async (tx: Transaction): Promise<void> => {
    if (!policy || policy.quorum === 'none') return;
    if (begun) witnessed = (await newestWitnessed(tx, origin, policy, witnessed?.size ?? 0)) ?? witnessed;
    else {
      witnessed = await findWitnessed(tx, origin, policy);
      // Witnesses that are new have as long as everybody; those who all fell silent long ago do not begin anew with each start.
      const spoke = witnessed ? [] : [...(await confirmedBy(tx, verifiers)).values()].map(({ at }) => at.getTime());
      if (spoke.length && passed(new Date(Math.max(...spoke)), witnessLimitMs)) witnessedSince = new Date(Math.max(...spoke));
      begun = true;
    }
    if (witnessed) witnessedSince = witnessed.at;
  };
  const judge = (): Unconfirmed | undefined => {
    if (passed(unsealedSince, sealLimitMs)) return 'journal_unsealed';
    return policy && policy.quorum !== 'none' && passed(witnessedSince, witnessLimitMs) ? 'journal_unwitnessed' : undefined;
  };

  return {
    async look(tx) {
      await lookAtSeal(tx);
      await lookAtWitnesses(tx);
      const code = judge();
      // Certain once seen again after a while: not because nobody could look meanwhile.
      const from = code === over?.code ? (over?.from ?? elapsed()) : elapsed();
      over = code && { code, from, certain: elapsed() - from >= certainMs };
    },
    witnessed: () => witnessed,
    blocked: () => (over?.certain ? over.code : undefined),
  };
};
