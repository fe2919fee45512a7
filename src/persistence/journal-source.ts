import { PARTIES } from '../journal/event.ts';
import { ROLES, type Role } from '../journal/keys.ts';
import type { RotationLeaf } from '../journal/rotations.ts';
import type { Numbers } from '../journal/sequencer.ts';
import type { HashSource } from '../journal/tree.ts';
import type { ProjectionRow, VerifySource } from '../journal/verify-source.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { row, rows } from './database.ts';
import { type Row, readRecords } from './records.ts';
import { sql } from './sql.ts';

/** Reads the hashes of the tree where they are stored: leaves, then the roots of full tiles. */
export const hashSource = (tx: Transaction): HashSource => ({
  async hashes(level, from, count) {
    const found =
      level === 0
        ? await rows<{ hash: Buffer }>(
            tx,
            sql`select leaf_hash as hash from journal.leaf where idx >= ${from} and idx < ${from + count} order by idx`,
          )
        : await rows<{ hash: Buffer }>(
            tx,
            sql`select root as hash from journal.tile where level = ${level - 1} and n >= ${from} and n < ${from + count} order by n`,
          );
    if (found.length !== count) throw new Failure('journal_node_missing', `level ${level}, from ${from}: ${found.length} hashes instead of ${count}`);
    return found.map(({ hash }) => hash);
  },
});

type NumberColumns = { readonly [R in `${Role}_n`]: number | null };

/** The numbers of an entry, from its columns. */
export const numbersIn = (found: NumberColumns): Numbers =>
  Object.fromEntries(ROLES.flatMap((role) => (found[`${role}_n`] === null ? [] : [[role, found[`${role}_n`]]])));

/** Columns: index, time, kind, then the numbers in the order of `ROLES` and the parties in that of `PARTIES`. */
const projectionIn = (found: Row): ProjectionRow => {
  const numbers: { [R in Role]?: number } = {};
  ROLES.forEach((role, i) => {
    if (!found.isNull(3 + i)) numbers[role] = found.integer(3 + i);
  });
  const parties: { [P in (typeof PARTIES)[number]]?: string } = {};
  PARTIES.forEach((party, i) => {
    if (!found.isNull(7 + i)) parties[party] = found.text(7 + i);
  });
  return { at: found.instant(1), type: found.text(2), parties, numbers };
};

/** Gives `verify` the journal of a database. Everything is read in ranges, never as a whole. */
export const journalSource = (database: Transactions): VerifySource => {
  const tx = database.auto;
  return {
    async overview() {
      // One statement, hence one instant: the log may grow meanwhile.
      const found = await row<{
        log_id: string;
        size: number;
        root: Buffer;
        leaf: number;
        payload: number;
        receipt: number;
        projection: number;
        lowest: number;
        tiles: number;
        sealed: number;
        note: string | null;
      }>(
        tx,
        sql`select h.log_id, h.size, h.root,
          coalesce((select max(idx) from journal.leaf), -1) as leaf, coalesce((select max(idx) from journal.payload), -1) as payload,
          coalesce((select max(idx) from journal.receipt), -1) as receipt, coalesce((select max(idx) from journal.projection), -1) as projection,
          least((select min(idx) from journal.payload), (select min(idx) from journal.receipt), (select min(idx) from journal.projection), 0) as lowest,
          (select count(*) from journal.tile) as tiles, coalesce((select max(size) from journal.checkpoint), 0) as sealed,
          (select note from journal.checkpoint order by size desc limit 1) as note
        from journal.head h`,
      );
      if (!found) throw new Failure('journal_head_missing', 'journal.head has no row');
      return {
        logId: found.log_id,
        size: found.size,
        root: found.root,
        tiles: found.tiles,
        sealed: found.sealed,
        lastNote: found.note ?? undefined,
        lowest: found.lowest,
        highest: { leaf: found.leaf, payload: found.payload, receipt: found.receipt, projection: found.projection },
      };
    },
    async entries(from, to) {
      const { leaves, payloads, receipts, projections } = await readRecords<'leaves' | 'payloads' | 'receipts' | 'projections'>(
        tx,
        sql`select
          (select string_agg(record_send(r), '') from (select idx, at, leaf_hash, leaf from journal.leaf where idx >= ${from} and idx < ${to}) r) as leaves,
          (select string_agg(record_send(r), '') from (select idx, event_id, class, to_char(month, 'YYYY-MM') as month, box_subject, box_actor
            from journal.payload where idx >= ${from} and idx < ${to}) r) as payloads,
          (select string_agg(record_send(r), '') from (select idx, event_id, leaf_hash from journal.receipt where idx >= ${from} and idx < ${to}) r) as receipts,
          (select string_agg(record_send(r), '') from (select idx, at, type, usager_n, organisation_n, administration_n, aidant_n, usager, aidant,
            organisation, mandate, session, service, administration, theme, demarche, verb, outcome, actor
            from journal.projection where idx >= ${from} and idx < ${to}) r) as projections`,
      );
      return {
        leaves: new Map(leaves.map((one) => [one.integer(0), { at: one.instant(1), leafHash: one.bytes(2), leaf: one.bytes(3) }])),
        payloads: new Map(
          payloads.map((one) => [
            one.integer(0),
            {
              eventId: one.uuid(1),
              class: one.text(2),
              month: one.text(3),
              subject: one.bytes(4),
              actor: one.isNull(5) ? undefined : one.bytes(5),
            },
          ]),
        ),
        receipts: new Map(receipts.map((one) => [one.integer(0), { eventId: one.uuid(1), leafHash: one.bytes(2) }])),
        projections: new Map(projections.map((one) => [one.integer(0), projectionIn(one)])),
      };
    },
    async tiles(level, from, to) {
      const found = await rows<{ n: number; hashes: Buffer; root: Buffer }>(
        tx,
        sql`select n, hashes, root from journal.tile where level = ${level} and n >= ${from} and n < ${to} order by n`,
      );
      return new Map(found.map(({ n, hashes, root }) => [n, { hashes, root }]));
    },
    rotations: () => rotationsIn(tx),
    checkpoints: (after, to) =>
      rows<{ size: number; root: Buffer; note: string }>(
        tx,
        sql`select size, root, note from journal.checkpoint where size > ${after} and size <= ${to} order by size`,
      ),
  };
};

/** The changes of the log's key, in order. */
export const rotationsIn = (tx: Transaction): Promise<RotationLeaf[]> =>
  rows(
    tx,
    sql`select l.idx as index, l.leaf from journal.projection p join journal.leaf l on l.idx = p.idx where p.type = 'key.rotated' order by l.idx`,
  );

/** The newest signed checkpoint that the database holds, for pages that say how far the journal is sealed. */
export const lastCheckpoint = (tx: Transaction): Promise<{ size: number; root: Buffer; note: string; at: Date } | undefined> =>
  row(tx, sql`select size, root, note, at from journal.checkpoint order by size desc limit 1`);
