import { after, before, describe } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, entriesSince, inTheMorning, mark, securitySince } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type Answer, get } from '../support/protocol.ts';
import { countStatements } from '../support/statements.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const UNKNOWN = 'urn:uuid:00000000-0000-4000-8000-000000000000';
const statements = countStatements();
after(() => statements.stop());

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let karim: Walker;
    let service: TestService;
    let other: TestService;
    let token = '';
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      service = await world.service('verifie');
      other = await world.service('ailleurs');
      karim = await signedInAidant(world);
    });
    after(() => world.close());

    const tokenOf = async (of: TestService, scope = 'mandates:check'): Promise<string> =>
      (await client.clientCredentialsGrant(of.config, { scope })).access_token;
    const ask = (ref: string, query: Readonly<Record<string, string>> | string, with_ = token, accept = 'application/json'): Promise<Answer> =>
      get(`${world.places.relais}/api/v1/mandates/${encodeURIComponent(ref)}/validity?${new URLSearchParams(query)}`, {
        authorization: `Bearer ${with_}`,
        accept,
      });
    /** A mandate that was used at the service, and the name that the service knows it by. */
    const used = async (
      themes: ('logement' | 'famille')[] = ['logement'],
      days: 1 | 31 = 31,
      at = service,
    ): Promise<{ mandate: Mandate; ref: string }> => {
      token = await tokenOf(service);
      const mandate = await agreed(world, 'colette', themes, days);
      const { claims } = await delegatedTokens(world, karim, at, 'Colette Martin');
      const [detail] = (claims?.['authorization_details'] ?? []) as { identifier: string }[];
      return { mandate, ref: detail?.identifier ?? '' };
    };
    const holds = async (ref: string, at: Date | number, theme = 'logement'): Promise<unknown> =>
      (await ask(ref, { theme, at: new Date(at).toISOString() })).json['valid'];

    test(
      title('M6 a service asks whether a mandate holds: signed, least data, by the name it knows or the one on paper, and the person reads it'),
      on,
      async () => {
        const { mandate, ref } = await used();
        const from = await mark(world);
        const signed = await ask(ref, { theme: 'logement' }, token, 'application/jwt');
        assert.deepEqual([signed.status, signed.headers.get('content-type')], [200, 'application/jwt']);
        const jwks = (await get(`${world.app.site.issuer}/jwks`)).json as never;
        const { payload, protectedHeader } = await jwtVerify(signed.text, createLocalJWKSet(jwks), {
          issuer: world.app.site.issuer,
          audience: service.id,
          typ: 'mandate-validity+jwt',
          algorithms: ['ES256'],
        });
        assert.equal(protectedHeader.alg, 'ES256');
        const { iat, jti, at, ...rest } = payload;
        assert.ok(iat && jti && at);
        assert.deepEqual(rest, {
          iss: world.app.site.issuer,
          aud: service.id,
          reference: ref,
          theme: 'logement',
          valid: true,
          consent: { method: 'franceconnect', acr: 'eidas1' },
        });
        const printed = await ask(mandate.reference, { theme: 'logement' });
        assert.deepEqual([printed.json['valid'], printed.json['reference']], [true, mandate.reference]);
        assert.equal((await ask(ref, { theme: 'famille' })).json['valid'], false, 'a theme that it has not');
        const entries = (await entriesSince(world, from)).filter(({ type }) => type === 'mandate.checked');
        assert.deepEqual(
          entries.map((each) => [each.usager, each.mandate, each.service, each.theme, (each.detail as { valid: boolean }).valid]),
          [
            [mandate.usagerId, mandate.id, service.id, 'logement', true],
            [mandate.usagerId, mandate.id, service.id, 'logement', true],
            [mandate.usagerId, mandate.id, service.id, 'famille', false],
          ],
        );
        const colette = new Walker();
        await signInUsager(colette, world.places, 'colette');
        const page = textOf(await colette.open(`${world.places.relais}/usager`));
        assert.ok(/Service verifie a vérifié votre mandat avec la mairie de Thénac\. Il était valable le/.test(page), 'she reads it');
      },
    );

    test(title('T5 a mandate holds from the instant of its start up to, and not at, the instant of its end, whichever end it was'), on, async () => {
      const { mandate, ref } = await used(['logement', 'famille'], 1);
      const [start, end] = [mandate.startsAt.getTime(), mandate.endsAt.getTime()];
      world.advance(60_000);
      assert.deepEqual([await holds(ref, start - 1), await holds(ref, start)], [false, true]);
      const future = await ask(ref, { theme: 'logement', at: new Date(Date.now() + 6000).toISOString() });
      assert.deepEqual([future.status, future.json['code']], [400, 'time_in_future']);
      await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id, 'famille');
      const [grant] = await world.sql("select ended_at from mandate_grant where mandate_id = $1 and theme = 'famille'", [mandate.id]);
      const stopped = Number(grant?.['ended_at']);
      assert.deepEqual(
        [await holds(ref, stopped - 1, 'famille'), await holds(ref, stopped, 'famille'), await holds(ref, stopped)],
        [true, false, true],
      );
      world.advance(end - Date.now() + 60_000);
      token = await tokenOf(service);
      assert.deepEqual([await holds(ref, end - 1), await holds(ref, end), await holds(ref, Date.now())], [true, false, false]);
      await world.app.site.mandates.expireOverdue();
      assert.deepEqual([await holds(ref, end - 1), await holds(ref, end)], [true, false], 'the job that writes it down changes nothing');
      karim = await signedInAidant(world);
      const again = await used();
      world.advance(2000);
      await world.app.site.mandates.revokeByUsager(again.mandate.usagerId, again.mandate.id);
      const [ended] = await world.sql('select ended_at from mandate where id = $1', [again.mandate.id]);
      const instant = Number(ended?.['ended_at']);
      assert.deepEqual([await holds(again.ref, instant - 1), await holds(again.ref, instant)], [true, false]);
      const no = await ask(again.ref, { theme: 'logement' });
      assert.deepEqual([no.json['valid'], no.json['consent'], /revo|arr|reason/.test(no.text)], [false, undefined, false], 'no more than no');
    });

    test(title('M21 a mandate that an administration stopped at its services holds there until that instant, and elsewhere on'), on, async () => {
      const { mandate, ref } = await used();
      world.advance(2000);
      const before = Date.now();
      world.advance(2000);
      const [administration] = await world.sql(
        'select a.id, a.name from administration a join service s on s.administration_id = a.id where s.id = $1',
        [service.id],
      );
      const [nora] = await world.app.aidants.findByEmail('agent', 'nora@demonstration.example');
      await world.app.site.barring.bar({ staffId: nora?.id ?? '', administration: administration as never }, mandate.id, 'dossier 12');
      assert.deepEqual([await holds(ref, before), await holds(ref, Date.now())], [true, false]);
      await assert.rejects(world.sql("update mandate set barred_at = array['2020-01-01'::timestamptz] where id = $1", [mandate.id]), /written once/);
    });

    test(title('M1 P19 another’s mandate answers as one that does not exist: same status, body, statements and lines'), on, async () => {
      const { mandate, ref } = await used();
      const elsewhere = await tokenOf(other);
      const never = await agreed(world, 'jean', ['logement']);
      const told = async (id: string, theme = 'logement') => {
        const from = { entries: await mark(world), security: world.logged.length };
        const before = statements.total();
        const answer = await ask(id, { theme }, elsewhere);
        const cost = statements.total() - before;
        const written = (await entriesSince(world, from.entries)).filter(({ type }) => type === 'mandate.checked').length;
        return { status: answer.status, body: answer.text, cost, written, lines: securitySince(world, from.security).length };
      };
      await told(UNKNOWN); // what is kept for a second
      const unknown = await told(UNKNOWN);
      assert.deepEqual([unknown.status, unknown.written], [404, 0]);
      for (const id of [ref, mandate.reference, never.reference, 'M-0000-0000']) assert.deepEqual(await told(id), unknown, id);
    });

    test(title('P13 P21 what is asked wrongly is refused with its code: token, scope, theme, instant, name, and too often'), on, async () => {
      const { ref } = await used();
      const { tokens } = await delegatedTokens(world, karim, service, 'Colette Martin');
      for (const [wrong, status, says] of [
        ['x', 401, 'Bearer error="invalid_token"'],
        ['', 401, 'Bearer'],
        [tokens.access_token, 403, 'Bearer error="insufficient_scope", scope="mandates:check"'],
        [await tokenOf(service, 'actions:write'), 403, 'Bearer error="insufficient_scope", scope="mandates:check"'],
      ] as const) {
        const answer = await ask(ref, { theme: 'logement' }, wrong);
        assert.deepEqual([answer.status, answer.headers.get('www-authenticate')?.startsWith(says)], [status, true], answer.text);
      }
      for (const [id, query] of [
        [ref, {}],
        [ref, { theme: 'virements' }],
        [ref, 'theme=logement&theme=famille'],
        [ref, { theme: 'logement', at: '2026-11-21' }],
        [ref, { theme: 'logement', at: '2026-11-21T10:00:00' }],
        [ref, { theme: 'logement', at: '2026-13-41T10:00:00Z' }],
        [ref, { theme: 'logement', demarche: "x' or true" }],
        [ref, 'theme=logement&__proto__=x&at=%00'],
        [`${ref}x`, { theme: 'logement' }],
        ['M-1', { theme: 'logement' }],
        ['a/../b', { theme: 'logement' }],
      ] as const) {
        const answer = await ask(id, query);
        assert.deepEqual([answer.status, answer.json['code']], [400, 'validity_malformed'], `${id} ${JSON.stringify(query)}`);
      }
      let last = 0;
      for (let i = 0; i < 125 && last !== 429; i++) last = (await ask(UNKNOWN, { theme: 'logement' })).status;
      assert.equal(last, 429);
      assert.equal((await ask(ref, { theme: 'logement' }, await tokenOf(other))).status, 404, 'nobody else pays');
    });
  });
