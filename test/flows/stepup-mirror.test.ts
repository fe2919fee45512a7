import { confirmDelegation, signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { entriesSince, inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { registrationOf, twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import { mandateByPages, openWorld, signedInAidant } from '../support/world.ts';

for (const kind of databases())
  test(`P24 at the mirror service, a démarche that asks for a fresh sign-in explains, has the aidant sign in again, and opens (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const world = await openWorld(kind);
    t.after(() => world.close());
    inTheMorning(world);
    const [alice, marc] = await twoOperateurs(world);
    const now = await registrationOf(world.app, 'allocations');
    const demarches = now.demarches.map((each) => (each.code === 'allocations.aide-logement' ? { ...each, maxAge: 300 } : each));
    granted(await world.app.services.change({ ...now, demarches }, { askedBy: alice }));
    granted(await world.app.services.approve('allocations', marc));
    const karim = await signedInAidant(world);
    await mandateByPages(world, karim, 'colette', ['logement'], '1');
    const reported = async () => (await entriesSince(world, 0)).filter(({ type }) => type === 'action.reported');
    const live = () => world.sql('select id from delegated_session where ended_at is null');
    const home = world.places.allowances;
    const door = await karim.open(`${home}/connexion/aidant?theme=logement`);
    const inside = await confirmDelegation(karim, door, 'Colette Martin', `${home}/retour`);
    await karim.open(inside.url);
    const [first] = await live();
    world.advance(400_000);

    const page = await karim.open(`${home}/demarches/aide-logement`);
    const text = textOf(page);
    assert.deepEqual([page.status, /Connectez-vous de nouveau/.test(text), /Rien n’a été montré ni transmis/.test(text)], [403, true, true], text);
    const again = /href="([^"]*connexion\/aidant[^"]*)"/.exec(page.html)?.[1]?.replaceAll('&amp;', '&') ?? '';
    assert.equal(again, '/connexion/aidant?theme=logement&demarche=aide-logement');
    assert.equal((await reported()).length, 1, 'said once');

    const upstream = await karim.open(new URL(again, home));
    assert.equal(upstream.url.origin, new URL(world.places.proconnect).origin, 'a new sign-in, not the session that is there');
    const factor = await karim.open(upstream.url, { identity: 'karim' });
    assert.equal(factor.url.pathname, '/connexion/code');
    const back = await karim.send('second-factor', { code: await world.code(world.places, 'Karim Benali') });
    const done = await karim.open((await confirmDelegation(karim, back, 'Colette Martin', `${home}/retour`)).url);
    assert.deepEqual([done.url.pathname, done.status], ['/demarches/aide-logement', 200], textOf(done));
    const kept = await reported();
    assert.deepEqual(
      kept.map(({ detail }) => {
        const { outsideMandate, signInAgain } = detail as { outsideMandate?: boolean; signInAgain?: boolean };
        return [outsideMandate, signInAgain];
      }),
      [
        [false, true],
        [false, undefined],
      ],
    );
    const colette = new Walker();
    await signInUsager(colette, world.places, 'colette');
    const read = textOf(await colette.open(`${world.places.relais}/usager`));
    assert.ok(/Il fallait une nouvelle connexion/.test(read), 'she reads what was missing');
    assert.ok(!/Hors mandat/.test(read), 'her mandate allowed it');
    const alive = await live();
    assert.deepEqual([alive.length, alive[0]?.['id'] === first?.['id']], [1, false], 'the new session stands in the place of the former one');
  });
