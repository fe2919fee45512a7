import { checkOf, checkSheets, differencesOf, type Sheet, type StatementLine } from '../../src/actions/statement.ts';
import { KINDS } from '../../src/journal/event.ts';
import { ed25519FromRaw } from '../../src/kernel/crypto.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { statementPdf } from '../../src/web/attestation-pdf.ts';
import { printedLine } from '../../src/web/views/statement-blocks.ts';
import { agreed, csrfOf, eventOf, inTheMorning, mark, personOf, post, reportAt, sessionOf, writtenSince } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { structureOf, textOfPdf } from '../support/pdf.ts';
import { get, inEachWorld, noted } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type World } from '../support/world.ts';

const SHOWN = Object.entries(KINDS).flatMap(([type, { shown }]) => (shown === true ? [type] : []));
const STATEMENT = '/usager/releve';
const says = (row: StatementLine) => Object.values(printedLine(row, 'fr'));

/** Enough for several sheets: a mandate, acts, one of them outside the mandate, a stop. */
const live = async (world: World, person: string, name: string, acts: number): Promise<void> => {
  const service = await world.service(`releve-${person}`);
  const karim = await signedInAidant(world);
  const mandate = await agreed(world, person, ['logement', 'famille']);
  const { tokens, claims } = await delegatedTokens(world, karim, service, name, 'openid dlg:logement');
  const session = sessionOf(claims);
  const events = Array.from({ length: acts }, (_, i) => eventOf(service, session, `${person}-${i}`, { reference: `2026-${1000 + i}` }));
  assert.equal((await reportAt(world, tokens.access_token, events)).status, 202);
  await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
  await world.app.flushJournal();
};
const signedIn = async (world: World, person: string): Promise<Walker> => {
  const walker = new Walker();
  await signInUsager(walker, world.places, person);
  await world.app.flushJournal();
  return walker;
};
/** The keys, as anybody took them while there was a network. */
const keysOf = async (world: World) => {
  const published = await get(`${world.places.relais}/.well-known/relais-attestation-keys.json`);
  return new Map((published.json['keys'] as { kid: string; x: string }[]).map(({ kid, x }) => [kid, ed25519FromRaw(Buffer.from(x, 'base64url'))]));
};
/** Indexes of the lines of her statement, over all its pages. */
const linesOf = async (world: World, walker: Walker, period: string): Promise<number[]> => {
  const found: number[] = [];
  for (let path: string | undefined = `${STATEMENT}?periode=${period}`; path; ) {
    const page = await walker.open(new URL(path, world.places.relais));
    assert.equal(page.status, 200, path);
    found.push(...[...page.html.matchAll(/Ligne (\d+) · code/g)].map(([, index]) => Number(index)));
    path = /<a [^>]*rel="next"[^>]*href="([^"]+)"|<a href="([^"]+)"[^>]*rel="next"/.exec(page.html)?.slice(1).find(Boolean)?.replaceAll('&amp;', '&');
  }
  return found;
};

inEachWorld(({ world: of, kind }) => {
  const on = { database: kind };

  test(
    `J14 J7 the statement holds exactly what the journal holds for her and her page shows, oldest first, and nothing of another (${kind})`,
    on,
    async () => {
      const world = of();
      inTheMorning(world);
      await live(world, 'colette', 'Colette Martin', 40);
      await agreed(world, 'jean', ['logement']);
      const usager = await personOf(world, 'colette');
      const colette = await signedIn(world, 'colette');
      const rows = await world.sql('select idx::int idx, type from journal.projection where usager = $1 order by idx', [usager]);
      const held = rows.filter((each) => SHOWN.includes(String(each['type']))).map((each) => Number(each['idx']));
      assert.ok(held.length > 40);
      const from = await mark(world);
      assert.deepEqual(await linesOf(world, colette, 'tout'), held);
      assert.deepEqual(await linesOf(world, colette, 'derniers-mois'), held, 'the last months are what is asked for first');
      const written = (await writtenSince(world, from)).filter(({ type }) => !type.startsWith('message.')); // a job delivers meanwhile
      assert.deepEqual(written, [], 'reading one’s own statement is no entry');
      assert.deepEqual(await linesOf(world, colette, '2019'), []);
      assert.match(
        textOf(await colette.open(`${world.places.relais}${STATEMENT}?periode=2019`)),
        /Rien n’a été fait pour vous pendant cette période/,
      );
      assert.match(textOf(await colette.open(`${world.places.relais}/usager`)), /Imprimer mon relevé/);
    },
  );

  test(
    `J14 the codes of a statement verify offline with the published key; a page that was altered, cut or added to does not (${kind})`,
    on,
    async () => {
      const world = of();
      const usager = await personOf(world, 'colette');
      const seen: Sheet[] = [];
      // The paper itself: what the route prints, with its text readable.
      const { statements } = world.app.site;
      const colette = await signedIn(world, 'colette');
      const page = await colette.open(`${world.places.relais}${STATEMENT}?periode=tout`);
      assert.match(page.html, /role="img" aria-label="Code QR de la feuille 1 sur \d+[^"]*"><svg/);
      const original = statements.seal;
      Object.assign(statements, { seal: (sheet: Sheet) => (seen.push(sheet) ? original(sheet) : '') });
      const csrf = await csrfOf(world, colette, STATEMENT);
      seen.length = 0;
      const from = await mark(world);
      const answer = await post(world, colette, '/usager/releve.pdf', { _csrf: csrf, periode: 'tout' });
      Object.assign(statements, { seal: original });
      assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/pdf']);
      assert.match(answer.headers.get('content-disposition') ?? '', /^attachment; filename="releve-\d{4}-\d{2}-\d{2}-\d{4}-\d{2}-\d{2}\.pdf"$/);
      assert.equal(
        Buffer.from(await answer.arrayBuffer())
          .subarray(0, 5)
          .toString(),
        '%PDF-',
      );
      const [made, ...others] = await writtenSince(world, from);
      assert.deepEqual(
        [made?.type, made?.usager, (made?.detail as { entries: number } | undefined)?.entries, others.length],
        ['statement.made', usager, seen[0]?.lines, 0],
        'what leaves in a file is an entry',
      );

      const keys = await keysOf(world);
      const texts = seen.map((sheet) => original(sheet));
      const verdict = checkSheets(keys, texts.join('\n'));
      assert.ok(verdict.kind === 'genuine' && verdict.missing.length === 0);
      const stored = await world.sql('select idx::int idx, leaf_hash from journal.leaf where idx = any($1)', [
        verdict.sheets.flatMap(({ rows }) => rows.map((row) => row.index)),
      ]);
      assert.equal(stored.length, seen[0]?.lines);
      for (const { rows } of verdict.sheets)
        for (const row of rows) {
          const leaf = Buffer.from((stored.find((each) => each['idx'] === row.index)?.['leaf_hash'] ?? '') as Buffer);
          assert.equal(row.check, checkOf(leaf.toString('base64url')), `the code of line ${row.index} is that of its leaf`);
        }
      const [head] = seen as [Sheet];
      const [checkpoint] = await world.sql('select root from journal.checkpoint where size = $1', [head.size]);
      assert.equal(Buffer.from((checkpoint?.['root'] ?? '') as Buffer).toString('base64url'), head.root);

      const paper = { head, sealedAt: new Date(), checkUrl: 'https://relais.example/verifier/releve', helpNumber: '0 800 00 00 00' };
      const printed = async (sheets: readonly Sheet[]): Promise<string> =>
        textOfPdf(await statementPdf(paper, sheets, () => 'https://relais.example/#A', 'fr', { compress: false }));
      const rows = verdict.sheets.flatMap((sheet) => sheet.rows);
      assert.deepEqual(differencesOf(rows, says, await printed(seen)), []);
      const [first, ...rest] = seen as [Sheet, ...Sheet[]];
      const [one, ...more] = first.rows as [StatementLine, ...StatementLine[]];
      for (const [what, forged, expected] of [
        ['other words', { ...first, rows: [{ ...one, said: one.said.replace(/ /, ' ne ') }, ...more] }, 'altered'],
        ['another day', { ...first, rows: [{ ...one, at: new Date(one.at.getTime() - 86_400_000) }, ...more] }, 'altered'],
        ['another number', { ...first, rows: [{ ...one, index: one.index + 1 }, ...more] }, 'altered'],
        ['a line less', { ...first, rows: more }, 'missing'],
        ['a line more', { ...first, rows: [one, { ...one, said: 'Rien.', check: 'QQQQQQQQQQQQQQQQ' }, ...more] }, 'added'],
      ] as const) {
        const found = differencesOf(rows, says, await printed([forged, ...rest]));
        assert.ok(found.length > 0 && found.every((each) => each.kind === expected), `${what}: ${JSON.stringify(found)}`);
      }
      const tree = structureOf(await statementPdf(paper, seen, () => 'https://relais.example/#A', 'fr', { compress: false }));
      assert.deepEqual([tree['H1'], tree['Figure'], tree['LI'], tree['L']], [1, seen.length, rows.length, seen.length]);
    },
  );

  test(
    `J14 the public page says exactly what a genuine code holds, and that a changed one is altered; nothing of it stands in an address or a log (${kind})`,
    on,
    async () => {
      const world = of();
      const sheet: Sheet = {
        log: world.app.origin,
        size: 12,
        root: 'r',
        person: 'Madame Colette Martin',
        from: '2026-08-01',
        to: '2026-11-22',
        made: new Date(),
        number: 'A'.repeat(16),
        sheets: 3,
        lines: 9,
        sheet: 2,
        rows: [{ index: 7, at: new Date(), said: 'Karim, mairie de Thénac, a envoyé <b>votre demande</b>.', check: 'B'.repeat(16) }],
      };
      const sealed = world.app.site.statements.seal(sheet);
      const anybody = new Walker();
      const check = async (texte: string) => {
        await anybody.open(`${world.places.relais}/verifier/releve`);
        return anybody.send('check-statement', { texte });
      };
      const genuine = await check(`${world.places.relais}/verifier/releve#${sealed}`);
      const said = textOf(genuine);
      assert.equal(genuine.status, 200);
      assert.equal(genuine.url.pathname + genuine.url.search, '/verifier/releve');
      for (const words of [...says(sheet.rows[0] as StatementLine), 'Madame Colette Martin', 'il manque 2 feuilles sur 3 (1, 3)'])
        assert.ok(said.replace(/\s/g, '').includes(words.replace(/\s/g, '')) || genuine.html.includes('&lt;b&gt;'), words);
      assert.doesNotMatch(genuine.html, /<b>votre demande/);
      const altered = await check(`${sealed.slice(0, 200)}${sealed[200] === 'A' ? 'B' : 'A'}${sealed.slice(201)}`);
      assert.match(textOf(altered), /Ce relevé est altéré/);
      assert.doesNotMatch(altered.html, /Colette|Karim/);
      assert.ok(noted(world, 'statement_altered') >= 1);
      for (const texte of ['', 'x', '\u0000', '%', 'é'.repeat(500), 'A'.repeat(50_000), `https://x#${'A'.repeat(99)}`]) {
        const answer = await check(texte);
        assert.ok([200, 422].includes(answer.status), texte.slice(0, 10));
        assert.doesNotMatch(textOf(answer), /Ce qui suit est signé/);
      }
      assert.ok(world.logged.every(({ line }) => !/Colette|Karim|votre demande/.test(JSON.stringify(line))));
      const nobody = await post(world, new Walker(), '/verifier/releve', { texte: sealed });
      assert.notEqual(nobody.status, 200);
    },
  );
});
