import { signNote, writeCheckpoint } from '../../src/journal/note.ts';
import { append, EMPTY_EDGE, leafHash, rootOf } from '../../src/journal/tree.ts';
import { makePrivateKeyPem, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert } from '../support/check.ts';
import type { DatabaseKind } from '../support/database.ts';
import { type Kit, startKit } from './kit.ts';

/** Leaf bytes of entry `index` with one text changed in place. */
const leafOf = async (kit: Kit, index: number): Promise<string> =>
  String(
    (await kit.database.asOwner((query) => query(`select convert_from(leaf, 'UTF8') as leaf from journal.leaf where idx = $1`, [index])))[0]?.[
      'leaf'
    ],
  );

const hashes = async (kit: Kit, until: number): Promise<Buffer[]> =>
  (await kit.database.asOwner((query) => query('select leaf_hash from journal.leaf where idx < $1 order by idx', [until]))).map(
    (row) => row['leaf_hash'] as Buffer,
  );

const edited = async (kit: Kit, index: number): Promise<{ leaf: string; hash: Buffer }> => {
  const leaf = (await leafOf(kit, index)).replace('"w":"app"', '"w":"cli"');
  return { leaf, hash: leafHash(leaf) };
};

/** Recomputes tiles and head so that the database agrees with itself: all that an administrator of the database can do. */
const rebuild = async (kit: Kit, size: number): Promise<[string, unknown[]?][]> => {
  const { edge, tiles } = append(EMPTY_EDGE, await hashes(kit, size));
  return [
    ['delete from journal.tile'],
    ...tiles.map((tile): [string, unknown[]] => [
      'insert into journal.tile (level, n, hashes, root) values ($1, $2, $3, $4)',
      [tile.level, tile.n, Buffer.concat(tile.hashes), tile.root],
    ]),
    ['update journal.head set size = $1, root = $2', [size, rootOf(edge)]],
  ];
};

export interface Case {
  readonly name: string;
  /** The first fault that must be named. */
  readonly expect: readonly [kind: string, index: number];
  readonly also?: readonly string[];
  readonly tamper: (kit: Kit) => Promise<void>;
  /** What `restore` does not put back. */
  readonly undo?: (kit: Kit) => Promise<void>;
}

export const SIZE = 270;

/** Takes keys away as their eraser would, and puts them back. `what`: a table of keys, and which. */
const withoutKeys = (what: string): Pick<Case, 'tamper' | 'undo'> => {
  const [table, where] = what.split(' where ');
  return {
    tamper: (kit) =>
      kit.database.asOwner(async (query) => {
        await query(`create table kept_keys as select * from journal_keys.${table} where ${where}`);
        await query(`update journal_keys.${table} set wrapped = null, erased_at = now() where ${where}`);
      }),
    undo: (kit) =>
      kit.database.asOwner(async (query) => {
        await query(`alter table journal_keys.${table} disable trigger only_erased`);
        await query(`delete from journal_keys.${table} where ${where}`);
        await query(`insert into journal_keys.${table} select * from kept_keys`);
        await query(`alter table journal_keys.${table} enable always trigger only_erased`);
        await query('drop table kept_keys');
      }),
  };
};

/** What a superuser may do to a log of 270 entries, sealed at 100, 260 and 270. */
export const CASES: readonly Case[] = [
  {
    name: 'a leaf edited (§6.16)',
    expect: ['leaf_altered', 130],
    tamper: async (kit) => kit.tamper(['update journal.leaf set leaf = $1 where idx = 130', [Buffer.from((await edited(kit, 130)).leaf)]]),
  },
  {
    name: 'a leaf and its hash edited (§6.17)',
    expect: ['receipt_mismatch', 130],
    also: ['tile_altered', 'checkpoint_mismatch'],
    tamper: async (kit) => {
      const { leaf, hash } = await edited(kit, 130);
      await kit.tamper(['update journal.leaf set leaf = $1, leaf_hash = $2 where idx = 130', [Buffer.from(leaf), hash]]);
    },
  },
  {
    name: 'a leaf, its hash and its receipt edited, inside a full tile',
    expect: ['tile_altered', 130],
    also: ['checkpoint_mismatch'],
    tamper: async (kit) => {
      const { leaf, hash } = await edited(kit, 130);
      await kit.tamper(
        ['update journal.leaf set leaf = $1, leaf_hash = $2 where idx = 130', [Buffer.from(leaf), hash]],
        ['update journal.receipt set leaf_hash = $1 where idx = 130', [hash]],
      );
    },
  },
  {
    name: 'everything recomputed up to the head (§6.18)',
    expect: ['checkpoint_mismatch', 100],
    also: ['fork'],
    tamper: async (kit) => {
      const { leaf, hash } = await edited(kit, 130);
      await kit.tamper(
        ['update journal.leaf set leaf = $1, leaf_hash = $2 where idx = 130', [Buffer.from(leaf), hash]],
        ['update journal.receipt set leaf_hash = $1 where idx = 130', [hash]],
      );
      await kit.tamper(...(await rebuild(kit, SIZE)));
    },
  },
  {
    name: 'everything recomputed, and the checkpoints removed',
    expect: ['fork', 0],
    tamper: async (kit) => {
      const { leaf, hash } = await edited(kit, 130);
      await kit.tamper(
        ['update journal.leaf set leaf = $1, leaf_hash = $2 where idx = 130', [Buffer.from(leaf), hash]],
        ['update journal.receipt set leaf_hash = $1 where idx = 130', [hash]],
      );
      await kit.tamper(...(await rebuild(kit, SIZE)), ['delete from journal.checkpoint']);
    },
  },
  { name: 'a middle row deleted (§6.19)', expect: ['leaf_missing', 131], tamper: (kit) => kit.tamper(['delete from journal.leaf where idx = 131']) },
  {
    name: 'a middle entry deleted from every table',
    expect: ['leaf_missing', 131],
    tamper: (kit) =>
      kit.tamper(...['leaf', 'receipt', 'payload', 'projection'].map((table): [string] => [`delete from journal.${table} where idx = 131`])),
  },
  {
    name: 'the tail deleted and the head put back (§6.20)',
    expect: ['truncated', 262],
    tamper: async (kit) =>
      kit.tamper(
        ...['leaf', 'receipt', 'payload', 'projection'].map((table): [string] => [`delete from journal.${table} where idx >= 262`]),
        ...(await rebuild(kit, 262)),
      ),
  },
  {
    name: 'an older copy put back, checkpoints and all (§6.21)',
    expect: ['rolled_back', 260],
    tamper: async (kit) =>
      kit.tamper(
        ...['leaf', 'receipt', 'payload', 'projection'].map((table): [string] => [`delete from journal.${table} where idx >= 260`]),
        ...(await rebuild(kit, 260)),
        ['delete from journal.checkpoint where size > 260'],
      ),
  },
  {
    name: 'two rows swapped (§6.22)',
    expect: ['leaf_moved', 10],
    tamper: (kit) =>
      kit.tamper(
        ['update journal.leaf set idx = 100000 where idx = 10'],
        ['update journal.leaf set idx = 10 where idx = 20'],
        ['update journal.leaf set idx = 20 where idx = 100000'],
      ),
  },
  {
    name: 'a sealed part edited (§6.24)',
    expect: ['payload_altered', 44],
    tamper: (kit) =>
      kit.tamper(['update journal.payload set box_subject = set_byte(box_subject, 20, 255 - get_byte(box_subject, 20)) where idx = 44']),
  },
  {
    name: 'two sealed parts swapped (§6.24)',
    expect: ['payload_altered', 44],
    tamper: (kit) =>
      kit.tamper(
        ['update journal.payload set idx = 100000 where idx = 44'],
        ['update journal.payload set idx = 44 where idx = 45'],
        ['update journal.payload set idx = 45 where idx = 100000'],
      ),
  },
  {
    name: 'a sealed part deleted (§6.25)',
    expect: ['payload_missing', 44],
    tamper: (kit) => kit.tamper(['delete from journal.payload where idx = 44']),
  },
  {
    name: 'a projection column edited',
    expect: ['projection_altered', 55],
    tamper: (kit) => kit.tamper([`update journal.projection set usager = 'usg_else' where idx = 55`]),
  },
  {
    name: 'an entry given to somebody else',
    expect: ['payload_unreadable', 55],
    also: ['number_gap'],
    tamper: (kit) => kit.tamper([`update journal.projection set usager = 'usg_2' where idx = 55`]),
  },
  {
    name: 'an entry taken from the person it concerns',
    expect: ['erasure_unaccounted', 55],
    also: ['number_gap'],
    tamper: (kit) => kit.tamper([`update journal.projection set usager = null, usager_n = null where idx = 55`]),
  },
  {
    name: 'entries renumbered to hide one',
    expect: ['number_gap', 54],
    also: ['tag_altered'],
    tamper: (kit) => kit.tamper([`update journal.projection set usager_n = usager_n - 1 where usager = 'usg_0' and idx >= 54`]),
  },
  {
    name: 'a projection time edited',
    expect: ['projection_altered', 55],
    tamper: (kit) => kit.tamper([`update journal.projection set at = at - interval '1 day' where idx = 55`]),
  },
  {
    name: 'a projection deleted',
    expect: ['projection_missing', 55],
    tamper: (kit) => kit.tamper(['delete from journal.projection where idx = 55']),
  },
  {
    name: 'the time beside a leaf edited',
    expect: ['time_altered', 55],
    tamper: (kit) => kit.tamper([`update journal.leaf set at = at - interval '1 day' where idx = 55`]),
  },
  {
    name: 'a receipt edited',
    expect: ['receipt_mismatch', 7],
    tamper: (kit) => kit.tamper([`update journal.receipt set leaf_hash = sha256('x') where idx = 7`]),
  },
  { name: 'a receipt deleted', expect: ['receipt_missing', 7], tamper: (kit) => kit.tamper(['delete from journal.receipt where idx = 7']) },
  {
    name: 'a tile edited',
    expect: ['tile_altered', 3],
    tamper: (kit) => kit.tamper(['update journal.tile set hashes = set_byte(hashes, 100, 255 - get_byte(hashes, 100))']),
  },
  { name: 'a tile deleted', expect: ['tile_missing', 0], tamper: (kit) => kit.tamper(['delete from journal.tile']) },
  { name: 'the head edited', expect: ['head_altered', 270], tamper: (kit) => kit.tamper([`update journal.head set root = sha256('x')`]) },
  {
    name: 'an entry planted after the end',
    expect: ['extra_row', 270],
    tamper: (kit) =>
      kit.tamper(['insert into journal.leaf (idx, at, leaf_hash, leaf) select 270, at, leaf_hash, leaf from journal.leaf where idx = 1']),
  },
  {
    name: 'a checkpoint signed with another key',
    expect: ['checkpoint_altered', 99],
    tamper: async (kit) => {
      const text = writeCheckpoint({ origin: kit.origin, size: 100, root: rootOf(append(EMPTY_EDGE, await hashes(kit, 100)).edge) });
      await kit.tamper([
        'update journal.checkpoint set note = $1 where size = 100',
        [signNote(text, kit.origin, readPrivateKey(makePrivateKeyPem('ed25519')))],
      ]);
    },
  },
  {
    name: 'a leaf rewritten in another form, everything recomputed',
    expect: ['leaf_malformed', 130],
    also: ['checkpoint_mismatch', 'fork'],
    tamper: async (kit) => {
      const leaf = (await leafOf(kit, 130)).replace('"v":1', '"v":1 ');
      await kit.tamper(
        ['update journal.leaf set leaf = $1, leaf_hash = $2 where idx = 130', [Buffer.from(leaf), leafHash(leaf)]],
        ['update journal.receipt set leaf_hash = $1 where idx = 130', [leafHash(leaf)]],
      );
      await kit.tamper(...(await rebuild(kit, SIZE)));
    },
  },
  {
    name: 'an entry dated back by an hour, everything recomputed (§6.23)',
    expect: ['checkpoint_mismatch', 100],
    also: ['time_backwards', 'fork'],
    tamper: async (kit) => {
      const leaf = await leafOf(kit, 130);
      const at = new Date(Date.parse(String(/"t":"([^"]+)"/.exec(leaf)?.[1])) - 3_600_000).toISOString();
      const dated = leaf.replace(/"t":"[^"]+"/, `"t":"${at}"`);
      await kit.tamper(
        ['update journal.leaf set leaf = $1, leaf_hash = $2, at = $3 where idx = 130', [Buffer.from(dated), leafHash(dated), at]],
        ['update journal.receipt set leaf_hash = $1 where idx = 130', [leafHash(dated)]],
        ['update journal.projection set at = $1 where idx = 130', [at]],
      );
      await kit.tamper(...(await rebuild(kit, SIZE)));
    },
  },
  {
    name: 'the key of a person erased without an entry (§6.25)',
    expect: ['erasure_unaccounted', 1],
    ...withoutKeys("person_key where party_id = 'usg_1'"),
  },
  { name: 'the keys of a month erased without an entry', expect: ['erasure_unaccounted', 0], ...withoutKeys("period_key where class = 'access'") },
];

/** One log for many cases: what each has tampered with is put back for the next. */
export const sealedLog = async (t: { after(undo: () => Promise<void>): void }, kind: DatabaseKind): Promise<Kit> => {
  const kit = await startKit(t, kind);
  await kit.write(100);
  await kit.write(160, 100);
  await kit.write(10, 260);
  await kit.keep();
  return kit;
};

/** Puts the log back as it was, tampers, and looks: nothing is found before, and afterwards exactly what must be, by its class and first index. */
export const planted = async (kit: Kit, { expect, also, tamper, undo }: Case): Promise<void> => {
  await kit.restore();
  assert.deepEqual((await kit.verify()).faults, [], 'no false alarm');
  try {
    await tamper(kit);
    const report = await kit.verify();
    assert.equal(report.ok, false);
    assert.deepEqual([report.faults[0]?.kind, report.faults[0]?.index], expect, JSON.stringify(report.faults.slice(0, 4)));
    for (const other of also ?? [])
      assert.ok(
        report.faults.some((fault) => fault.kind === other),
        other,
      );
    // What is sealed next would cover it up: the signer does not.
    if (['truncated', 'rolled_back', 'fork'].includes(expect[0])) assert.ok('refused' in (await kit.sealing.seal()));
  } finally {
    await undo?.(kit);
  }
};
