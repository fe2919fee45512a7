import { after, before, describe } from 'node:test';
import { rows } from '../../src/persistence/database.ts';
import { signInStaff } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { csrfOf, inTheMorning, post } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { registrationOf, twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

const SITE = '/administration/sites/bati';
const WISH = { 'label-fr': 'votre demande d’aide', 'label-en': '', themes: 'logement', effect: 'declare', level: 'eidas1', 'max-age': '' };

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let sofia: Walker;
    let csrf: string;
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      await world.service('bati');
      sofia = new Walker();
      const to = '/administration/sites';
      await signInStaff(sofia, world.places, 'sofia', 'Sofia Marchand', `/connexion/proconnect?vers=${to}`, (places, who) => world.code(places, who));
      csrf = await csrfOf(world, sofia, to);
    });
    after(() => world.close());

    const propose = (fields: Record<string, string>, code = 'nouvelle') =>
      post(world, sofia, `${SITE}/demarches/${code}`, { _csrf: csrf, ...WISH, ...fields });
    const waiting = async (): Promise<string[] | undefined> =>
      (await world.app.services.waiting('bati'))?.revision.registration.demarches.map(({ code, labelFr }) => `${code} ${labelFr}`).sort();
    const inForce = async (): Promise<string[]> => ((await world.app.services.find('bati'))?.demarches ?? []).map(({ code }) => code).sort();
    const approve = async (): Promise<void> => {
      const [, marc] = await twoOperateurs(world);
      granted(await world.app.services.approve('bati', marc));
    };
    const seen = async (path = SITE): Promise<string> => textOf(await sofia.open(`${world.places.relais}${path}`));
    const kinds = async (): Promise<string[]> => {
      await world.app.flushJournal();
      return (await world.sql("select type from journal.projection where type like 'service.%' and service = 'bati' order by idx")).map(({ type }) =>
        String(type),
      );
    };

    test(title('a démarche proposed on a page waits for a second person, beside what waits already; nothing is in force before'), on, async () => {
      const before = await inForce();
      const done = await propose({ word: 'aide-neuve' });
      assert.deepEqual([done.status, done.headers.get('location')], [303, SITE]);
      assert.equal((await propose({ word: 'deuxieme', 'label-en': 'your second', level: 'eidas2', 'max-age': '300' })).status, 303);
      assert.deepEqual(await inForce(), before, 'in force as it was');
      const waits = (await waiting()) ?? [];
      assert.ok(waits.includes('bati.aide-neuve votre demande d’aide') && waits.includes('bati.deuxieme votre demande d’aide'), waits.join());
      const page = await seen();
      assert.ok(/Démarche bati\.deuxieme/.test(page) && /niveau eidas2, depuis 300 secondes au plus/.test(page), 'in the words of the page');
      const [staff] = await world.app.aidants.findByEmail('agent', 'sofia@demonstration.example');
      assert.deepEqual(await world.app.services.approve('bati', staff?.id ?? ''), { refused: 'same_person' });
      await approve();
      assert.deepEqual(await inForce(), [...before, 'bati.aide-neuve', 'bati.deuxieme'].sort());
      assert.deepEqual((await kinds()).slice(-3), ['service.change-asked', 'service.change-asked', 'service.approved']);
    });

    test(title('what an opérateur asked is not added to: nobody approves their own change under another’s name'), on, async () => {
      const [alice] = await twoOperateurs(world);
      const [staff] = await world.app.aidants.findByEmail('agent', 'sofia@demonstration.example');
      granted(await world.app.services.change({ ...(await registrationOf(world.app, 'bati')), name: 'Un autre nom' }, { askedBy: alice }));
      const waits = await world.app.services.waiting('bati');
      const page = await seen();
      assert.ok(/Demandé par un opérateur de Relais le/.test(page) && /Vous pourrez demander le vôtre/.test(page));
      const form = await sofia.ask(new URL(`${world.places.relais}${SITE}/demarches/nouvelle`));
      assert.deepEqual([form.status, form.headers.get('location')], [303, SITE]);
      assert.ok(!/Proposer une démarche|Nouvelles clés|Adresses de retour après connexion/.test(page), 'no form that would be refused');
      const done = await propose({ word: 'cheval-de-troie' });
      assert.deepEqual([done.status, /Un opérateur de Relais a demandé un changement/.test(await done.text())], [422, true]);
      const replaced = world.database.run(async (tx) => {
        const ask = (name: string, text: string) => rows(tx, { name, text, values: [] });
        await ask('replaced', "update service_revision set state = 'replaced', decided_at = now() where service_id = 'bati' and state = 'waiting'");
        await ask(
          'added',
          `insert into service_revision (service_id, number, registration, state, asked_by, asked_at)
            select service_id, number + 1, registration, 'waiting', '${staff?.id}', now() from service_revision where service_id = 'bati' order by number desc limit 1`,
        );
      });
      await assert.rejects(replaced, /approved or taken back first/, 'nor by SQL');
      assert.deepEqual((await world.app.services.waiting('bati'))?.hash, waits?.hash, 'what waits is what it was');
      assert.deepEqual(await world.app.services.approve('bati', alice), { refused: 'same_person' });
      await approve();
    });

    test(title('a démarche that is changed keeps its code and its effect; to ask for what is there changes nothing'), on, async () => {
      const path = `${SITE}/demarches/bati.aide-neuve`;
      assert.ok(/Déclarer \(ne change pas\)/.test(await seen(path)));
      const same = await propose({ 'label-en': 'votre demande d’aide' }, 'bati.aide-neuve');
      assert.deepEqual([same.status, /C’est déjà ce qui est déclaré/.test(await same.text())], [422, true]);
      assert.equal(await waiting(), undefined);
      assert.equal((await propose({ 'label-fr': 'votre aide', effect: 'change', word: 'autre' }, 'bati.aide-neuve')).status, 303);
      await approve();
      const known = (await world.app.services.find('bati'))?.demarches.find(({ code }) => code === 'bati.aide-neuve');
      assert.deepEqual([known?.labelFr, known?.effect], ['votre aide', 'declare']);
      assert.equal((await sofia.ask(new URL(`${world.places.relais}${SITE}/demarches/bati.inconnue`))).status, 404);
    });

    test(
      title('a démarche in force is retired by two people: until then it is done, afterwards it is declared no more and its code never comes back'),
      on,
      async () => {
        const before = await inForce();
        const retire = (code: string) => post(world, sofia, `${SITE}/demarches/${code}/retrait`, { _csrf: csrf });
        assert.match(await seen(`${SITE}/demarches/bati.deuxieme`), /son code ne sert plus jamais/);
        const done = await retire('bati.deuxieme');
        assert.deepEqual([done.status, done.headers.get('location')], [303, SITE]);
        assert.deepEqual(await inForce(), before, 'in force as it was');
        assert.match(await seen(), /bati\.deuxieme retrait demandé Modifier/);
        assert.equal((await retire('bati.deuxieme')).status, 303, 'twice is once');
        assert.ok(!((await waiting()) ?? []).some((each) => each.startsWith('bati.deuxieme')));
        assert.equal((await propose({ 'label-fr': 'votre seconde' }, 'bati.deuxieme')).status, 303, 'thought over: it stays, with other words');
        assert.ok(((await waiting()) ?? []).includes('bati.deuxieme votre seconde'));
        const both = await Promise.all([retire('bati.deuxieme'), retire('bati.deuxieme')]);
        assert.deepEqual(
          both.map(({ status }) => status),
          [303, 303],
          'two tabs at once are once',
        );
        assert.equal((await world.sql("select 1 from service_revision where service_id = 'bati' and state = 'waiting'")).length, 1);
        await propose({ word: 'a-venir' });
        assert.equal((await retire('bati.a-venir')).status, 422, 'not in force: what was asked is taken back');
        assert.ok(!/retire-form/.test(await (await sofia.ask(new URL(`${world.places.relais}${SITE}/demarches/bati.a-venir`))).text()));
        await approve();
        assert.deepEqual(await inForce(), [...before.filter((code) => code !== 'bati.deuxieme'), 'bati.a-venir'].sort());
        assert.equal((await propose({ word: 'deuxieme' })).status, 422);
        assert.equal(await waiting(), undefined, 'its code is not declared again');
      },
    );

    test(title('what is wrong with a démarche is said beside its field, what was typed is kept, and nothing is asked'), on, async () => {
      const before = await kinds();
      for (const [fields, says, keeps] of [
        [{ word: 'Aide !' }, /Écrivez un nom court/, 'Aide !'],
        [{ word: 'autre.aide' }, /Écrivez un nom court/, 'autre.aide'],
        [{ word: '' }, /Écrivez un nom court/, 'votre demande d’aide'],
        [{ word: 'aide-neuve' }, /a déjà ce nom/, 'aide-neuve'],
        [{ word: 'x', 'label-fr': '' }, /href="#label-fr">Écrivez un libellé/, 'value="x"'],
        [{ word: 'x', 'label-en': 'Неверно' }, /href="#label-en">Écrivez un libellé/, 'Неверно'],
        [{ word: 'x', 'label-fr': 'faire un virement' }, /ne se délègue jamais\. Ne déclarez pas/, 'faire un virement'],
        [{ word: 'x', themes: '' }, /Choisissez au moins une thématique de ce site/, 'value="x"'],
        [{ word: 'x', themes: 'justice' }, /Choisissez au moins une thématique de ce site/, 'value="x"'],
        [{ word: 'x', effect: 'sell' }, /Choisissez ce que fait la démarche/, 'value="x"'],
        [{ word: 'x', level: 'eidas3' }, /Choisissez un niveau/, 'value="x"'],
        [{ word: 'x', 'max-age': '59' }, /Écrivez un nombre de secondes/, 'value="59"'],
        [{ word: 'x', 'max-age': 'hier' }, /Écrivez un nombre de secondes/, 'value="hier"'],
      ] as const) {
        const refused = await propose(fields);
        const html = await refused.text();
        assert.deepEqual([refused.status, says.test(html), html.includes(keeps)], [422, true, true], JSON.stringify(fields));
      }
      assert.equal(await waiting(), undefined);
      assert.deepEqual(await kinds(), before);
    });

    test(title('what waits is taken back by one person, and can no longer be approved'), on, async () => {
      const before = await inForce();
      await propose({ word: 'retiree' });
      assert.equal((await post(world, sofia, `${SITE}/retirer`, { _csrf: csrf })).status, 303);
      assert.equal(await waiting(), undefined);
      const [, marc] = await twoOperateurs(world);
      assert.deepEqual(await world.app.services.approve('bati', marc), { refused: 'not_pending' });
      assert.equal((await post(world, sofia, `${SITE}/retirer`, { _csrf: csrf })).status, 303, 'twice is once');
      assert.deepEqual((await kinds()).filter((type) => type === 'service.change-withdrawn').length, 1);
      assert.deepEqual(await inForce(), before);
      assert.ok(!/Changement qui attend/.test(await seen()));
    });

    test(title('two démarches proposed at once both wait'), on, async () => {
      const answers = await Promise.all(['une', 'deux', 'trois'].map((word) => propose({ word })));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [303, 303, 303],
      );
      const waits = (await waiting()) ?? [];
      for (const word of ['une', 'deux', 'trois']) assert.ok(waits.includes(`bati.${word} votre demande d’aide`), `${word} in ${waits.join()}`);
      assert.equal((await world.sql("select 1 from service_revision where service_id = 'bati' and state = 'waiting'")).length, 1);
    });

    test(title('nothing is asked any more of a service out of use'), on, async () => {
      const [alice] = await twoOperateurs(world);
      granted(await world.app.services.disable('bati', alice));
      assert.equal((await propose({ word: 'tard' })).status, 404);
      const late = await post(world, sofia, `${SITE}/adresses`, { _csrf: csrf, redirect: 'https://bati.example/neuf', after: '' });
      assert.equal(late.status, 422);
      assert.equal(await waiting(), undefined);
      assert.ok(/Ce site est retiré/.test(await seen()));
    });
  });
