import { RFC9162 } from '@transmute/rfc9162';
import fc from 'fast-check';
import { canonicalize } from 'json-canonicalize';
import { encodeLeaf, prepare } from '../../src/journal/entry.ts';
import { proveConsistency, proveInclusion } from '../../src/journal/proof.ts';
import { append, EMPTY_EDGE, fold, type HashSource, leafHash, rootOf } from '../../src/journal/tree.ts';
import { canonical, type Json } from '../../src/kernel/canonical.ts';
import { randomBytes, sha256 } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { entryOf, startKit } from './kit.ts';

/** Programs of other people say the same as ours. */

const memory = (leaves: readonly Buffer[]): HashSource => ({
  hashes: (level, from, count) =>
    Array.from({ length: count }, (_, i) => fold(leaves.slice((from + i) * 256 ** level, (from + i + 1) * 256 ** level))),
});
const hex = (hashes: readonly Uint8Array[]): string[] => hashes.map((hash) => Buffer.from(hash).toString('hex'));

test('J4 another implementation of RFC 9162 finds the same roots, inclusion and consistency proofs for 500 random trees (§6.3)', {
  atLeast: 1500,
}, async () => {
  for (let tree = 0; tree < 500; tree++) {
    const size = 2 + ((tree * 7919) % 60);
    const entries = Array.from({ length: size }, () => randomBytes(1 + (tree % 40)));
    const leaves = entries.map((entry) => leafHash(entry));
    const root = rootOf(append(EMPTY_EDGE, leaves).edge);
    assert.deepEqual(hex([await RFC9162.treeHead(entries)]), hex([root]));
    const index = (tree * 31) % size;
    assert.deepEqual(hex(await RFC9162.PATH(index, entries)), hex(await proveInclusion(memory(leaves), index, size)));
    const before = 1 + ((tree * 13) % (size - 1));
    const path = await proveConsistency(memory(leaves), before, size);
    const old = rootOf(append(EMPTY_EDGE, leaves.slice(0, before)).edge);
    // RFC 6962 §2.1.2 leaves out the former root when it is one complete subtree, since the verifier has it; the other implementation keeps it.
    const kept = Number.isInteger(Math.log2(before)) ? [old] : [];
    assert.deepEqual(hex(await RFC9162.PROOF(before, entries)), hex([...kept, ...path]));
  }
});

test('J13 another implementation of RFC 8785 writes the same bytes for 10,000 generated entries (§6.8)', { atLeast: 20_000 }, () => {
  const [queueKey, macKey] = [{ day: '2026-11-21', key: randomBytes(32) }, randomBytes(32)];
  const text = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(text, text, fc.integer(), fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }), (usager, reason, entries, at) => {
      const entry = { type: 'journal.read', usager, detail: { reason, entries } } as const;
      const queued = prepare(entry, { queueKey, macKey, writer: 'app', at });
      const parties = queued.parties as unknown as Json;
      assert.equal(canonical(parties), canonicalize(parties));
      const leaf = encodeLeaf({
        type: queued.type,
        class: queued.class,
        at,
        eventId: queued.eventId,
        writer: 'app',
        tags: [sha256(usager).subarray(0, 16)],
        commitment: queued.commitment,
        boxes: [sha256(queued.box)],
        parameters: { late: 'waited' },
      });
      assert.equal(leaf, canonicalize(JSON.parse(leaf)));
    }),
    { numRuns: 10_000 },
  );
});

for (const kind of databases()) {
  const on = { database: kind.kind };

  test(
    `J2 the months and the 2^24 entries to come have their place ahead; with none left nothing is sequenced, nothing lost (§6.41) (${kind.kind})`,
    on,
    async (t) => {
      const kit = await startKit(t, kind);
      await kit.write(2);
      const now = new Date();
      const months = [0, 1, 2].map((ahead) =>
        new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1)).toISOString().slice(0, 7).replace('-', '_'),
      );
      const here = months[0];
      await kit.database.asOwner(async (query) => {
        const names = (
          await query(`select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relkind = 'r' order by 1`)
        ).map((row) => row['name']);
        assert.deepEqual(names, ['leaf_0', 'leaf_1', ...months.map((month) => `payload_${month}`)]);
        await assert.rejects(query(`delete from journal.payload_${here}`), { code: '42501' });
        await assert.rejects(query('truncate journal.leaf_0'), { code: '42501' });
        await query(`alter table journal.payload detach partition journal.payload_${here}`);
      });
      const id = await kit.database.run((tx) => kit.journal.record(tx, entryOf(3)));
      assert.equal(await kit.journal.receipt(id, 400), undefined);
      await kit.database.asOwner(async (query) => {
        assert.equal((await query('select count(*)::int as n from journal.queue'))[0]?.['n'], 1);
        assert.equal((await query('select size::int as n from journal.head'))[0]?.['n'], 2);
        await query(
          `alter table journal.payload attach partition journal.payload_${here} for values from ('${here?.replace('_', '-')}-01') to ('${months[1]?.replace('_', '-')}-01')`,
        );
      });
      assert.equal((await kit.journal.receipt(id, 20_000))?.index, 2);
      assert.ok(kit.alarms.some((alarm) => alarm.kind === 'fault'));
      await kit.sealing.seal();
      assert.deepEqual((await kit.verify()).faults, []);
    },
  );
}
