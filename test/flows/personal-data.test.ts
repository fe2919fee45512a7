import { leafHash } from '../../src/journal/tree.ts';
import { canonical, type Json } from '../../src/kernel/canonical.ts';
import { hmacSha256, sha256 } from '../../src/kernel/crypto.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf, eventOf, inTheMorning, mark, personOf, post, reportAt, sessionOf, whoIs, writtenSince } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { sheetFor } from '../support/paper.ts';
import { get, inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type World } from '../support/world.ts';

/** Every column that names a person, and where her copy has what its table holds of her. A new one fails here until it has its place. */
const COVERED: Readonly<Record<string, string>> = {
  'usager.id': 'identity',
  'usager_identity.usager_id': 'accounts',
  'channel.usager_id': 'channels',
  'mandate.usager_id': 'mandates',
  'mandate_grant.usager_id': 'mandates',
  'mandate_draft.usager_id': 'requests',
  'remote_consent.usager_id': 'requests',
  'paper_consent.usager_id': 'requests',
  'delegated_session.usager_id': 'delegated_sessions',
  'web_session.holder_id': 'sign_ins',
};
/** Columns that hold such an id without more being held than the copy has: counters of messages forgotten after a month, words of hers in `remark`, what
 * was asked about erasing or keeping, which she reads in the journal when she may, and an identity that may be somebody else's until two people looked. */
const NOTHING_MORE = [
  'sms_quota.holder',
  'remark.said_by',
  'mandate.ended_by',
  'approval.subject',
  'delivery.target',
  'erasure.usager_id',
  'legal_hold.usager_id',
  'identity_review.usager_id',
];

type Field = { readonly name: string; readonly value: Json; readonly salt: string } | { readonly digest: string };
type Box = readonly Field[] | { readonly digest: string };
interface Line {
  readonly index: number;
  readonly number: number;
  readonly leaf: { readonly hash: string; readonly bytes: string };
  readonly sealed: { readonly subject: Box; readonly actor: Box };
}

/** Digests as the design writes them, from what an answer holds and nothing else. */
const digestOf = (box: Box): Buffer => {
  if ('digest' in box) return Buffer.from(box.digest, 'base64url');
  const fields = box.map((field) =>
    'digest' in field
      ? Buffer.from(field.digest, 'base64url')
      : sha256('relais/journal/field/v1\n', Buffer.from(field.salt, 'base64url'), canonical([field.name, field.value])),
  );
  return sha256('relais/journal/box/v1\n', ...fields);
};
const commits = ({ leaf, sealed }: Line): boolean =>
  sha256('relais/journal/payload/v1\n', digestOf(sealed.subject), digestOf(sealed.actor)).toString('base64url') ===
  (JSON.parse(leaf.bytes) as { c: string }).c;

interface Copy {
  readonly [section: string]: unknown;
  readonly journal: {
    entries: { index: number; type: string; says: string; leaf: { hash: string; bytes: string } }[];
    not_shown: { index: number }[];
  };
}

const signedIn = async (world: World, person: string): Promise<Walker> => {
  const walker = new Walker();
  await signInUsager(walker, world.places, person);
  await world.app.flushJournal();
  return walker;
};
const copyOf = async (world: World, walker: Walker): Promise<Copy> => {
  const answer = await post(world, walker, '/usager/mes-donnees', { _csrf: await csrfOf(world, walker, '/usager/releve') });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-disposition') ?? '', /^attachment; filename="mes-donnees-\d{4}-\d{2}-\d{2}\.json"$/);
  return (await answer.json()) as Copy;
};
const ids = (rows: Record<string, unknown>[]): number[] => rows.map((row) => Number(row['idx'])).sort((a, b) => b - a);

inEachWorld(({ world: of, kind }) => {
  const on = { database: kind };

  test(`V9 a person’s copy holds everything of hers: each table, each entry; and the copy is an entry that she reads (${kind})`, on, async () => {
    const world = of();
    inTheMorning(world);
    const who = await whoIs(world);
    const karim = await signedInAidant(world);
    const service = await world.service('v9-service');
    for (const [person, name] of [
      ['colette', 'Colette Martin'],
      ['jean', 'Jean Petit'],
    ] as const) {
      await agreed(world, person, ['logement', 'famille']);
      const { tokens, claims } = await delegatedTokens(world, karim, service, name, 'openid dlg:logement');
      const events = [eventOf(service, sessionOf(claims), `${person}-1`, { reference: `REF-${person}` })];
      assert.equal((await reportAt(world, tokens.access_token, events)).status, 202);
      await sheetFor(world, who, await personOf(world, person), ['transports']);
    }
    const usager = await personOf(world, 'colette');
    await world.sql(
      "insert into channel (id, usager_id, kind, address, added_by, added_at) values ('chn_v9', $1, 'phone', '+33601020304', 'usager', now())",
      [usager],
    );
    const colette = await signedIn(world, 'colette');
    const from = await mark(world);
    const held = ids(await world.sql('select idx from journal.projection where usager = $1', [usager]));
    const copy = await copyOf(world, colette);
    assert.deepEqual(ids([...copy.journal.entries, ...copy.journal.not_shown].map(({ index }) => ({ idx: index }))), held);
    for (const { says, leaf } of copy.journal.entries) {
      assert.ok(says.length > 10);
      assert.equal(leafHash(Buffer.from(leaf.bytes)).toString('base64url'), leaf.hash, 'each leaf proves itself');
    }
    const text = JSON.stringify(copy);
    for (const hers of ['Martin', '1946', '+33601020304', 'REF-colette', 'v9-service', 'Karim']) assert.ok(text.includes(hers), hers);
    for (const [column, section] of Object.entries(COVERED)) {
      const [table = '', name = ''] = column.split('.');
      const [count] = await world.sql(`select count(*)::int n from ${table} where ${name} = $1`, [usager]);
      const there = JSON.stringify(copy[section] ?? null);
      assert.ok(Number(count?.['n']) === 0 || !['null', '[]', '{}'].includes(there), `${column}: ${count?.['n']} rows, ${there.slice(0, 40)}`);
    }
    for (const [table, section] of [
      ['mandate', 'mandates'],
      ['channel', 'channels'],
      ['delegated_session', 'delegated_sessions'],
      ['usager_identity', 'accounts'],
    ] as const) {
      const [count] = await world.sql(`select count(*)::int n from ${table} where usager_id = $1`, [usager]);
      assert.equal((copy[section] as unknown[]).length, count?.['n'], section);
    }
    const [made, ...others] = await writtenSince(world, from);
    assert.deepEqual([made?.type, made?.usager, others.length], ['journal.exported', usager, 0]);
    assert.deepEqual(made?.detail, { what: 'personal-data', entries: held.length });
  });

  test(`V9 every column of the database that names a person has its place in her copy (${kind})`, on, async () => {
    const world = of();
    const columns = await world.sql(
      `select distinct k.conrelid::regclass::text || '.' || a.attname as name from pg_constraint k
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey) where k.contype = 'f' and k.confrelid = 'public.usager'::regclass`,
    );
    for (const { name } of columns) assert.ok(String(name) in COVERED || NOTHING_MORE.includes(String(name)), String(name));
    // And, whatever their names, the columns where ids of persons are found once much has happened.
    const texts = await world.sql(
      "select table_name t, column_name c from information_schema.columns where table_schema = 'public' and data_type = 'text' and table_name in (select tablename from pg_tables where schemaname = 'public')",
    );
    const usager = await personOf(world, 'colette');
    for (const { t, c } of texts) {
      const [found] = await world.sql(`select exists (select 1 from "${String(t)}" where "${String(c)}" = $1) it`, [usager]);
      const name = `${String(t)}.${String(c)}`;
      if (found?.['it']) assert.ok(name in COVERED || NOTHING_MORE.includes(name), name);
    }
  });

  test(
    `V9 the copy holds nothing of another person; aidants are in it by first name and structure, and no secret of hers is (${kind})`,
    on,
    async () => {
      const world = of();
      const copy = await copyOf(world, await signedIn(world, 'colette'));
      const text = JSON.stringify(copy);
      const jean = await personOf(world, 'jean');
      const [other] = await world.sql('select given_name, family_name, birthdate from usager where id = $1', [jean]);
      const references = await world.sql(
        'select reference from mandate where usager_id = $1 union select reference from paper_consent where usager_id = $1',
        [jean],
      );
      for (const secret of [
        jean,
        'REF-jean',
        String(other?.['family_name']),
        String(other?.['birthdate']),
        ...references.map((each) => String(each['reference'])),
      ])
        assert.ok(!text.includes(secret), secret);
      const staff = await world.sql('select id, family_name, email from staff');
      for (const { id, family_name, email } of staff)
        for (const theirs of [id, family_name, email]) assert.ok(!text.includes(String(theirs)), String(theirs));
      const codes = await world.sql('select code from attestation');
      for (const { code } of codes) assert.ok(!text.includes(String(code)));
      assert.doesNotMatch(JSON.stringify({ ...copy, journal: undefined }), /"(?:code_mac|hash|seal|evidence|text_hash|web_session)"/);
    },
  );

  test(
    `J7 the API gives a person the same entries as her page, a page at a time, each with its leaf; nobody else anything (${kind})`,
    on,
    async () => {
      const world = of();
      const colette = await signedIn(world, 'colette');
      const usager = await personOf(world, 'colette');
      const ask = async (path: string) => {
        const answer = await colette.ask(new URL(path, world.places.relais).href);
        return {
          status: answer.status,
          body: (await answer.json()) as { entries: Line[]; not_shown: Omit<Line, 'sealed'>[]; tags: { key: string }; next?: string; code?: string },
        };
      };
      const copy = await copyOf(world, colette);
      await world.app.flushJournal();
      const all: Line[] = [];
      const hidden: Omit<Line, 'sealed'>[] = [];
      let key = '';
      for (let path: string | undefined = '/api/v1/journal/me?limit=7'; path; ) {
        const { status, body } = await ask(path);
        assert.equal(status, 200);
        all.push(...body.entries);
        hidden.push(...body.not_shown);
        key = body.tags.key;
        path = body.next;
      }
      const known = new Set(copy.journal.entries.map(({ index }) => index));
      assert.deepEqual(new Set(all.filter(({ index }) => known.has(index)).map(({ index }) => index)), known);
      assert.equal(new Set(all.map(({ index }) => index)).size, all.length);
      const owners = await world.sql('select distinct usager from journal.projection where idx = any($1::bigint[])', [all.map(({ index }) => index)]);
      assert.deepEqual(owners, [{ usager }]);
      for (const line of all) {
        assert.equal(leafHash(Buffer.from(line.leaf.bytes)).toString('base64url'), line.leaf.hash);
        assert.ok(commits(line), `what is shown of line ${line.index} is what its leaf commits to`);
        const shown = 'digest' in line.sealed.subject ? [] : line.sealed.subject;
        const first = shown.find((field) => 'value' in field);
        const forged = shown.map((field) => (field === first ? { ...field, value: 'autre' } : field));
        assert.ok(!commits({ ...line, sealed: { ...line.sealed, subject: forged } }), 'and nothing else');
      }
      // None of hers is missing: numbers from 1 without a gap, and the tag that she makes of each stands in its leaf.
      const numbers = [...all, ...hidden].map(({ number }) => number).sort((a, b) => a - b);
      assert.deepEqual(
        numbers,
        numbers.map((_, i) => i + 1),
      );
      for (const { number, leaf } of [...all, ...hidden]) {
        const tag = hmacSha256(Buffer.from(key, 'base64url'), `usager\n${number}`).subarray(0, 16).toString('base64url');
        assert.ok((JSON.parse(leaf.bytes) as { tg: string[] }).tg.includes(tag), `tag ${number}`);
      }
      assert.deepEqual((await ask('/api/v1/journal/me?from=2001-01-01&until=2001-12-31')).body.entries, []);
      for (const wrong of ['before=x', 'limit=0', 'limit=-1', 'from=hier', 'until=2026-02-30', 'before=1e9']) {
        const { status, body } = await ask(`/api/v1/journal/me?${wrong}`);
        assert.deepEqual([status, body.code], [400, 'invalid_request'], wrong);
      }
      const nobody = await get(`${world.places.relais}/api/v1/journal/me`);
      assert.deepEqual([nobody.status, nobody.json['code']], [401, 'session_expired']);
      const karim = await signedInAidant(world);
      assert.equal((await karim.ask(`${world.places.relais}/api/v1/journal/me`)).status, 401);
    },
  );
});
