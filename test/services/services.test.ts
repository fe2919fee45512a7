import { registrationHash, secretMatches } from '../../src/services/service.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases } from '../support/database.ts';
import { allocations, enrol, granted, house, queued } from '../support/staff.ts';

const nora = { givenName: 'Nora', familyName: 'Lefèvre', email: 'nora@allocations.example', actor: 'cli' };

for (const kind of databases()) {
  test(`P19 of two administrations that ask for one sector at once, on ${kind.kind}, one has it`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const both = [
        granted(await it.administrations.add({ name: 'Caisse', actor: 'cli' })),
        granted(await it.administrations.add({ name: 'Mutuelle', actor: 'cli' })),
      ];
      for (let round = 0; round < 5; round++) {
        const asked = both.flatMap(({ administration }, i) =>
          [0, 1].map((n) => {
            const { demarches: _none, ...input } = allocations(administration.id);
            return it.services.add({ ...input, id: `race-${round}-${i}-${n}`, sector: `sector-${round}` }, { askedBy: 'opr_a' });
          }),
        );
        const refused = (await Promise.all(asked)).flatMap((answer) => ('refused' in answer ? [answer.refused] : []));
        assert.deepEqual(refused, ['sector_taken', 'sector_taken']);
      }
      const shared = await database.asOwner((query) =>
        query('select sector from service group by sector having count(distinct administration_id) > 1'),
      );
      assert.deepEqual(shared, []);
    } finally {
      await drop();
    }
  });

  test(`P13 an API is of one administration: no token of another's service is made out to it, on ${kind.kind}`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const API = 'https://api.allocations.example/v1';
      const [first, second] = [
        granted(await it.administrations.add({ name: 'Caisse', actor: 'cli' })).administration,
        granted(await it.administrations.add({ name: 'Mutuelle', actor: 'cli' })).administration,
      ];
      const wish = (id: string, administrationId: string, resources?: readonly string[]) => ({
        ...allocations(administrationId),
        id,
        demarches: [],
        ...(resources ? { resources } : {}),
      });
      const by = { askedBy: 'opr_a' };
      const taken = { refused: 'registration_invalid', faults: [{ field: 'resources[1]', code: 'resource_of_another' }] };
      const both = ['https://api.mutuelle.example', API];
      const held = () => database.asOwner((query) => query("select id from service where metadata->'resources' ? $1 order by id", [API]));
      // Asked by the other beforehand, and approved too late.
      granted(await it.services.add(wish('mutuelle', second.id), by));
      granted(await it.services.approve('mutuelle', 'opr_b'));
      granted(await it.services.change(wish('mutuelle', second.id, both), by));
      granted(await it.services.add(wish('allocations', first.id, [API]), by));
      assert.deepEqual(await it.services.approve('mutuelle', 'opr_b'), taken);
      assert.deepEqual(await it.services.change(wish('mutuelle', second.id, both), by), taken);
      assert.deepEqual(await it.services.add(wish('mutuelle-2', second.id, both), by), taken);
      const [own = ''] = both;
      assert.deepEqual(await it.services.add(wish('mutuelle-2', second.id, [own, `${API}/`]), by), taken, 'nor with a slash more');
      assert.deepEqual(await held(), [{ id: 'allocations' }]);
      granted(await it.services.add(wish('allocations-2', first.id, [API]), by));
      assert.deepEqual(await held(), [{ id: 'allocations' }, { id: 'allocations-2' }], 'two services of one administration may share it');
      const race = await Promise.all([first, second].map(({ id }, i) => it.services.add(wish(`race-${i}`, id, ['https://api.race.example']), by)));
      assert.equal(race.filter((answer) => 'refused' in answer).length, 1);
    } finally {
      await drop();
    }
  });

  test(`a service on ${kind.kind} is registered by one opérateur and put into force by another, exactly as registered`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const { administration } = granted(await it.administrations.add({ name: 'Caisse d’allocations', actor: 'cli' }));
      assert.deepEqual(await it.administrations.add({ name: 'caisse d’Allocations', actor: 'cli' }), { refused: 'name_known' });
      const input = allocations(administration.id);
      const invalid = await it.services.add({ ...input, redirectUris: [] }, { askedBy: 'opr_a' });
      assert.ok('refused' in invalid && invalid.refused === 'registration_invalid' && invalid.faults[0]?.code === 'redirect_missing');
      assert.deepEqual(await it.services.add({ ...input, administrationId: 'adm_00000000000000000000000000' }, { askedBy: 'opr_a' }), {
        refused: 'unknown_administration',
      });
      const made = granted(await it.services.add(input, { askedBy: 'opr_a' }));
      assert.deepEqual(await it.services.add(input, { askedBy: 'opr_a' }), { refused: 'service_known' });
      assert.match(made.clientSecret ?? '', /^[A-Za-z0-9_-]{43}$/);
      assert.ok(secretMatches(made.service, made.clientSecret ?? ''));
      assert.ok(!secretMatches(made.service, `${made.clientSecret}x`));
      const stored = await database.asOwner((query) => query('select * from service'));
      assert.ok(!JSON.stringify(stored).includes(made.clientSecret ?? 'x'));
      assert.deepEqual([made.service.status, made.service.version, made.service.administrationName], ['pending', 1, 'Caisse d’allocations']);
      assert.ok(made.clientSecret);
      const waits = await it.services.waiting('allocations');
      assert.deepEqual(waits?.hash, made.approval.hash);
      assert.deepEqual(waits && registrationHash(waits.revision.registration), made.approval.hash);
      assert.deepEqual(await it.services.approve('allocations', 'opr_a'), { refused: 'same_person' });
      assert.deepEqual(await it.services.approve('unknown', 'opr_b'), { refused: 'unknown_service' });
      // What was stored changes behind the back of the two people: the approval no longer fits.
      await database.asOwner((query) =>
        query(`update service_revision set registration = jsonb_set(registration, '{metadata,redirect_uris,0}', '"https://evil.example/"')`),
      );
      assert.deepEqual(await it.services.approve('allocations', 'opr_b'), { refused: 'hash_differs' });
      await database.asOwner((query) =>
        query(
          `update service_revision set registration = jsonb_set(registration, '{metadata,redirect_uris,0}', '"https://allocations.example/retour"')`,
        ),
      );
      const both = await Promise.all(['opr_b', 'opr_c'].map((by) => it.services.approve('allocations', by)));
      assert.equal(both.filter((answer) => 'service' in answer).length, 1);
      const service = await it.services.find('allocations');
      assert.deepEqual([service?.status, service?.version], ['approved', 2]);
      assert.deepEqual(service?.demarches, input.demarches);
      granted(await it.services.disable('allocations', 'opr_a'));
      assert.deepEqual(await it.services.disable('allocations', 'opr_a'), { refused: 'already_disabled' });
      assert.deepEqual(await it.services.approve('allocations', 'opr_b'), { refused: 'not_pending' });
      assert.equal((await it.services.find('allocations'))?.version, 3);
      assert.deepEqual(await queued(database), [
        'administration.added',
        'approval.asked',
        'service.added',
        'approval.refused',
        'approval.refused',
        'approval.given',
        'service.approved',
        'service.disabled',
      ]);
    } finally {
      await drop();
    }
  });

  test(`an agent on ${kind.kind} belongs to one administration, and enrols as everybody does`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const it = await house(database, clock);
      const { administration } = granted(await it.administrations.add({ name: 'Caisse', actor: 'cli' }));
      assert.deepEqual(await it.administrations.addAgent({ ...nora, administrationId: 'adm_x' }), { refused: 'unknown_administration' });
      const invitation = granted(await it.administrations.addAgent({ ...nora, administrationId: administration.id }));
      assert.deepEqual(await it.administrations.addAgent({ ...nora, administrationId: administration.id }), { refused: 'email_known' });
      assert.deepEqual(await it.aidants.standing(invitation.staff.id), { refused: 'invited_not_enrolled' });
      await enrol(it, invitation, 'nora', clock);
      const found = granted(await it.aidants.recognise('https://proconnect.test', 'nora'));
      assert.deepEqual(found.administration, { id: administration.id, name: 'Caisse', role: 'reader' });
      assert.deepEqual((await queued(database)).slice(0, 2), ['administration.added', 'agent.added']);
    } finally {
      await drop();
    }
  });
}
