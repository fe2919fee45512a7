import type { Verifier } from '../journal/note.ts';
import { isMet, openWitnessed, type Policy } from '../journal/policy.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { rows, run } from './database.ts';
import { sql } from './sql.ts';

/** Stored cosignatures, and the newest checkpoint that enough witnesses have seen. */

/** How a witness is called in the table. */
export const witnessKey = ({ name, id }: Verifier): string => `${name}+${id.toString('hex')}`;

/** Keeps a cosignature; the same one again is one row. */
export const keepCosignature = async (tx: Transaction, size: number, witness: Verifier, at: Date, line: string): Promise<void> => {
  await run(
    tx,
    sql`insert into journal.cosignature (size, witness, at, line) values (${size}, ${witnessKey(witness)}, ${at}, ${line}) on conflict do nothing`,
  );
};

/** The largest size that each witness confirmed, and when it last spoke. */
export const confirmedBy = async (tx: Transaction, witnesses: readonly Verifier[]): Promise<ReadonlyMap<string, { size: number; at: Date }>> => {
  const found = await rows<{ witness: string; size: number; at: Date }>(
    tx,
    sql`select w.witness, c.size, c.at from unnest(${witnesses.map(witnessKey)}::text[]) as w (witness)
      cross join lateral (select size, at from journal.cosignature where witness = w.witness order by size desc, at desc limit 1) c`,
  );
  return new Map(found.map(({ witness, size, at }) => [witness, { size, at }]));
};

export interface WitnessedCheckpoint {
  readonly size: number;
  /** The log's signature and those of its witnesses. */
  readonly note: string;
  /** By when a quorum had seen it. */
  readonly at: Date;
}

interface Cosigned {
  readonly size: number;
  readonly note: string;
  readonly lines: string;
}

/** Checkpoints of `from` entries or more (below `before`, if given) with the last line of each witness, newest first. */
const cosigned = (tx: Transaction, from: number, before: number | undefined, limit: number): Promise<Cosigned[]> =>
  rows<Cosigned>(
    tx,
    sql`select c.size, c.note, w.lines
      from (select size, note from journal.checkpoint where size >= ${from} and size < ${before ?? Number.MAX_SAFE_INTEGER}
            order by size desc limit ${limit}) c
      cross join lateral (select coalesce(string_agg(l.line, '' order by l.at), '') as lines
        from (select distinct on (witness) line, at from journal.cosignature s where s.size = c.size order by witness, at desc) l) w
      order by c.size desc`,
  );

/** Opens what may meet the quorum: lines are counted by name before any signature is looked at. What does not verify counts for nothing. */
const openedAs = ({ size, note, lines }: Cosigned, origin: string, policy: Policy): WitnessedCheckpoint | undefined => {
  const spoke = new Set(policy.witnesses.filter(({ verifier }) => lines.includes(`— ${verifier.name} `)).map(({ name }) => name));
  if (!isMet(policy, spoke)) return undefined;
  try {
    const { met, seenAt, checkpoint } = openWitnessed(note + lines, origin, policy);
    return met && seenAt && checkpoint.size === size ? { size, note: note + lines, at: seenAt } : undefined;
  } catch {
    return undefined;
  }
};

const RECENT = 64;
const PAGE = 512;
/** Two days of checkpoints: what is older than that is older than any limit. */
const MOST_PAGES = 340;

const newestIn = (found: readonly Cosigned[], origin: string, policy: Policy): WitnessedCheckpoint | undefined => {
  for (const one of found) {
    const opened = openedAs(one, origin, policy);
    if (opened) return opened;
  }
  return undefined;
};

/** The newest witnessed checkpoint of at least `from` entries, among the newest that are signed. */
export const newestWitnessed = async (tx: Transaction, origin: string, policy: Policy, from: number): Promise<WitnessedCheckpoint | undefined> =>
  newestIn(await cosigned(tx, from, undefined, RECENT), origin, policy);

/** Looks further back, once, when a process starts: the newest witnessed checkpoint of the last two days, or undefined. */
export const findWitnessed = async (tx: Transaction, origin: string, policy: Policy): Promise<WitnessedCheckpoint | undefined> => {
  let before: number | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const found = await cosigned(tx, 0, before, PAGE);
    const newest = newestIn(found, origin, policy);
    if (newest || found.length < PAGE) return newest;
    before = found.at(-1)?.size;
  }
  return undefined;
};
