import { before } from 'node:test';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import type { Evidence } from '../../src/web/evidence.ts';
import { agreed, eventOf, inTheMorning, personOf, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { evidenceIn, type PageLine, script, untilWitnessed } from '../support/evidence.ts';
import { inEachWorld } from '../support/protocol.ts';
import { countStatements } from '../support/statements.ts';
import { delegatedTokens, signedInAidant, type World } from '../support/world.ts';

/** What a page gives to its reader's browser, checked with the script that the page loads: it says « vérifié » of what was sealed, and of nothing else. */

type Changeable<T> = { -readonly [K in keyof T]: T[K] };
type Entry = Changeable<Omit<Evidence['entries'][number], 'sealed'>> & { sealed?: { subject: { name?: string; value?: unknown }[] } };
interface Draft {
  evidence: Changeable<Omit<Evidence, 'entries' | 'nodes' | 'log'>> & { entries: Entry[]; nodes: string[]; log: Changeable<Evidence['log']> };
  lines: Changeable<PageLine>[];
}
const first = <T>(list: readonly T[]): T => {
  const [one] = list;
  if (one === undefined) throw new Error('nothing there');
  return one;
};
/** Another character of the same alphabet. */
const flip = (text: string, at = 5): string => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

inEachWorld(
  ({ world: of, kind }) => {
    const on = { database: kind } as const;
    const title = (what: string): string => `${what} (${kind})`;
    let colette: Walker;
    let usager: string;

    const read = async (path = '/usager'): Promise<Draft> => {
      const page = await colette.open(`${of().places.relais}${path}`);
      assert.equal(page.status, 200);
      return evidenceIn(page.html) as unknown as Draft;
    };
    const verdict = async (page: Draft, options: { now?: number } = {}) => {
      const { evidence, lines } = page as unknown as { evidence: Evidence; lines: PageLine[] };
      const found = await script.checkEvidence(evidence, options);
      const problem = found.problem ?? script.compareLines(lines, found.entries, evidence);
      return { ...found, state: problem ? ('mismatch' as const) : found.state, problem };
    };
    const act = async (
      world: World,
      person: string,
      name: string,
      service: Awaited<ReturnType<World['service']>>,
      walker: Walker,
      ids: readonly string[],
    ) => {
      const { tokens, claims } = await delegatedTokens(world, walker, service, name, 'openid dlg:logement');
      for (const id of ids) {
        const answer = await reportAt(
          world,
          tokens.access_token,
          eventOf(service, sessionOf(claims), `${person}-${id}`, { reference: `REF-${person}-${id}` }),
        );
        assert.equal(answer.status, 202);
      }
    };

    before(async () => {
      const world = of();
      inTheMorning(world);
      const karim = await signedInAidant(world);
      const service = await world.service('seen-service');
      await agreed(world, 'colette', ['logement', 'famille']);
      await agreed(world, 'jean', ['logement']);
      await act(world, 'colette', 'Colette Martin', service, karim, ['1', '2', '3']);
      await act(world, 'jean', 'Jean Petit', service, karim, ['1']);
      usager = await personOf(world, 'colette');
      colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      await untilWitnessed(world);
    });

    test(title('J1 a person’s page is verified by her own browser, line by line, with the witnesses who saw it'), on, async () => {
      const page = await read();
      assert.ok(page.lines.length > 5);
      const found = await verdict(page);
      assert.deepEqual([found.problem, found.state, found.why], [undefined, 'verified', undefined]);
      assert.deepEqual([...(found.witnesses?.names ?? [])].sort(), ['temoin-1', 'temoin-2']);
      assert.deepEqual(page.evidence.party.complete, { newest: true, oldest: true });
      const action = found.entries.find(({ leaf }) => leaf.e === 'action.reported');
      const words = action && script.expectedWords(action, page.evidence.page);
      for (const word of ['Karim', 'Mairie de Thénac', 'REF-colette-3']) assert.ok(words?.includes(word), `${word}: ${words}`);
      const one = await read(`/usager/entrees/${first(page.lines).index}`);
      assert.equal((await script.checkEvidence(one.evidence as unknown as Evidence)).state, 'verified');
    });

    const CHANGES: Readonly<Record<string, readonly [code: string, change: (page: Draft) => void]>> = {
      'a word of a line': [
        'text',
        ({ lines }) => (first(lines.filter(({ text }) => text.includes('REF-colette-2'))).text = 'Karim, mairie de Thénac'),
      ],
      'the time of a line': ['text', ({ lines }) => (first(lines).at = '2020-01-01T00:00:00.000Z')],
      'a line taken off the page': ['lines', ({ lines }) => lines.splice(2, 1)],
      'a line added to the page': ['lines', ({ lines }) => lines.splice(2, 0, { ...first(lines) })],
      'the value of a field': [
        'commitment',
        ({ evidence }) => {
          const reported = first(evidence.entries.filter(({ bytes }) => bytes.includes('action.reported')));
          first(reported.sealed?.subject.filter(({ name }) => name === 'detail.reference') ?? []).value = 'REF-colette-9';
        },
      ],
      'a field hidden without its digest': [
        'commitment',
        ({ evidence }) => void first(evidence.entries.filter(({ sealed }) => sealed)).sealed?.subject.pop(),
      ],
      'the bytes of a leaf': [
        'inclusion',
        ({ evidence }) => (first(evidence.entries).bytes = first(evidence.entries).bytes.replace('"w":"app"', '"w":"apq"')),
      ],
      'a hash of the tree': ['', ({ evidence }) => (evidence.nodes[0] = flip(first(evidence.nodes)))],
      'a path left out': ['inclusion', ({ evidence }) => void delete first(evidence.entries).path],
      'the root that was signed': ['', ({ evidence }) => (evidence.newest = flip(evidence.newest ?? '', (evidence.newest ?? '').indexOf('=\n') - 9))],
      'the signature of the log': [
        'note_signature',
        ({ evidence }) => (evidence.newest = flip(evidence.newest ?? '', (evidence.newest ?? '').length - 20)),
      ],
      'the signature of a witness': [
        'note_signature',
        ({ evidence }) => (evidence.witnessed = flip(evidence.witnessed ?? '', (evidence.witnessed ?? '').length - 20)),
      ],
      'another name of the log': ['note_other_log', ({ evidence }) => (evidence.log.origin = `${evidence.log.origin}9`)],
      'an entry in the middle hidden': [
        'gap',
        (page) => {
          const hidden = page.lines[3]?.index;
          page.lines = page.lines.filter(({ index }) => index !== hidden);
          page.evidence.entries = page.evidence.entries.filter(({ index }) => index !== hidden);
        },
      ],
      'the oldest entry hidden': [
        'gap',
        (page) => {
          const hidden = page.evidence.entries.pop()?.index;
          page.lines = page.lines.filter(({ index }) => index !== hidden);
        },
      ],
      'another number': ['tag', ({ evidence }) => (first(evidence.entries).number += 1)],
      'two entries exchanged': ['gap', ({ evidence }) => evidence.entries.splice(0, 2, ...evidence.entries.slice(0, 2).reverse())],
      'sealed bytes that are others': ['box', ({ evidence }) => (first(evidence.entries).boxes = [flip(first(first(evidence.entries).boxes))])],
    };
    for (const [what, [code, change]] of Object.entries(CHANGES))
      test(title(`J1 a page does not match once it has ${what}`), on, async () => {
        const page = await read();
        assert.equal((await verdict(page)).state, 'verified');
        change(page);
        const found = await verdict(page);
        assert.equal(found.state, 'mismatch');
        if (code) assert.equal(found.problem?.code, code);
      });

    test(title('a witnessed checkpoint six minutes old is not called verified, nor one from the future (§6.28)'), on, async () => {
      const page = await read();
      const seen = first([(await verdict(page)).witnesses?.at ?? 0]);
      const at = async (now: number) => {
        const { state, why } = await verdict(page, { now });
        return [state, why];
      };
      assert.deepEqual(await at(seen + 299_000), ['verified', undefined]);
      assert.deepEqual(await at(seen + 360_000), ['sealed', 'stale']);
      assert.deepEqual(await at(seen - 360_000), ['sealed', 'clock']);
    });

    test(title('without enough witnesses nothing is called verified, and what is not signed yet is only recorded'), on, async () => {
      const page = await read();
      const one = structuredClone(page);
      const lines = (one.evidence.witnessed ?? '').split('\n');
      one.evidence.witnessed = [...lines.slice(0, -2), ''].join('\n'); // one of two cosignatures left
      assert.deepEqual([(await verdict(one)).state, (await verdict(one)).why], ['sealed', 'waiting']);
      const none = structuredClone(page);
      delete none.evidence.policy;
      assert.deepEqual([(await verdict(none)).state, (await verdict(none)).why], ['sealed', 'alone']);
      const unsigned = structuredClone(page);
      delete unsigned.evidence.newest;
      delete unsigned.evidence.witnessed;
      assert.equal((await verdict(unsigned)).state, 'recorded');
    });

    test(title('the page of a person holds her entries, her key of tags and fields that she may read, and nobody else’s (§6.36)'), on, async () => {
      const world = of();
      const { evidence } = await read();
      const rows = await world.sql('select idx from journal.projection where usager = $1', [usager]);
      const own = new Set(rows.map((row) => Number(row['idx'])));
      assert.deepEqual([evidence.entries.length, evidence.entries.every(({ index }) => own.has(index))], [own.size, true]);
      const text = JSON.stringify(evidence);
      for (const foreign of ['REF-jean', 'Petit', 'aid_']) assert.ok(!text.includes(foreign), foreign);
      const key = await world.app.journal.tagKey(world.database.auto, usager);
      assert.equal(evidence.party.key, key?.toString('base64url'));
      for (const other of [await personOf(world, 'jean'), ...(await world.sql('select id from staff')).map((row) => String(row['id']))]) {
        const theirs = await world.app.journal.tagKey(world.database.auto, other);
        assert.ok(!theirs || !text.includes(theirs.toString('base64url')), other);
      }
      for (const entry of await world.app.journal.prove(world.database.auto, { usager }))
        for (const box of [entry.boxes.subject, entry.boxes.actor])
          assert.ok(!box || !text.includes(box.salt.toString('base64url')), 'a salt of a box');
    });

    test(title('an administration’s page is verified too, and holds no value that it may not see (§6.36)'), on, async () => {
      const world = of();
      const nora = new Walker();
      await signInStaff(nora, world.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (_, who) =>
        world.code(world.places, who),
      );
      await nora.open(`${world.places.relais}/administration`);
      const first = await nora.send('journal-query', { reason: 'contrôle des dossiers du jour' });
      assert.equal(first.status, 200);
      await untilWitnessed(world);
      const { html } = await nora.send('journal-query', { reason: 'contrôle des dossiers du jour', service: 'seen-service' });
      const page = evidenceIn(html) as unknown as Draft;
      assert.ok(page.lines.length >= 6);
      const found = await verdict(page);
      assert.deepEqual([found.problem, found.state], [undefined, 'verified']);
      const text = JSON.stringify(page.evidence);
      for (const hidden of ['Karim', 'Martin', 'Petit', usager, 'aid_']) assert.ok(!text.includes(hidden), hidden);
      const [row] = page.lines.filter(({ text }) => text.includes('Mairie de Thénac'));
      assert.ok(row);
      row.text = row.text.replace('Mairie de Thénac', 'Mairie de Saintes');
      assert.equal((await verdict(page)).problem?.code, 'text');
    });

    if (kind === 'postgres')
      test(title('J1 the evidence of thirty lines takes as many statements as that of ten'), on, async () => {
        const world = of();
        const count = async (): Promise<number> => {
          const counted = countStatements();
          try {
            await read();
            return counted.total();
          } finally {
            counted.stop();
          }
        };
        await read();
        const few = await count();
        const karim = await signedInAidant(world);
        const service = await world.service('many-service');
        await act(
          world,
          'colette',
          'Colette Martin',
          service,
          karim,
          Array.from({ length: 40 }, (_, i) => `m${i}`),
        );
        await untilWitnessed(world);
        assert.ok((await count()) <= few);
        const newest = await read();
        assert.deepEqual([newest.lines.length, (await verdict(newest)).problem, (await verdict(newest)).state], [30, undefined, 'verified']);
        const older = await read(`/usager?avant=${newest.lines.at(-1)?.index}`);
        assert.deepEqual([(await verdict(older)).problem, (await verdict(older)).state], [undefined, 'verified']);
        older.evidence.entries.splice(1, 1); // the newest line of the older page, under the last of the page before
        older.lines.splice(0, 1);
        assert.equal((await verdict(older)).problem?.code, 'gap');
      });

    test(
      title('an administrator of the database who changes what is stored is seen on the page, which is shown all the same (§6.24)'),
      on,
      async () => {
        const world = of();
        const free = async (table: string): Promise<void> => {
          const parts = await world.sql(`select inhrelid::regclass::text as part from pg_inherits where inhparent = 'journal.${table}'::regclass`);
          for (const part of [`journal.${table}`, ...parts.map((row) => String(row['part']))])
            await world.sql(`alter table ${part} disable trigger all`);
        };
        for (const table of ['payload', 'leaf', 'projection']) await free(table);
        const { lines } = await read();
        const [payload, leaf, taken] = [2, 3, 4].map((at) => lines[at]?.index ?? 0);
        const found = async () => {
          const page = await read();
          return (await verdict(page)).problem;
        };
        await world.sql('create table public.kept as select * from journal.payload where idx = $1', [payload]);
        await world.sql("update journal.payload set box_subject = box_subject || '\\x00'::bytea where idx = $1", [payload]);
        assert.deepEqual(await found(), { code: 'box', entry: payload });
        await world.sql('update journal.payload p set box_subject = k.box_subject from public.kept k where p.idx = k.idx');
        assert.equal(await found(), undefined);
        await world.sql(
          'update journal.leaf set leaf = convert_to(replace(convert_from(leaf, \'UTF8\'), \'"w":"app"\', \'"w":"apq"\'), \'UTF8\') where idx = $1',
          [leaf],
        );
        assert.deepEqual(await found(), { code: 'inclusion', entry: leaf });
        await world.sql(
          'update journal.leaf set leaf = convert_to(replace(convert_from(leaf, \'UTF8\'), \'"w":"apq"\', \'"w":"app"\'), \'UTF8\') where idx = $1',
          [leaf],
        );
        await world.sql('delete from journal.projection where idx = $1', [taken]);
        assert.equal((await found())?.code, 'gap');
      },
    );
  },
  { witnessed: true },
);
