import type { EvidenceStore, PartyRange, PartySpan } from '../journal/evidence.ts';
import type { Role } from '../journal/keys.ts';
import { TILE_WIDTH } from '../journal/tree.ts';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { rows } from './database.ts';
import { type Statement, sql } from './sql.ts';

type LeafRow = { idx: number; n: number; leaf: Buffer | null; subject: Buffer | null; actor: Buffer | null; last: number };

/** The column of a role is one of four names of ours: never text that came from outside. */
const leavesOf = (role: Role, party: string, span: PartySpan, limit: number): Statement => {
  const [where, values] =
    'indices' in span ? ['p.idx = any($3::bigint[])', [span.indices]] : ['p.idx between $3 and $4', [span.from, span.to ?? Number.MAX_SAFE_INTEGER]];
  const text = `select p.idx, p.${role}_n as n, l.leaf, sha256(y.box_subject) as subject, sha256(y.box_actor) as actor,
      (select max(${role}_n) from journal.projection where ${role} = $1) as last
    from journal.projection p
    left join journal.leaf l on l.idx = p.idx
    left join journal.payload y on y.idx = p.idx and y.month = date_trunc('month', p.at at time zone 'UTC')::date
    where p.${role} = $1 and ${where} order by p.idx desc limit $2`;
  return { name: `evidence_${sha256(text).toString('base64url').slice(0, 20)}`, text, values: [party, limit, ...values] };
};

/** Reads what a page needs to be checked, in one statement for leaves and two for the hashes of all proofs. */
export const evidenceStore: EvidenceStore = {
  async leaves(tx, role, party, span, limit): Promise<PartyRange> {
    const found = await rows<LeafRow>(tx, leavesOf(role, party, span, limit));
    return {
      last: Number(found[0]?.last ?? 0),
      leaves: found.map(({ idx, n, leaf, subject, actor }) => ({
        index: idx,
        number: Number(n),
        text: leaf?.toString('latin1'),
        boxes: [subject, actor].flatMap((hash) => (hash ? [hash.toString('base64url')] : [])),
      })),
    };
  },
  async hashes(tx, tiles, runs) {
    const full = await rows<{ level: number; n: number; hashes: Buffer }>(
      tx,
      sql`select t.level, t.n, t.hashes from unnest(${tiles.map(({ level }) => level)}::int[], ${tiles.map(({ n }) => n)}::bigint[]) as w (level, n)
        join journal.tile t on t.level = w.level and t.n = w.n`,
    );
    const leaves = runs.find(({ level }) => level === 0);
    const above = runs.filter(({ level }) => level > 0);
    const part = await rows<{ level: number; n: number; hash: Buffer }>(
      tx,
      sql`select 0 as level, idx as n, leaf_hash as hash from journal.leaf where idx >= ${leaves?.from ?? 0} and idx < ${leaves ? leaves.from + leaves.count : 0}
        union all
        select w.level, t.n, t.root from unnest(${above.map(({ level }) => level)}::int[], ${above.map(({ from }) => from)}::bigint[], ${above.map((run) => run.from + run.count)}::bigint[])
          as w (level, first, beyond)
          join journal.tile t on t.level = w.level - 1 and t.n >= w.first and t.n < w.beyond`,
    );
    const known = new Map<string, Buffer>();
    for (const { level, n, hashes } of full)
      for (let i = 0; i < TILE_WIDTH; i++) known.set(`${level}/${n * TILE_WIDTH + i}`, hashes.subarray(i * 32, i * 32 + 32));
    for (const { level, n, hash } of part) known.set(`${level}/${n}`, hash);
    return (level, from, count) =>
      Array.from({ length: count }, (_, i) => {
        const hash = known.get(`${level}/${from + i}`);
        if (!hash) throw new Failure('journal_node_missing', `level ${level}, position ${from + i}`);
        return hash;
      });
  },
};
