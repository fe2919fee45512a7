import { rows } from '../../src/persistence/database.ts';
import { assert, test } from '../support/check.ts';
import { as, desk } from '../support/desk.ts';
import { inEachWorld } from '../support/protocol.ts';
import { registrationOf, twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';

/** A second opérateur puts into force what they read, whatever the first does meanwhile. */
inEachWorld(({ world, kind }) => {
  test(`an approval puts into force what it was asked for, not what took its place since (${kind})`, { database: kind }, async () => {
    const it = world();
    const service = await it.service('as-read');
    const [alice] = await twoOperateurs(it);
    const ask = async (name: string) =>
      granted(await it.app.services.change({ ...(await registrationOf(it.app, service.id)), name }, { askedBy: alice })).approval;
    const named = async () => (await it.app.services.find(service.id))?.name;
    const was = await named();
    const read = await ask('Un nom lu');
    const other = await ask('Un nom que personne n’a lu');
    const marc = () => as(it, 'Marc Dubreuil');
    const refused = async (why: RegExp, ...args: readonly string[]): Promise<void> => {
      const done = await desk(it)(...args);
      assert.deepEqual([done.code !== 0, why.test(done.text)], [true, true], done.text);
      assert.equal(await named(), was);
    };
    await refused(/not_what_was_read/, 'approvals', 'approve', read.id, ...(await marc()));
    await refused(/not_what_was_read/, 'service', 'approve', service.id, '--fingerprint', read.hash.toString('hex'), ...(await marc()));
    await refused(/fingerprint_needed/, 'service', 'approve', service.id, ...(await marc()));
    await refused(/unknown_service/, 'service', 'approve', 'nobody', '--fingerprint', '0', ...(await marc()));
    const done = await desk(it)('service', 'approve', service.id, '--fingerprint', other.hash.toString('hex'), ...(await marc()));
    assert.equal(done.code, 0, done.text);
    assert.equal(await named(), 'Un nom que personne n’a lu');
    const nothing = await desk(it)('service', 'approve', service.id, '--fingerprint', '0'.repeat(64), ...(await marc()));
    assert.match(nothing.text, /not_pending/, 'asked before the code is, so that nothing that comes meanwhile is approved');
  });

  test(`what never changes of a service is read at its first approval, and stands in the database as it was read (${kind})`, {
    database: kind,
  }, async () => {
    const it = world();
    const service = await it.service('as-registered');
    const [alice, marc] = await twoOperateurs(it);
    const registration = await registrationOf(it.app, service.id);
    const { demarches: _, ...input } = registration;
    const first = granted(await it.app.services.add({ ...input, id: 'as-first', demarches: [] }, { askedBy: alice }));
    const shown = new Map(first.differences.map(({ what, becomes }) => [what, becomes]));
    assert.deepEqual(
      ['administration', 'profile', 'sector', 'minimum_consent'].map((what) => shown.get(what)),
      [registration.administrationId, 'standard', registration.sector, 'eidas1'],
    );
    // As whoever writes with the application's role would: the row is not what is read.
    await it.sql("update service set sector = 'autre' where id = 'as-first'");
    await assert.rejects(it.app.services.approve('as-first', marc), /what a second person approved/);
    await it.sql('update service set sector = $1 where id = $2', [registration.sector, 'as-first']);
    granted(await it.app.services.approve('as-first', marc));
    const status = (text: string) => it.database.run((tx) => rows(tx, { name: text, text, values: [] }));
    await it.app.services.disable('as-first', alice);
    await assert.rejects(status("update service set status = 'approved' where id = 'as-first'"), /what a second person approved/);
  });
});
