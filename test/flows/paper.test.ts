import { textOf, type Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  consented,
  csrfOf,
  entriesSince,
  inesAt,
  inTheMorning,
  mandatesOf,
  mark,
  personOf,
  whoIs,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { papersOf, sheetFor, typedPerson } from '../support/paper.ts';
import { inEachWorld } from '../support/protocol.ts';
import { signedInAidant, type World } from '../support/world.ts';

const TYPED = { gender: 'female', 'given-name': 'Odette Lucie', 'family-name': 'Bernard', birthdate: '11/02/1939', 'birth-code': '17415' };

/** A draft of this browser's aidant, at the page that is read aloud. */
const draft = async (world: World, walker: Walker, themes: readonly string[]): Promise<string> => {
  await walker.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await walker.send('mandate-themes', { themes });
  const page = await walker.send('mandate-days', { days: '31' });
  assert.match(page.html, /id="sign-on-paper"/);
  return page.url.href;
};
const rows = async (world: World) =>
  (
    await world.sql(
      `select (select count(*)::int from usager) usagers, (select count(*)::int from paper_consent) papers, (select count(*)::int from mandate) mandates,
        (select count(*)::int from mandate_draft where usager_id is not null) consents`,
    )
  )[0];

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  let karim: Walker;
  let ines: Walker;

  test(
    'M11 a mandate on paper needs the signature that a second aidant saw, then the first one’s: badge, journal and attestation say so',
    on,
    async () => {
      const it = world();
      inTheMorning(it);
      karim = await signedInAidant(it);
      ines = await inesAt(it, 'Thénac');
      const at = await draft(it, karim, ['logement']);
      await karim.open(`${at}/papier`);
      const sheet = await karim.send('paper-typed', TYPED);
      assert.match(sheet.url.pathname, /\/papier\/feuille$/, textOf(sheet));
      const [paper] = await it.sql('select * from paper_consent where draft_id = $1', [at.split('/').at(-1)]);
      assert.ok(paper);
      const hash = (paper['text_hash'] as Buffer).toString('hex').slice(0, 16).match(/.{4}/g)?.join(' ') ?? '';
      const printed = await karim.open(`${at}/papier/imprimer`);
      const pdf = await karim.ask(`${at}/papier/feuille.pdf`);
      assert.equal(pdf.headers.get('content-disposition'), `attachment; filename="${String(paper['reference'])}.pdf"`);
      assert.match(
        Buffer.from(await pdf.arrayBuffer())
          .subarray(0, 8)
          .toString(),
        /^%PDF-1\.7/,
      );
      for (const said of [String(paper['reference']), hash, 'Madame Odette Bernard', 'Signature :']) assert.ok(textOf(printed).includes(said), said);
      for (const address of [`${at}/signer`, `${at}/signer?vu=1`])
        assert.match((await karim.open(address)).url.pathname, /\/papier\/feuille$/, 'no way round by URL');
      const from = await mark(it);
      await ines.open(`${it.places.relais}/aidant/temoin`);
      const seen = await ines.open(`${it.places.relais}/aidant/temoin/${String(paper['id'])}`);
      assert.ok(textOf(seen).includes(hash));
      assert.equal((await ines.send('witness', { code: '000000' })).status, 422, 'the box is not ticked');
      const done = await ines.send('witness', { seen: 'yes', code: await it.code(it.places, 'Inès Moreau') });
      assert.match(textOf(done), /confirmation est enregistrée/);
      await karim.open(`${at}/signer`);
      const created = await karim.send('mandate-sign', { said_aloud: 'yes', code: await it.code(it.places, 'Karim Benali') });
      assert.match(created.url.pathname, /\/cree$/, textOf(created));
      const [mandate] = await it.sql(
        'select m.*, p.witness_id, p.evidence from mandate m join paper_consent p on p.draft_id = m.draft_id where p.id = $1',
        [paper['id']],
      );
      assert.deepEqual([mandate?.['consent_method'], mandate?.['consent_acr']], ['paper', 'eidas1']);
      assert.deepEqual(mandate?.['consent_evidence'], mandate?.['evidence']);
      assert.notEqual(mandate?.['accepted_by'], mandate?.['witness_id']);
      const witnessed = (await entriesSince(it, from)).find((entry) => entry.type === 'consent.witnessed');
      assert.deepEqual([witnessed?.aidant, witnessed?.usager], [mandate?.['witness_id'], mandate?.['usager_id']]);
      assert.deepEqual(witnessed?.detail, { reference: paper['reference'], aidantName: 'Inès', organisationName: 'Mairie de Thénac' });
      const page = textOf(await karim.open(`${it.places.relais}/aidant/mandats/${String(mandate?.['id'])}`));
      assert.match(page, /Mon accord : Papier signé/);
      const found = await it.app.site.attestations.find(mandate?.['id'] as never);
      assert.deepEqual([found?.intact, found?.sealed.consent.method], [true, 'paper']);
    },
  );

  test('M11 whoever prepared the sheet cannot be its witness, nor anybody of another structure, whatever the code does', on, async () => {
    const it = world();
    const who = await whoIs(it);
    const ofInes = await whoIs(it, 'ines', 'Thénac');
    const paper = await sheetFor(it, who, typedPerson({ familyName: 'Robin' }), ['famille']);
    const papers = papersOf(it.app, it);
    assert.deepEqual(await papers.witness(who, paper.id, paper.textHash, ''), { refused: 'witness_is_aidant' });
    const there = await whoIs(it, 'ines', 'Saintes');
    assert.deepEqual(await papers.witness(there, paper.id, paper.textHash, ''), { refused: 'not_found' });
    assert.deepEqual(await papers.witness(ofInes, paper.id, Buffer.alloc(32), ''), { refused: 'draft_expired' }, 'another text than the printed one');
    assert.deepEqual(
      (await papers.waiting(who)).filter((each) => each.id === paper.id),
      [],
      'not in her own list',
    );
    assert.equal((await karim.open(`${it.places.relais}/aidant/temoin/${paper.id}`)).status, 403);
    const set = `update paper_consent set witness_id = $1, witnessed_at = now(), witness_means = 'totp', evidence = text_hash where id = $2`;
    await assert.rejects(it.sql(set, [who.aidantId, paper.id]), /paper_consent_check|violates check/);
    const [stranger] = await it.sql("select s.id from staff s where s.kind = 'operateur' limit 1");
    await assert.rejects(it.sql(set, [stranger?.['id'], paper.id]), /no active aidant/);
    const [after] = await it.sql(
      'select witness_id, usager_id from paper_consent p join mandate_draft d on d.id = p.draft_id where p.id = $1'.replace(
        'usager_id',
        'd.usager_id',
      ),
      [paper.id],
    );
    assert.deepEqual(after, { witness_id: null, usager_id: null });
  });

  test('M11 no mandate on paper enters the database without its witness, and no sheet seen signed can be changed', on, async () => {
    const it = world();
    const [mandate] = await it.sql("select id from mandate where consent_method = 'paper' limit 1");
    const copy = (more: string) =>
      it.sql(
        `insert into mandate (id, reference, draft_id, organisation_id, usager_id, template, text_hash, days, starts_at, ends_at, consent_method, consent_acr, consent_evidence,
          consented_at, accepted_by, accepted_at, acceptance_means)
        select 'man_copy', 'M-COPY', d.id, m.organisation_id, m.usager_id, m.template, m.text_hash, d.days, m.starts_at, m.ends_at, 'paper', m.consent_acr, m.consent_evidence,
          m.consented_at, m.accepted_by, m.accepted_at, m.acceptance_means
        from mandate m, mandate_draft d where m.id = $1 and ${more} limit 1`,
        [mandate?.['id']],
      );
    await assert.rejects(copy('d.id <> m.draft_id and not exists (select 1 from mandate o where o.draft_id = d.id)'), /nobody has seen/);
    await assert.rejects(it.sql("update paper_consent set witness_means = 'passkey' where witness_id is not null"), /cannot be changed/);
    await assert.rejects(it.sql('update paper_consent set ended_at = now() where witness_id is not null'), /cannot be changed/);
  });

  test('M16 two witnesses at once: one is recorded, and the other is told so', on, async () => {
    const it = world();
    const who = await whoIs(it);
    const paper = await sheetFor(it, who, typedPerson({ familyName: 'Caron' }), ['papiers']);
    const [ines1, camille] = [await whoIs(it, 'ines', 'Thénac'), await whoIs(it, 'courriel', 'Thénac')];
    const other = kind === 'postgres' ? (await it.secondInstance()).app : it.app;
    const from = await mark(it);
    const answers = await Promise.all([
      papersOf(it.app, it).witness(ines1, paper.id, paper.textHash, ''),
      papersOf(other, it).witness(camille, paper.id, paper.textHash, ''),
    ]);
    assert.deepEqual(answers.map((answer) => ('refused' in answer ? answer.refused : 'witnessed')).toSorted(), ['already_witnessed', 'witnessed']);
    const types = (await entriesSince(it, from)).map((entry) => entry.type);
    assert.equal(types.filter((type) => type === 'consent.witnessed').length, 1);
    assert.equal(types.filter((type) => type === 'mandate.consented').length, 1);
  });

  test('S11 a code typed once does not both confirm a signature and accept a mandate', on, async () => {
    const it = world();
    const paper = await sheetFor(it, await whoIs(it), typedPerson({ familyName: 'Denis' }), ['papiers']);
    const ofInes = await whoIs(it, 'ines', 'Thénac');
    const own = await mandatesOf(it.app, it).draft(ofInes, ['papiers'], 1);
    assert.ok(!('refused' in own));
    const given = await it.app.site.mandates.consent(ofInes, own.draft.id, await personOf(it, 'jean'), {
      method: 'franceconnect',
      acr: 'eidas1',
      evidence: Buffer.alloc(32, 1),
    });
    assert.ok(!('refused' in given));
    const code = await it.code(it.places, 'Inès Moreau');
    const witnessed = await it.app.site.papers.witness(ofInes, paper.id, paper.textHash, code);
    assert.ok(!('refused' in witnessed));
    const done = await it.app.site.mandates.accept(ofInes, own.draft.id, given.draft.consent?.textHash ?? Buffer.alloc(0), code);
    assert.deepEqual(done, { refused: 'code_already_used' });
    assert.equal((await it.sql('select 1 from mandate where draft_id = $1', [own.draft.id])).length, 0);
  });

  test('M20 a witness who is suspended before the acceptance is no witness any more: no mandate', on, async () => {
    const it = world();
    const who = await whoIs(it);
    const camille = await whoIs(it, 'courriel', 'Thénac');
    const paper = await sheetFor(it, who, typedPerson({ familyName: 'Evrard' }), ['papiers']);
    assert.ok('witnessed' in (await papersOf(it.app, it).witness(camille, paper.id, paper.textHash, '')));
    await it.sql("update staff set status = 'suspended' where id = $1", [camille.aidantId]);
    const done = await mandatesOf(it.app, it).accept(who, paper.draftId, paper.textHash, '');
    assert.deepEqual(done, { refused: 'witness_gone' });
    assert.equal((await it.sql('select 1 from mandate where draft_id = $1', [paper.draftId])).length, 0);
    await it.sql("update staff set status = 'active' where id = $1", [camille.aidantId]);
    assert.ok('mandate' in (await mandatesOf(it.app, it).accept(who, paper.draftId, paper.textHash, '')), 'and is one again with the habilitation');
  });

  test('M23 M12 the aidant, the witness, a minor or a protected person cannot be the person, and nothing is written of them', on, async () => {
    const it = world();
    const who = await whoIs(it);
    const papers = papersOf(it.app, it);
    const drafted = await mandatesOf(it.app, it).draft(who, ['famille'], 1);
    assert.ok(!('refused' in drafted));
    const before = await rows(it);
    const ask = (more: Parameters<typeof typedPerson>[0]) => papers.ask(who, drafted.draft.id, typedPerson(more));
    assert.deepEqual(await ask({ givenName: 'KARIM Ali', familyName: 'BENALI', gender: 'male' }), { refused: 'self_dealing' });
    assert.deepEqual(await ask({ birthdate: '2015-01-01' }), { refused: 'minor' });
    assert.deepEqual(await rows(it), before);
    const paper = await sheetFor(it, who, typedPerson({ givenName: 'Ines', familyName: 'Moreau' }), ['famille']);
    assert.deepEqual(await papers.witness(await whoIs(it, 'ines', 'Thénac'), paper.id, paper.textHash, ''), { refused: 'witness_is_person' });
    const jean = await agreed(it, 'jean', ['loisirs']);
    const [found] = await it.sql('select * from usager where id = $1', [jean.usagerId]);
    const same = {
      givenName: String(found?.['given_name']),
      familyName: String(found?.['family_name']).toUpperCase(),
      gender: 'male' as const,
      birthdate: String(found?.['birthdate']),
      birthplace: String(found?.['birthplace']),
    };
    assert.deepEqual(await ask(same), { refused: 'person_listed' }, 'she is in the list');
    await it.sql("update usager set protection = 'guardianship', protected_at = now() where id = $1", [jean.usagerId]);
    assert.deepEqual(await ask(same), { refused: 'protected_person' }, 'typed anew under the same identity');
    assert.deepEqual(await papers.ask(who, drafted.draft.id, jean.usagerId), { refused: 'protected_person' });
  });

  test('V3 an identity that is typed tells nothing of anybody outside the structure, and no sign-in is ever joined to it', on, async () => {
    const it = world();
    const there = await whoIs(it, 'ines', 'Saintes');
    const claims = {
      given_name: 'Mathilde',
      family_name: 'Garcin',
      birthdate: '1944-08-08',
      gender: 'female',
      birthplace: '17415',
      birthcountry: '99100',
    };
    const identified = await it.app.site.usagers.identify({ iss: it.demonstration.franceconnect.issuer, sub: 'mathilde', acr: 'eidas1', claims });
    assert.ok('usager' in identified);
    const known = identified.usager.id;
    const mandates = mandatesOf(it.app, it);
    const { id, hash } = await consented(it, mandates, there, known, ['famille']);
    assert.ok('mandate' in (await mandates.accept(there, id, hash, '')));
    const typed = typedPerson({ givenName: 'Mathilde', familyName: 'Garcin', birthdate: '1944-08-08' });
    const paper = await sheetFor(it, await whoIs(it), typed, ['famille']);
    assert.notEqual(paper.usagerId, known, 'another account, whoever she is elsewhere');
    const again = await sheetFor(it, await whoIs(it), typed, ['papiers']);
    assert.equal(again.usagerId, paper.usagerId, 'the same typed twice in one structure is one account');
    const elsewhere = await sheetFor(it, there, typedPerson({ familyName: 'Lointain' }), ['famille']);
    const here = await sheetFor(it, await whoIs(it), typedPerson({ familyName: 'Lointain' }), ['famille']);
    assert.notEqual(elsewhere.usagerId, here.usagerId);
    const signedIn = await it.app.site.usagers.identify({
      iss: 'https://fc.example',
      sub: 'lointain',
      acr: 'eidas1',
      claims: {
        given_name: 'Odette Lucie',
        family_name: 'Lointain',
        birthdate: '1939-02-11',
        gender: 'female',
        birthplace: '17415',
        birthcountry: '99100',
      },
    });
    assert.ok('created' in signedIn && signedIn.created, 'FranceConnect makes an account of its own');
  });

  test('I2 I9 formulas, marks, controls, bidi, other scripts and impossible days are refused beside their field, and make no row', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['loisirs']);
    const before = await rows(it);
    const bad: readonly (readonly [string, string])[] = [
      ...['=1+1', '+33', '-cmd', '@SUM', '<b>x</b>', '"><script>', 'a\u202eb', 'a\u0000b', 'Мария', 'x'.repeat(81), '', '12', 'A;B'].map(
        (value) => ['family-name', value] as const,
      ),
      ...['31/02/1946', '1946', '11/02/2999', '01/01/1800', '', '11/02/1939 '.repeat(900)].map((value) => ['birthdate', value] as const),
      ...['1741', '174155', '00123', '99100', '2C004', '', 'Saintes'].map((value) => ['birth-code', value] as const),
      ['gender', ''],
      ['gender', 'other'],
    ];
    for (const [field, value] of bad) {
      await karim.open(`${at}/papier`);
      const page = await karim.send('paper-typed', { ...TYPED, [field]: value });
      assert.equal(page.status, 422, `${field}: ${value.slice(0, 20)}`);
      assert.match(page.html, /id="error-summary"/);
    }
    await karim.open(`${at}/papier`);
    const nobody = await karim.ask(`${at}/papier`, { _csrf: await csrfOf(it, karim), person: 'usg_00000000000000000000000000' });
    assert.equal(nobody.status, 404);
    assert.deepEqual(await rows(it), before);
  });

  test('M24 a mandate on paper never opens a service that asks for more than eIDAS low', on, async () => {
    const it = world();
    const service = await it.service('paper-service');
    const [mandate] = await it.sql(
      "select id, organisation_id from mandate where consent_method = 'paper' and ended_at is null and id in (select mandate_id from mandate_grant where theme = 'logement') limit 1",
    );
    const csrf = await csrfOf(it, karim);
    const asked = { id: String(mandate?.['id']), organisationId: String(mandate?.['organisation_id']) } as never;
    const open = async (): Promise<string> => {
      const answer = await confirm(it, karim, await begin(karim, service), confirmation(asked, 'logement', csrf));
      return answer.status === 303 ? 'opened' : /site demande plus de preuves/.test(await answer.text()) ? 'unmet_level' : String(answer.status);
    };
    const low = await open();
    assert.equal(low, 'opened');
    await it.sql("update service set minimum_consent = 'eidas2' where id = $1", [service.id]);
    it.advance(5_000); // services are read again
    const sessions = await it.sql('select 1 from delegated_session');
    assert.equal(await open(), 'unmet_level');
    assert.equal((await it.sql('select 1 from delegated_session')).length, sessions.length);
  });

  test('M16 the sheet ends at midnight: nobody can confirm it any more, and the page says so', on, async () => {
    const it = world();
    const who = await whoIs(it);
    const paper = await sheetFor(it, who, typedPerson({ familyName: 'Faure' }), ['papiers']);
    const [row] = await it.sql('select expires_at from mandate_draft where id = $1', [paper.draftId]);
    assert.deepEqual(row?.['expires_at'], paper.expiresAt, 'the draft lives as long as its sheet');
    it.advance(paper.expiresAt.getTime() - Date.now() + 1000);
    assert.deepEqual(await papersOf(it.app, it).witness(await whoIs(it, 'ines', 'Thénac'), paper.id, paper.textHash, ''), {
      refused: 'draft_expired',
    });
    assert.deepEqual(await papersOf(it.app, it).waiting(await whoIs(it, 'ines', 'Thénac')), []);
    const [after] = await it.sql('select usager_id from mandate_draft where id = $1', [paper.draftId]);
    assert.equal(after?.['usager_id'], null);
  });
});
