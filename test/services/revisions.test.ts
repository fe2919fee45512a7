import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256, toJwk } from '../../src/kernel/crypto.ts';
import { run } from '../../src/persistence/database.ts';
import { differences } from '../../src/services/revision.ts';
import { type Registration, registrationHash, secretMatches } from '../../src/services/service.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases } from '../support/database.ts';
import { allocations, granted, house } from '../support/staff.ts';

for (const kind of databases()) {
  test(`a changed service on ${kind.kind} goes on as it is until somebody else approves the change, and then is what was asked`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const { administration } = granted(await it.administrations.add({ name: 'Caisse', actor: 'cli' }));
      const input = allocations(administration.id);
      const jwk = { ...toJwk(publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519')))), kid: 'k' };
      granted(await it.services.add({ ...input, jwks: { keys: [jwk] } }, { askedBy: 'opr_a' }));
      const approved = granted(await it.services.approve('allocations', 'opr_b'));
      assert.equal('service' in approved && approved.service.tokenEndpointAuthMethod, 'private_key_jwt');
      const before = await it.services.find('allocations');
      const next = { ...input, jwks: { keys: [jwk] }, themes: ['famille', 'social'], demarches: [] };
      assert.deepEqual(await it.services.change({ ...next, profile: 'fapi2' }, { askedBy: 'opr_b' }), { refused: 'immutable' });
      assert.deepEqual(await it.services.change({ ...next, id: 'other' }, { askedBy: 'opr_b' }), { refused: 'unknown_service' });
      granted(await it.services.change({ ...next, name: 'Autre nom' }, { askedBy: 'opr_a' }));
      const changed = granted(await it.services.change(next, { askedBy: 'opr_b' }));
      assert.equal(changed.clientSecret, undefined);
      assert.deepEqual(changed.replaced, { number: 2, askedBy: 'opr_a' }, 'whose place it takes is told');
      assert.deepEqual(await it.services.find('allocations'), before, 'nothing changed yet');
      assert.deepEqual(
        changed.differences.map(({ what, was, becomes }) => [what, was !== undefined, becomes !== undefined]),
        [
          ['démarche allocations.paiements', true, false],
          ['theme social', false, true],
        ],
      );
      assert.deepEqual(await it.services.approve('allocations', 'opr_b'), { refused: 'same_person' });
      const [one] = input.demarches;
      const high = { ...one, labelEn: 'your aid', level: 'eidas2', maxAge: 300 };
      const { level: _l, maxAge: _m, ...low } = { ...high, labelEn: 'your aid"; level eidas2; sign-in of 300 s at most' };
      const between = (a: object, b: object) =>
        differences({ ...changed.service, demarches: [a] } as Registration, { ...changed.service, demarches: [b] } as Registration).length;
      assert.deepEqual(
        [
          between(high, low),
          between({ ...high, labelEn: 'your aid' }, { ...low, labelEn: 'your aid; level eidas2; sign-in of 300 s at most' }),
          between(high, high),
        ],
        [1, 1, 0],
        'no label passes for a level',
      );
      const waits = await it.services.waiting('allocations');
      assert.deepEqual(await it.services.approve('allocations', 'opr_a', approved.service && registrationHash(approved.service)), {
        refused: 'hash_differs',
      });
      granted(await it.services.approve('allocations', 'opr_a', waits?.hash));
      const after = await it.services.find('allocations');
      assert.deepEqual(
        [after?.status, after?.version, after?.revision, after?.demarches, after?.themes, after?.name],
        ['approved', 3, 3, [], ['famille', 'social'], 'Allocations'],
      );
      assert.deepEqual(await it.approvals.list(), []);
      assert.deepEqual(
        (await it.services.revisions('allocations')).map(({ number, state }) => [number, state]),
        [
          [3, 'approved'],
          [2, 'replaced'],
          [1, 'approved'],
        ],
      );
      // P19: nobody else's sector, or two administrations would compare people.
      const { administration: other } = granted(await it.administrations.add({ name: 'Impôts', actor: 'cli' }));
      assert.deepEqual(
        await it.services.add({ ...input, id: 'impots', sector: 'allocations', administrationId: other.id, demarches: [] }, { askedBy: 'opr_a' }),
        { refused: 'sector_taken' },
      );
      assert.deepEqual(await it.services.add({ ...input, id: 'impots', demarches: [] }, { askedBy: 'opr_a', clientSecret: 'short' }), {
        refused: 'client_secret_weak',
      });
    } finally {
      await drop();
    }
  });

  test(`a code on ${kind.kind} means one thing for ever: its effect stays, and one that left stays readable and never comes back`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const { administration } = granted(await it.administrations.add({ name: 'Caisse', actor: 'cli' }));
      const input = allocations(administration.id);
      const [payments] = input.demarches;
      const made = granted(await it.services.add(input, { askedBy: 'opr_a' }));
      granted(await it.services.approve('allocations', 'opr_b'));
      const change = (demarches: object[]) => it.services.change({ ...input, demarches }, { askedBy: 'opr_a' });
      const codesOf = (answer: Awaited<ReturnType<typeof change>>): string[] => ('faults' in answer ? answer.faults.map(({ code }) => code) : []);
      assert.deepEqual(codesOf(await change([{ ...payments, effect: 'change' }])), ['demarche_effect_changed']);
      assert.deepEqual(codesOf(await change([payments ?? {}, { ...payments, code: 'allocations.virement' }])), ['demarche_never_delegable']);
      assert.deepEqual(codesOf(await change([{ ...payments, level: 'eidas3' }])), ['demarche_level']);
      assert.deepEqual(codesOf(await change([{ ...payments, maxAge: 5 }])), ['demarche_max_age']);
      assert.deepEqual((await it.services.revisions('allocations')).length, 1, 'nothing refused is kept');
      const asked = granted(await change([{ ...payments, labelFr: 'vos versements', level: 'eidas2', maxAge: 300 }]));
      assert.equal(asked.clientSecret, undefined, 'the secret stays what it was');
      granted(await it.services.approve('allocations', 'opr_b'));
      const now = await it.services.find('allocations');
      assert.deepEqual(now?.demarches, [{ ...payments, labelFr: 'vos versements', level: 'eidas2', maxAge: 300 }]);
      assert.ok(secretMatches(now, made.clientSecret ?? ''));
      granted(await change([]));
      granted(await it.services.approve('allocations', 'opr_b'));
      assert.deepEqual((await it.services.find('allocations'))?.demarches, []);
      assert.deepEqual(codesOf(await change([payments ?? {}])), ['demarche_code_retired']);
      const kept = await database.asOwner((query) => query('select code, label_fr, until is not null left from demarche'));
      assert.deepEqual(kept, [{ code: 'allocations.paiements', label_fr: 'vos versements', left: true }]);
      assert.equal((await it.services.revisions('allocations'))[2]?.registration.demarches[0]?.labelFr, 'vos paiements');
    } finally {
      await drop();
    }
  });

  test(`the role of the application on ${kind.kind} cannot put into force what nobody else approved, nor change what a code means`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const { administration } = granted(await it.administrations.add({ name: 'Caisse', actor: 'cli' }));
      const input = allocations(administration.id);
      granted(await it.services.add(input, { askedBy: 'opr_a' }));
      const refused = async (text: string): Promise<void> => {
        await assert.rejects(
          database.run(async (tx) => {
            await run(tx, { name: `t${sha256(text).toString('hex').slice(0, 20)}`, text, values: [] });
          }),
          /approved|decided|permission denied|taken back/,
          text,
        );
      };
      await refused("update service set status = 'approved'");
      await refused("update service set status = 'approved', revision = 1");
      await refused("update service_revision set state = 'approved', decided_at = now()");
      granted(await it.services.approve('allocations', 'opr_b'));
      await refused(`update service set metadata = jsonb_set(metadata, '{redirect_uris,0}', '"https://evil.example/"')`);
      await refused("update service_revision set registration = '{}'");
      await refused("update service_revision set state = 'waiting', decided_at = null");
      await refused("update demarche set effect = 'change'");
      await refused('delete from demarche');
      await refused(
        "insert into demarche (service_id, code, label_fr, label_en, themes, effect) values ('allocations', 'allocations.x', 'x', 'x', '{famille}', 'change')",
      );
      granted(await it.services.disable('allocations', 'opr_a'));
      await refused("update service set status = 'approved'");
      granted(await it.services.change(input, { askedBy: 'opr_a' }));
      assert.equal((await it.services.find('allocations'))?.status, 'disabled');
      granted(await it.services.approve('allocations', 'opr_b'));
      assert.equal((await it.services.find('allocations'))?.status, 'approved');
    } finally {
      await drop();
    }
  });
}
