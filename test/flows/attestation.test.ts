import { calculateJwkThumbprint } from 'jose';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { createAttestations } from '../../src/mandates/attestations.ts';
import { attestationStore } from '../../src/persistence/attestations.ts';
import { rows } from '../../src/persistence/database.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, inTheMorning, personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { type Answer, get, inEachWorld, noted } from '../support/protocol.ts';
import { signedInAidant, type World } from '../support/world.ts';

const codeOf = async (world: World, mandate: string): Promise<string> =>
  String((await world.sql('select code from attestation where mandate_id = $1', [mandate]))[0]?.['code']);

const counts = new WeakMap<World, number>();
/** Opens the public page, as somebody who does not try more often than is allowed. */
const look = async (world: World, code: string, lang = 'fr'): Promise<Answer & { said: string }> => {
  const count = (counts.get(world) ?? 0) + 1;
  counts.set(world, count);
  if (count % 25 === 0) world.advance(61_000);
  const url = new URL(`/verifier/${encodeURIComponent(code)}?lang=${lang}`, world.places.relais);
  const answer = await get(url);
  return { ...answer, said: textOf({ url, status: answer.status, html: answer.text, headers: answer.headers }) };
};
const titleOf = (answer: Answer): string => /<h1>([^<]+)<\/h1>/.exec(answer.text)?.[1] ?? '';

/** One change of one column by the database's owner, and what puts it back. */
const CHANGES: readonly (readonly [column: string, to: string])[] = [
  ['reference', "'M-2222-2222'"],
  ['template', "'2026-12'"],
  ['text_hash', "decode(repeat('00', 32), 'hex')"],
  ['days', '30'],
  ['starts_at', "starts_at + interval '1 second'"],
  ['ends_at', "ends_at - interval '1 hour'"],
  ['consent_method', "'paper'"],
  ['consent_acr', "'eidas2'"],
  ['consent_evidence', "decode('00', 'hex')"],
  ['consented_at', "consented_at - interval '1 minute'"],
  ['accepted_at', "accepted_at - interval '1 minute'"],
  ['acceptance_means', "'passkey'"],
  ['accepted_by', '(select id from staff where id <> accepted_by order by id limit 1)'],
  ['organisation_id', '(select id from organisation where id <> organisation_id order by id limit 1)'],
  ['usager_id', '(select u.id from usager u where u.id <> mandate.usager_id order by u.id limit 1)'],
  ['demarches', `'[{"code": "x.y", "service": "X", "fr": "Y", "en": "Y"}]'::jsonb`],
  ['read_only', 'not read_only'],
  ['single_use', 'not single_use'],
];

inEachWorld(({ world: of, kind }) => {
  const on = { database: kind };

  test(
    `changing any field of a mandate by SQL as the owner, its grants, its parties or its seal makes the public page say that it is altered (${kind})`,
    on,
    async () => {
      const world = of();
      inTheMorning(world);
      await personOf(world, 'jean');
      const mandate = await agreed(world, 'colette', ['logement', 'famille']);
      const code = await codeOf(world, mandate.id);
      const says = async (expected: string, what: string): Promise<void> => {
        const page = await look(world, code);
        assert.equal(titleOf(page), expected, what);
        assert.equal(page.status, 200, what);
      };
      const valid = 'Cette attestation est valide';
      const altered = 'Cette attestation est altérée';
      await says(valid, 'as it was made');
      const change = async (table: string, key: string, id: string, column: string, to: string): Promise<void> => {
        const [before] = await world.sql(`select ${column} kept from ${table} where ${key} = $1`, [id]);
        await world.sql(`update ${table} set ${column} = ${to} where ${key} = $1`, [id]);
        await says(altered, `${table}.${column}`);
        await world.sql(`update ${table} set ${column} = $2 where ${key} = $1`, [id, before?.['kept']]);
        await says(valid, `${table}.${column} put back`);
      };
      for (const [column, to] of CHANGES) await change('mandate', 'id', mandate.id, column, to);
      for (const column of ['given_name', 'family_name', 'birthplace', 'birthcountry', 'birthdate'])
        await change('usager', 'id', mandate.usagerId, column, `${column} || '1'`);
      await change('organisation', 'id', mandate.organisationId, 'siret', "'99999999999999'");
      for (const at of [0, 20])
        await change('attestation', 'mandate_id', mandate.id, 'names_box', `set_byte(names_box, ${at}, (get_byte(names_box, ${at}) + 1) % 256)`);
      await change('attestation', 'mandate_id', mandate.id, 'seal', 'set_byte(seal, 0, (get_byte(seal, 0) + 1) % 256)');
      const wider = "insert into mandate_grant (mandate_id, theme, organisation_id, usager_id) values ($1, 'argent', $2, $3)";
      const row = [mandate.id, mandate.organisationId, mandate.usagerId];
      await assert.rejects(world.sql(wider, row), /a mandate holds what was agreed/);
      await world.sql('alter table mandate_grant disable trigger never_wider');
      await world.sql(wider, row);
      await world.sql('alter table mandate_grant enable trigger never_wider');
      await says(altered, 'a theme more');
      await world.sql("delete from mandate_grant where mandate_id = $1 and theme = 'argent'", [mandate.id]);
      await says(valid, 'without it');
      assert.ok(noted(world, 'attestation_altered') > 20, 'the operator is told');
      // What may lawfully change later leaves old paper true.
      await world.sql("update organisation set name = name || ' (nouveau nom)' where id = $1", [mandate.organisationId]);
      await world.sql("update usager set preferred_username = 'AUTRE' where id = $1", [mandate.usagerId]);
      await says(valid, 'the structure has another name today');
      await world.sql("update organisation set name = replace(name, ' (nouveau nom)', '') where id = $1", [mandate.organisationId]);
    },
  );

  test(`as the application's role nobody changes or removes a seal, and a mandate is not made when it cannot be sealed (${kind})`, on, async () => {
    const world = of();
    const mandate = await agreed(world, 'jean', ['social']);
    for (const text of [
      "update attestation set code = repeat('2', 24)",
      'delete from attestation',
      'delete from attestation_key',
      'truncate attestation',
    ])
      await assert.rejects(
        world.database.run((tx) => rows(tx, { name: `b-${text.length}`, text, values: [] })),
        /permission denied/,
        text,
      );
    assert.equal((await world.sql('select 1 from attestation where mandate_id = $1', [mandate.id])).length, 1);
    await world.sql('alter table attestation add constraint refused check (false) not valid');
    await assert.rejects(agreed(world, 'jean', ['travail']));
    await world.sql('alter table attestation drop constraint refused');
    assert.deepEqual(await world.sql("select 1 from mandate_grant where theme = 'travail' and usager_id = $1", [mandate.usagerId]), []);
  });

  test(`the public page shows what the mandate covers and nothing of the person or the aidant, in both languages (${kind})`, on, async () => {
    const world = of();
    const mandate = await agreed(world, 'colette', ['logement', 'famille']);
    const code = await codeOf(world, mandate.id);
    for (const lang of ['fr', 'en']) {
      const page = await look(world, code, lang);
      assert.equal(page.status, 200);
      assert.ok(page.said.includes(mandate.reference) && page.said.includes(mandate.organisationName) && page.said.includes('FranceConnect'));
      assert.match(page.said, lang === 'fr' ? /Logement/ : /Housing/i);
      assert.doesNotMatch(page.text, /Colette|Martin|Durand|1946|Karim|Benali|usg_|man_|org_|aid_/i);
      assert.equal(page.headers.get('cache-control'), 'no-store');
      assert.equal(page.headers.get('x-robots-tag'), 'noindex');
    }
    const typed = await look(world, ` ${code.toLowerCase().replace(/(.{4})/g, '$1-')}`);
    assert.equal(titleOf(typed), 'Cette attestation est valide', 'as people type it');
    const form = await get(`${world.places.relais}/verifier?code=${encodeURIComponent(` ${code} `)}`);
    assert.deepEqual([form.status, form.headers.get('location')], [303, `/verifier/${code}`]);
  });

  test(
    `an ended mandate says that it has ended, with its time and no reason; one whose last midnight is past has ended too (${kind})`,
    on,
    async () => {
      const world = of();
      const stopped = await agreed(world, 'noms-longs', ['logement'], 31);
      const code = await codeOf(world, stopped.id);
      await world.app.site.mandates.revokeByUsager(stopped.usagerId, stopped.id);
      const page = await look(world, code);
      assert.equal(titleOf(page), 'Ce mandat est terminé');
      assert.match(page.said, /le mandat est terminé depuis le \p{L}+ \d/u);
      assert.doesNotMatch(page.said, /arrêté par|révoqu|renonc|remplac|décès|tutelle/i);
      const short = await agreed(world, 'noms-longs', ['famille'], 1);
      const second = await codeOf(world, short.id);
      assert.match((await look(world, second)).said, /en cours, aujourd’hui, jusqu’à minuit/);
      world.advance(short.endsAt.getTime() - Date.now());
      const over = await look(world, second);
      assert.equal(titleOf(over), 'Ce mandat est terminé');
      assert.match(over.said, /à 0 h 00/);
    },
  );

  test(`an unknown code and a malformed one get the same answer, which repeats nothing of it and is no fault (${kind})`, on, async () => {
    const world = of();
    const unknown = await look(world, '2'.repeat(24));
    assert.equal(unknown.status, 404);
    assert.match(unknown.said, /Ce code n’est celui d’aucune attestation/);
    for (const typed of [
      'x',
      'Colette Martin',
      "' or '1'='1",
      '%',
      '2'.repeat(23),
      '2'.repeat(150),
      '<script>alert(1)</script>',
      '\u0000',
      'É',
      '..',
    ]) {
      if (typed === '..') continue; // an address, not a code
      const answer = await look(world, typed);
      assert.deepEqual([answer.status, answer.text], [404, unknown.text], typed);
    }
    for (const query of ['code=', 'code=%00', 'code=%ED%A0%80', 'code=a&code=b', `code=${'x'.repeat(3000)}`]) {
      const answer = await get(`${world.places.relais}/verifier?${query}`);
      assert.ok([200, 303].includes(answer.status), `${query}: ${answer.status}`);
    }
    assert.deepEqual(
      world.logged.filter(({ level }) => level === 'error').map(({ line }) => line),
      [],
    );
  });

  test(`an address tries thirty codes a minute; the next one waits, and is told so (${kind})`, on, async () => {
    const world = of();
    world.advance(61_000);
    const url = `${world.places.relais}/verifier/${'3'.repeat(24)}`;
    const statuses: number[] = [];
    for (let i = 0; i < 32; i++) statuses.push((await get(url)).status);
    assert.deepEqual(statuses, [...Array.from({ length: 30 }, () => 404), 429, 429]);
    assert.equal((await get(url)).headers.get('retry-after'), '60');
    world.advance(61_000);
    assert.equal((await get(url)).status, 404);
  });

  test(
    `T6 the page and the PDF of a mandate are for its organisation and for the person alone, say the same, and carry today's date (${kind})`,
    on,
    async () => {
      const world = of();
      const mandate = await agreed(world, 'colette', ['logement'], 182);
      world.advance(3 * 86_400_000);
      const code = (await codeOf(world, mandate.id)).replace(/(.{4})(?!$)/g, '$1-');
      const today = new Intl.DateTimeFormat('fr-FR', { timeZone: 'Europe/Paris', month: 'long', year: 'numeric' }).format(new Date());
      const karim = await signedInAidant(world);
      const colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      for (const [walker, space] of [
        [karim, 'aidant'],
        [colette, 'usager'],
      ] as const) {
        const page = await walker.open(`${world.places.relais}/${space}/mandats/${mandate.id}`);
        assert.match(textOf(page), new RegExp(`Attestation faite le .*${today}`));
        assert.ok(textOf(page).replace(/\s/g, '').includes(code), space);
        assert.match(page.html, /role="img" aria-label="Code QR[^"]*"><svg/);
        const pdf = await walker.ask(`${world.places.relais}/${space}/mandats/${mandate.id}/attestation.pdf`);
        assert.deepEqual(
          [pdf.status, pdf.headers.get('content-type'), pdf.headers.get('content-disposition')],
          [200, 'application/pdf', `attachment; filename="${mandate.reference}.pdf"`],
        );
        assert.equal(
          Buffer.from(await pdf.arrayBuffer())
            .subarray(0, 5)
            .toString(),
          '%PDF-',
        );
      }
      const jean = new Walker();
      await signInUsager(jean, world.places, 'jean');
      const refused = await jean.ask(`${world.places.relais}/usager/mandats/${mandate.id}/attestation.pdf`);
      assert.equal(refused.status, 404);
      const nobody = await new Walker().ask(`${world.places.relais}/aidant/mandats/${mandate.id}/attestation.pdf`);
      assert.notEqual(nobody.status, 200);
      await world.sql("update mandate set consent_acr = 'eidas3' where id = $1", [mandate.id]);
      assert.equal(
        (await colette.ask(`${world.places.relais}/usager/mandats/${mandate.id}/attestation.pdf`)).status,
        404,
        'nothing altered is attested',
      );
      assert.match(textOf(await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}`)), /Cette attestation ne peut pas être donnée/);
    },
  );

  test(
    `the keys are published with their thumbprints; old paper verifies with a former key, and a database sealed with an unknown key refuses to start (${kind})`,
    on,
    async () => {
      const world = of();
      const published = await get(`${world.places.relais}/.well-known/relais-attestation-keys.json`);
      const keys = published.json['keys'] as Record<string, string>[];
      assert.deepEqual([published.status, published.headers.get('content-type'), keys.length], [200, 'application/jwk-set+json; charset=utf-8', 1]);
      const [current] = keys;
      assert.ok(current);
      assert.equal(await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: current['x'] ?? '' }), current['kid']);
      assert.match(current['since'] ?? '', /^\d{4}-\d{2}-\d{2}$/);
      assert.deepEqual(Object.keys(current).sort(), ['alg', 'crv', 'kid', 'kty', 'since', 'use', 'x'], 'nothing private');
      const mandate = await agreed(world, 'jean', ['papiers']);
      const code = await codeOf(world, mandate.id);
      const old = readPrivateKey(world.demonstration.config.keys.pem('attestation-ed25519').reveal());
      const fresh = {
        transactions: world.database,
        store: attestationStore,
        clock: world.app.site.clock,
        key: readPrivateKey(makePrivateKeyPem('ed25519')),
        kek: world.demonstration.config.keys.raw('payload-kek'),
      };
      const rotated = createAttestations({ ...fresh, former: [{ key: publicKeyOf(old), until: '2026-11-22' }] });
      assert.equal((await rotated.verify(code))?.kind, 'valid');
      assert.deepEqual(
        (await rotated.publicKeys()).map((key) => [key.kid === current['kid'], key.until]),
        [
          [false, undefined],
          [true, '2026-11-22'],
        ],
      );
      await assert.rejects(createAttestations({ ...fresh, former: [] }).start(), { code: 'key_differs' });
      assert.equal((await createAttestations({ ...fresh, former: [] }).verify(code))?.kind, 'altered', 'a key that is not trusted proves nothing');
    },
  );
});
