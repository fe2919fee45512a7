import { addDays, endOfMandate, parisDay, startOfDay } from '../../src/kernel/calendar.ts';
import type { MandateId } from '../../src/kernel/ids.ts';
import { agreed, entriesSince, inTheMorning, mark } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { contextOf, as as prove, runWith } from '../support/desk.ts';
import { inEachWorld } from '../support/protocol.ts';

const HEAD = 'given_name;family_name;used_name;gender;birthdate;birth_code;themes;days;signed_on;aidant;witness';
const KARIM = 'karim@demonstration.example';
const INES = 'ines@demonstration.example';

/** A line that is right, but for what the test changes. */
const line = (more: Partial<Record<string, string>> = {}): string => {
  const cells: Record<string, string> = {
    given_name: 'Odette Lucie',
    family_name: 'Bernard',
    used_name: '',
    gender: 'F',
    birthdate: '11/02/1939',
    birth_code: '17415',
    themes: 'logement|famille',
    days: '365',
    signed_on: parisDay(new Date()),
    aidant: KARIM,
    witness: INES,
  };
  return HEAD.split(';')
    .map((column) => more[column] ?? cells[column] ?? '')
    .join(';');
};
const file = (...lines: string[]): string => [HEAD, ...lines].join('\n');

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  const THENAC = ['--organisation', '21170444000018'];
  const as = (who: 'Alice Fontaine' | 'Marc Dubreuil') => prove(world(), who);
  const run = (args: readonly string[], text: string) => runWith(contextOf(world()), ['mandates', 'import', 'f.csv', ...THENAC, ...args], text);
  const imported = async () =>
    world().sql('select m.*, l.line, l.witness_id from mandate m join imported_mandate l on l.draft_id = m.draft_id order by l.import_id, l.line');
  const counts = async () =>
    (
      await world().sql(
        'select (select count(*)::int from mandate) mandates, (select count(*)::int from usager) usagers, (select count(*)::int from mandate_draft) drafts, (select count(*)::int from approval) approvals',
      )
    )[0];
  /** Both opérateurs, on the same file. */
  const load = async (text: string, ...more: string[]) => {
    const asked = await run([...more, ...(await as('Alice Fontaine'))], text);
    const id = /--approve (apr_\w+)/.exec(asked.text)?.[1];
    return id ? run([...more, '--approve', id, ...(await as('Marc Dubreuil'))], text) : asked;
  };

  test(
    'M10 two opérateurs import a file of paper mandates: nothing before the second, the same file once, each mandate as it was signed',
    on,
    async () => {
      inTheMorning(world());
      const day = addDays(parisDay(new Date()), -20);
      const text = file(line({ signed_on: day }), line({ family_name: 'Robin', days: '31', themes: 'papiers', signed_on: day }));
      const before = await counts();
      const dry = await run(['--dry-run'], text);
      assert.match(dry.text, /2 mandate\(s\) would be imported; 0 fault/);
      assert.deepEqual([dry.code, await counts()], [0, before]);
      const asked = await run(await as('Alice Fontaine'), text);
      const id = /--approve (apr_\w+)/.exec(asked.text)?.[1] ?? '';
      assert.deepEqual({ ...(await counts()), approvals: 0 }, { ...before, approvals: 0 }, 'asked, not imported');
      const none = (await imported()).length;
      assert.match((await run(['--approve', id, ...(await as('Alice Fontaine'))], text)).text, /refused: same_person/);
      assert.match((await run(['--approve', id, ...(await as('Marc Dubreuil'))], `${text} `)).text, /refused: hash_differs/);
      assert.match((await run(['--approve', id, '--keep-going', ...(await as('Marc Dubreuil'))], text)).text, /refused: hash_differs/);
      assert.match(
        (await runWith(contextOf(world()), ['approvals', 'approve', id, ...(await as('Marc Dubreuil'))])).text,
        /refused: approved_with_file/,
      );
      assert.equal((await imported()).length, none);
      const from = await mark(world());
      const done = await run(['--approve', id, ...(await as('Marc Dubreuil'))], text);
      assert.match(done.text, /2 mandate\(s\) imported/);
      const [first, second] = await imported();
      assert.deepEqual([first?.['consent_method'], first?.['consent_acr'], first?.['acceptance_means']], ['paper', 'eidas1', 'import']);
      assert.deepEqual(first?.['starts_at'], startOfDay(day));
      assert.deepEqual([first?.['ends_at'], second?.['ends_at']], [endOfMandate(startOfDay(day), 365), endOfMandate(startOfDay(day), 31)]);
      assert.notEqual(first?.['accepted_by'], first?.['witness_id']);
      const entries = (await entriesSince(world(), from)).filter((entry) => entry.type === 'mandate.imported');
      assert.equal(entries.length, 2);
      const told = entries.find((entry) => entry.mandate === first?.['id']);
      assert.deepEqual([told?.usager, (told?.detail as { witnessName?: string })?.witnessName], [first?.['usager_id'], 'Inès']);
      const sealed = await world().app.site.attestations.find(first?.['id'] as MandateId);
      assert.deepEqual([sealed?.intact, sealed?.sealed.acceptance.means], [true, 'import']);
      const after = await counts();
      const again = await run(await as('Alice Fontaine'), text);
      assert.match(again.text, /Skipped, imported before: 2[\s\S]*refused: nothing_to_import/);
      const twice = await run(['--approve', id, ...(await as('Marc Dubreuil'))], text);
      assert.match(twice.text, /refused: nothing_to_import/);
      assert.deepEqual(await counts(), after);
    },
  );

  test('M12 M23 I2 I9 each line that breaks a rule is told with its number and its column, and stops the whole file', on, async () => {
    const today = parisDay(new Date());
    const cases: readonly (readonly [Partial<Record<string, string>>, string])[] = [
      [{ family_name: '"=HYPERLINK(""x"")"' }, 'person_name_malformed'],
      [{ family_name: 'Ber\u202enard' }, 'person_name_malformed'],
      [{ given_name: '<b>Odette</b>' }, 'person_name_malformed'],
      [{ used_name: '@SUM' }, 'person_name_malformed'],
      [{ given_name: '' }, 'person_name_malformed'],
      [{ gender: 'X' }, 'gender_malformed'],
      [{ birthdate: '31/02/1939' }, 'birthdate_malformed'],
      [{ birth_code: '1741' }, 'birth_code_malformed'],
      [{ themes: 'logement|tout' }, 'themes_malformed'],
      [{ themes: '' }, 'themes_malformed'],
      [{ days: '366' }, 'days_malformed'],
      [{ days: '30' }, 'days_malformed'],
      [{ days: '1e2' }, 'days_malformed'],
      [{ signed_on: '30/02/2026' }, 'date_malformed'],
      [{ signed_on: addDays(today, 1) }, 'signed_in_future'],
      [{ signed_on: addDays(today, -365) }, 'already_ended'],
      [{ signed_on: addDays(today, -1), days: '1' }, 'already_ended'],
      [{ aidant: '' }, 'aidant_missing'],
      [{ aidant: 'nobody@x.example' }, 'aidant_unknown'],
      [{ aidant: 'alice@demonstration.example' }, 'aidant_unknown'],
      [{ witness: 'nobody@x.example' }, 'witness_unknown'],
      [{ witness: '' }, 'witness_unknown'],
      [{ witness: KARIM.toUpperCase() }, 'witness_is_aidant'],
      [{ given_name: 'Ines', family_name: 'Moreau' }, 'witness_is_person'],
      [{ given_name: 'Karim', family_name: 'Benali', gender: 'M' }, 'self_dealing'],
      [{ birthdate: addDays(today, -6000) }, 'minor'],
    ];
    const before = await counts();
    const good = line({ family_name: 'Valable', themes: 'papiers' });
    const text = file(good, ...cases.map(([more]) => line({ family_name: 'Fautive', themes: 'papiers', ...more })), 'a;b');
    const done = await run(await as('Alice Fontaine'), text);
    for (const [i, [, code]] of cases.entries())
      assert.match(done.text, new RegExp(`^line ${i + 3}(, \\w+)?: ${code}: `, 'm'), `${code} at line ${i + 3}`);
    assert.match(done.text, new RegExp(`^line ${cases.length + 3}: columns_wrong: `, 'm'));
    assert.match(done.text, /refused: lines_refused/);
    assert.equal(done.code, 1);
    assert.deepEqual(await counts(), before, 'no approval, no row');
    assert.doesNotMatch(done.text, /HYPERLINK|Odette|Fautive|Bernard/, 'nothing of a person is printed');
  });

  test('M10 the habilitation holds for imports: a theme, an aidant or a witness that is out of it', on, async () => {
    const it = world();
    await it.sql("update membership set themes = array['papiers'] where aidant_id = (select id from staff where email = $1)", [
      'courriel@demonstration.example',
    ]);
    const camille = { aidant: 'courriel@demonstration.example' };
    assert.match((await run(['--dry-run'], file(line({ ...camille, family_name: 'Theme', themes: 'argent' })))).text, /theme_not_covered/);
    await it.sql("update staff set status = 'suspended' where email = $1", ['courriel@demonstration.example']);
    assert.match((await run(['--dry-run'], file(line({ ...camille, family_name: 'Theme', themes: 'papiers' })))).text, /aidant_suspended/);
    assert.match((await run(['--dry-run'], file(line({ witness: camille.aidant, family_name: 'Theme' })))).text, /aidant_suspended/);
    await it.sql("update staff set status = 'active' where email = $1", ['courriel@demonstration.example']);
  });

  test(
    'M16 --keep-going imports the good lines alone; a mandate that stands is never replaced, one that was stopped never comes back',
    on,
    async () => {
      const it = world();
      const jean = await agreed(it, 'jean', ['loisirs']);
      const [found] = await it.sql('select * from usager where id = $1', [jean.usagerId]);
      const known = line({
        given_name: String(found?.['given_name']),
        family_name: String(found?.['family_name']),
        gender: 'M',
        birthdate: String(found?.['birthdate']),
        birth_code: String(found?.['birthplace']),
        themes: 'loisirs',
      });
      const text = file(
        line({ family_name: 'Caron', themes: 'travail' }),
        line({ family_name: 'Caron', themes: 'travail|papiers' }),
        line({ family_name: 'Caron', themes: 'travail' }),
        known,
        line({ themes: 'famille', days: '182' }),
      );
      const before = (await imported()).length;
      const done = await load(text, '--keep-going');
      assert.match(done.text, /^line 3: grant_exists/m);
      assert.match(done.text, /^line 5: person_known/m);
      assert.match(done.text, /^line 6: grant_exists/m, 'the mandate of the first test stands');
      assert.match(done.text, /Skipped, imported before: 1 \(line 4\)/);
      assert.match(done.text, /1 mandate\(s\) imported/);
      assert.equal((await imported()).length, before + 1);
      assert.deepEqual((await it.sql('select ended_at from mandate where id = $1', [jean.id]))[0], { ended_at: null });
      const caron = (await imported()).find(
        (one) => one['usager_id'] !== undefined && one['days'] === 365 && one['ended_at'] === null && one['line'] === 2 && one['reference'],
      );
      assert.ok(caron);
      const [last] = await it.sql("select m.id from mandate m join usager u on u.id = m.usager_id where u.family_name = 'Caron'");
      const stopped = await it.app.site.mandates.endByOperateur(last?.['id'] as MandateId, { reason: 'demande de la personne', actor: 'cli' });
      assert.ok(!('refused' in stopped));
      assert.match((await run(['--dry-run'], file(line({ family_name: 'Caron', themes: 'travail', days: '182' })))).text, /grant_exists/);
    },
  );

  test(
    'the file may have its mark, commas, quotes, other line ends, dates of both forms and columns in another order; another file is refused',
    on,
    async () => {
      const columns = HEAD.split(';').filter((name) => name !== 'used_name' && name !== 'aidant');
      const today = parisDay(new Date());
      const [y, m, d] = today.split('-');
      const rows = ['Odette,"Le Goff",F,1939-02-11,2A004,famille|logement,31', 'Zoé-Anne,D’Oléron,f,11/2/1939,99350,social,1'];
      const text = `\ufeff${columns.join(',')}\r\n${rows[0]},${today},${INES}\r\n\r\n${rows[1]},${d}/${m}/${y},${INES}\r\n`;
      const dry = await run(['--dry-run', '--by', KARIM], text);
      assert.match(dry.text, /2 mandate\(s\) would be imported; 0 fault/, dry.text);
      for (const [bad, code] of [
        ['', 'file_empty'],
        [HEAD, 'file_empty'],
        ['a;b\n1;2', 'columns_missing'],
        [`${HEAD};extra\n${line()};1`, 'columns_missing'],
        [file(...Array.from({ length: 2001 }, () => line())), 'file_too_long'],
      ] as const)
        assert.match((await run(['--dry-run'], bad)).text, new RegExp(`refused: ${code}`), bad.slice(0, 30));
      for (const bad of [`${HEAD}\nOdette"x";Bernard`, `${HEAD}\n"Odette`, `${HEAD}\n${'x'.repeat(20_000)}`]) {
        const done = await run(['--dry-run'], bad);
        assert.match(done.text, /^line \d: (quotes|columns)_wrong/m, bad.slice(-30));
        assert.doesNotMatch(done.text, /Odette|Bernard/, 'nothing of a person is printed');
      }
    },
  );

  test('M11 no mandate enters the database as imported without its line and its two opérateurs', on, async () => {
    const it = world();
    const copy = (means: string, method = 'paper') =>
      it.sql(
        `insert into mandate (id, reference, draft_id, organisation_id, usager_id, template, text_hash, days, starts_at, ends_at, consent_method, consent_acr, consent_evidence,
          consented_at, accepted_by, accepted_at, acceptance_means)
        select 'man_copy', 'M-COPY', d.id, m.organisation_id, m.usager_id, m.template, m.text_hash, d.days, m.starts_at, m.ends_at, $2, m.consent_acr, m.consent_evidence,
          m.consented_at, m.accepted_by, m.accepted_at, $1
        from mandate m, mandate_draft d where m.acceptance_means = 'import' and not exists (select 1 from mandate o where o.draft_id = d.id) limit 1`,
        [means, method],
      );
    const drafted = await it.app.site.mandates.draft(await (await import('../support/acting.ts')).whoIs(it), ['papiers'], 1);
    assert.ok('draft' in drafted);
    await assert.rejects(copy('import'), /nobody has seen/);
    await assert.rejects(copy('totp'), /nobody has seen/);
    await assert.rejects(copy('import', 'franceconnect'), /only a mandate on paper/);
    await assert.rejects(it.sql('update imported_mandate set witness_id = aidant_id'), /check/);
  });

  test('a thousand lines are imported in one transaction, in seconds (200 where it is done for the second time)', on, async () => {
    const letters = (n: number): string => [...String(n).padStart(4, '0')].map((digit) => 'ABCDEFGHIJ'[Number(digit)]).join('');
    const many = kind === 'pglite' ? 1000 : 200;
    const text = file(...Array.from({ length: many }, (_, i) => line({ family_name: `Mille ${letters(i)}`, themes: 'social' })));
    const before = (await imported()).length;
    const from = performance.now();
    const done = await load(text);
    const ms = performance.now() - from;
    assert.match(done.text, new RegExp(`^${many} mandate\\(s\\) imported`));
    assert.equal((await imported()).length, before + many);
    assert.ok(ms < 60_000, `${Math.round(ms)} ms`);
  });
});
