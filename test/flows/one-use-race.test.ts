import { before } from 'node:test';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { rows } from '../../src/persistence/database.ts';
import { begin, confirm, confirmation, csrfOf, introspectAt, mandatesOf, redeemAt, resume } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { oneUse } from '../support/one-use.ts';
import { faults, inEachWorld, sessionOf } from '../support/protocol.ts';
import { delegatedTokens, type World } from '../support/world.ts';

/** One use that goes on, asked ten times at once, beside its end, and by SQL. */
inEachWorld(({ world: of, kind }) => {
  let world: World;
  let house: Awaited<ReturnType<typeof oneUse>>;
  const on = { database: kind };

  before(async () => {
    world = of();
    house = await oneUse(world);
  });

  test('M8 of ten confirmations of the same use at two instances, one goes on; beside its end and its stop, none is left over', on, async () => {
    const { service, other, karim, once, signInAnew, sessions } = house;
    const live = async (mandate: Mandate): Promise<number> => (await sessions(mandate)).filter((row) => row['end_reason'] === null).length;
    const second = kind === 'postgres' ? (await world.secondInstance()).origin : world.places.relais;
    const mandate = await once('expiree');
    await delegatedTokens(world, karim, service, 'Émile Expiré');
    await signInAnew();
    const fields = confirmation(mandate, 'logement', await csrfOf(world, karim));
    const begun = [];
    for (let i = 0; i < 10; i++) begun.push(await begin(karim, i % 3 === 2 ? other : service));
    const answers = await Promise.all(begun.map((each, i) => confirm(world, karim, each, fields, i % 2 ? second : world.places.relais)));
    const went = answers.filter((answer) => answer.status === 303);
    assert.equal(went.length, 1, answers.map((answer) => answer.status).join());
    assert.deepEqual([(await sessions(mandate)).length, await live(mandate)], [2, 1]);
    const at = answers.indexOf(went[0] as Response);
    assert.notEqual(at % 3, 2, 'at the service where it was');
    const back = await resume(karim, went[0] as Response, service, at % 2 ? second : undefined);
    const { body } = await redeemAt(world, service, begun[at]?.request as never, back as URL);
    assert.ok((await introspectAt(world, service, body.access_token ?? '')).active);

    for (let round = 0; round < 3; round++) {
      await signInAnew();
      const one = await begin(karim, service);
      const again = confirmation(mandate, 'logement', await csrfOf(world, karim));
      const former = (await sessions(mandate)).at(-1)?.['id'] as never;
      const [answer] = await Promise.all([
        confirm(world, karim, one, again, second),
        round === 2 ? mandatesOf(world.app, world).revokeByUsager(mandate.usagerId, mandate.id) : undefined,
        round === 1 ? world.app.site.sessions.end({ id: former }, 'signed_out') : undefined,
      ]);
      await answer.body?.cancel();
      const left = await live(mandate);
      assert.ok(left <= 1 && (round < 2 || left === 0), `${round}: ${left}`);
      if (answer.status !== 303) assert.equal(answer.status, 410);
    }
    assert.deepEqual(faults(world), []);
  });

  test('M20 as the application’s role, one use is neither made twice, nor longer, nor passed to another browser', on, async () => {
    const { service, other, karim, once, sessions } = house;
    const mandate = await once('mauvais-theme');
    const { claims } = await delegatedTokens(world, karim, service, 'Thérèse Autrethème');
    const id = sessionOf(claims);
    const copy = (name: string, more: Readonly<Record<string, string>> = {}): string => {
      const { auth_time = "auth_time + interval '1 second'", expires_at = 'expires_at', service_id = 'service_id', ended = 'null, null' } = more;
      return `insert into delegated_session (id, grant_id, web_session, mandate_id, theme, aidant_id, organisation_id, usager_id, service_id, acr, aidant_acr, aidant_amr, auth_time,
          privileges, identifier, opened_event, opened_at, expires_at, ended_at, end_reason, demarches, single_use)
        select '${name}', '${name}', web_session, mandate_id, theme, aidant_id, organisation_id, usager_id, ${service_id}, acr, aidant_acr, aidant_amr, ${auth_time},
          privileges, identifier, opened_event, opened_at + interval '1 minute', ${expires_at}, ${ended}, demarches, single_use from delegated_session where id = '${id}'`;
    };
    const end = (by: string, reason = 'superseded'): string =>
      `update delegated_session set ended_at = now(), end_reason = '${reason}', continued_by = '${by}' where id = '${id}' and ended_at is null`;
    const forgeries: readonly (readonly [what: string, why: RegExp, ...statements: string[]])[] = [
      ['a second session', /delegated_session_once/, copy('dls_two')],
      ['one that nothing continues', /continued_by_fkey/, end('dls_none')],
      ['one that ended otherwise', /one_use_goes_on/, end('dls_two', 'signed_out'), copy('dls_two')],
      ['the same sign-in', /goes on as it was/, end('dls_two'), copy('dls_two', { auth_time: 'auth_time' })],
      ['a later end', /goes on as it was/, end('dls_two'), copy('dls_two', { expires_at: "expires_at + interval '1 second'" })],
      ['another service', /goes on as it was/, end('dls_two'), copy('dls_two', { service_id: `'${other.id}'` })],
      ['itself', /goes on as it was/, end(id)],
      [
        'one that is over, and a third',
        /goes on as it was|once/,
        end('dls_two'),
        copy('dls_two', { ended: "now(), 'superseded'" }),
        copy('dls_three'),
      ],
      ['two at once', /delegated_session_once/, end('dls_two'), copy('dls_two'), copy('dls_three')],
      ['another browser', /stays with its aidant/, `update delegated_session set web_session = '\\x00' where id = '${id}'`],
    ];
    const state = () => world.sql('select to_jsonb(d)::text d from delegated_session d order by id');
    const was = await state();
    for (const [what, why, ...statements] of forgeries)
      await assert.rejects(
        world.database.run(async (tx) => {
          for (const [at, text] of statements.entries())
            await rows(tx, { name: `forged-use-${what.replaceAll(/\W/g, '-')}-${at}`, text, values: [] });
        }),
        why,
        what,
      );
    assert.deepEqual(await state(), was);
    await world.app.site.sessions.end({ id: id as never }, 'signed_out');
    await assert.rejects(
      world.database.run(async (tx) => {
        await rows(tx, { name: 'forged-use-late', text: `update delegated_session set continued_by = 'dls_two' where id = '${id}'`, values: [] });
        await rows(tx, { name: 'forged-use-late-2', text: copy('dls_two'), values: [] });
      }),
      /one_use_goes_on|goes on as it was/,
    );
    assert.equal((await sessions(mandate)).length, 1);
  });
});
