import { after, before, describe } from 'node:test';
import { agreed, csrfOf, inTheMorning, mandatesOf, post, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { countStatements } from '../support/statements.ts';
import { openWorld, signedInAidant, type World } from '../support/world.ts';

const MANY = 10_000;

const statements = countStatements();
after(() => statements.stop());

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    const database = kind.kind;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    const url = (path: string): string => `${world.places.relais}${path}`;
    const references = (html: string): string[] => [...html.matchAll(/>(M-[0-9A-Z]{4}-[0-9A-Z]{4})</g)].map(([, found]) => String(found));

    test('an aidant gives up one theme, then the mandate; the person reads who; another structure cannot', { database }, async () => {
      const mandate = await agreed(world, 'colette', ['loisirs', 'transports']);
      const karim = await signedInAidant(world);
      const csrf = await csrfOf(world, karim, '/aidant');
      const page = await karim.open(url(`/aidant/mandats/${mandate.id}`));
      assert.match(page.html, /Renoncer au mandat/);
      const asked = await karim.open(url(`/aidant/mandats/${mandate.id}/renoncer`));
      assert.match(asked.html, /Seulement à/);
      assert.equal((await post(world, karim, `/aidant/mandats/${mandate.id}/renoncer`, { _csrf: csrf, theme: 'loisirs' })).status, 303);
      const grants = () => world.sql('select theme, end_reason from mandate_grant where mandate_id = $1 order by theme', [mandate.id]);
      assert.deepEqual(await grants(), [
        { theme: 'loisirs', end_reason: 'renounced' },
        { theme: 'transports', end_reason: null },
      ]);
      assert.match((await karim.open(url(`/aidant/mandats/${mandate.id}/renonce`))).html, /Le mandat continue pour/);
      assert.deepEqual(await world.app.site.mandates.renounce(await whoIs(world, 'ines', 'Saintes'), mandate.id), { refused: 'not_found' });
      assert.equal((await post(world, karim, `/aidant/mandats/${mandate.id}/renoncer`, { _csrf: csrf, theme: '' })).status, 303);
      const [row] = await world.sql('select end_reason, ended_by from mandate where id = $1', [mandate.id]);
      assert.equal(row?.['end_reason'], 'renounced');
      assert.match(String(row?.['ended_by']), /^(aidant|referent) aid_/);
      const again = await post(world, karim, `/aidant/mandats/${mandate.id}/renoncer`, { _csrf: csrf });
      assert.equal(again.status, 303, 'twice is no error');
      const listed = await post(world, karim, '/aidant/mandats', { _csrf: csrf, etat: 'ended' });
      const html = await listed.text();
      assert.ok(references(html).includes(mandate.reference), 'an ended mandate stays in sight');
      assert.match(html, /La structure y a renoncé/);
    });

    test(`a list of ${MANY} mandates: soonest-ending first, every one on one page and one only, as many statements for the last page as for the first`, {
      database,
      atLeast: 20,
    }, async () => {
      const model = await agreed(world, 'colette', ['justice']);
      await mandatesOf(world.app, world).renounce(await whoIs(world), model.id);
      await world.sql(
        `insert into mandate_draft select 'dra_' || lpad(n::text, 26, '0'), organisation_id, aidant_id, themes, days, created_at, expires_at, usager_id, consent_method, consent_acr,
          consent_evidence, consented_at, text_hash, null from mandate_draft d, generate_series(1, $2::int) n where d.id = (select draft_id from mandate where id = $1)`,
        [model.id, MANY],
      );
      await world.sql(
        `insert into mandate (id, reference, draft_id, organisation_id, usager_id, template, text_hash, days, starts_at, ends_at, consent_method, consent_acr,
            consent_evidence, consented_at, accepted_by, accepted_at, acceptance_means, ended_at, end_reason, ended_by)
          select 'man_' || lpad(n::text, 26, '0'), 'M-' || upper(lpad(to_hex(n), 4, '0')) || '-LIST', 'dra_' || lpad(n::text, 26, '0'), organisation_id, usager_id, template, text_hash, days, starts_at,
            ends_at + (n % 300) * interval '1 day', consent_method, consent_acr, consent_evidence, consented_at, accepted_by, accepted_at, acceptance_means,
            starts_at, 'revoked', 'usager' from mandate m, generate_series(1, $2::int) n where m.id = $1`,
        [model.id, MANY],
      );
      await world.sql(
        `insert into mandate_grant (mandate_id, theme, organisation_id, usager_id, ended_at, end_reason)
          select id, 'justice', organisation_id, usager_id, ended_at, 'revoked' from mandate where reference like '%-LIST'`,
      );
      await world.sql('analyze');
      const who = await whoIs(world);
      const { mandates } = world.app.site;
      const list = { now: world.app.site.clock.now(), state: 'ended', theme: 'justice', name: undefined } as const;
      assert.equal(await mandates.countOfOrganisation(who.organisationId, list), MANY + 1);
      const seen = new Set<string>();
      let after: (typeof model)['id'] | undefined;
      let before = 0;
      for (;;) {
        const page = await mandates.ofOrganisation(who.organisationId, { ...list, after, limit: 500 });
        for (const mandate of page) {
          assert.ok(mandate.endsAt.getTime() >= before);
          before = mandate.endsAt.getTime();
          seen.add(mandate.id);
        }
        after = page.at(-1)?.id;
        if (page.length < 500) break;
      }
      assert.equal(seen.size, MANY + 1);
      const karim = await signedInAidant(world);
      const csrf = await csrfOf(world, karim, '/aidant');
      const counted = async (fields: Record<string, string>): Promise<{ statements: number; html: string }> => {
        const from = statements.total();
        const answer = await post(world, karim, '/aidant/mandats', { _csrf: csrf, etat: 'ended', theme: 'justice', ...fields });
        const html = await answer.text();
        return { statements: statements.total() - from, html };
      };
      const ordered = [...seen];
      const first = await counted({});
      const last = await counted({ apres: String(ordered[MANY - 10]) });
      assert.equal(references(first.html).length, 20);
      assert.equal(references(last.html).length, 10);
      assert.equal(first.statements, last.statements);
      assert.ok(first.statements <= 8, `${first.statements} statements`);
      assert.match(first.html, /10001 mandats/);
      const odd = await counted({ apres: "man_x' or 1=1", q: '%' });
      assert.equal(references(odd.html).length, 0, 'a percent sign is a character like another');
    });
  });
