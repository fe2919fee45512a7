import { prepareMandate } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { faults, inEachWorld } from '../support/protocol.ts';
import { entriesOf, signedInAidant, type World } from '../support/world.ts';

const people = (world: World) => world.sql('select to_jsonb(u) row from usager u union all select to_jsonb(i) from usager_identity i order by 1');

inEachWorld(({ world, kind }) => {
  const on = { database: kind };

  test(
    'U8 a known account with another name, birth or gender is refused for review: nothing is merged, no mandate, and who to call is said',
    on,
    async () => {
      const it = world();
      const jean = await personOf(it, 'jean');
      const karim = await signedInAidant(it);
      const accents = await it.sql('update usager set given_name = upper(given_name) where id = $1 returning given_name', [jean]);
      assert.equal(accents.length, 1);
      const same = await prepareMandate(karim, it.places, { person: 'jean', themes: ['travail'], days: '1' });
      assert.match(same.url.pathname, /\/signer$/, 'capitals make nobody else');
      for (const change of ["birthplace = '17299'", "birthdate = '1940-01-01'", "family_name = 'Autre'", "gender = 'female'"]) {
        const [before] = await it.sql('select * from usager where id = $1', [jean]);
        await it.sql(`update usager set ${change} where id = $1`, [jean]);
        const [rows, drafts, drifted] = [await people(it), await it.sql('select count(*) from mandate'), await entriesOf(it, 'usager.drifted')];
        const page = await prepareMandate(karim, it.places, { person: 'jean', themes: ['travail'], days: '1' }).catch(() => karim.page);
        assert.match(page?.url.pathname ?? '', /\/refus$/, change);
        assert.match(textOf(page ?? same), /Cette identité a changé.*Appelez l’aide/, change);
        const alone = new Walker();
        const idp = await alone.open(`${it.places.relais}/connexion/franceconnect`);
        const refused = await alone.open(idp.url, { identity: 'jean' });
        assert.equal(refused.status, 403, 'nor her own space');
        assert.match(refused.html, /identity_drift/);
        assert.deepEqual(await people(it), rows, `${change}: no row is made or changed`);
        assert.deepEqual(await it.sql('select count(*) from mandate'), drafts);
        assert.equal(await entriesOf(it, 'usager.drifted'), drifted + 2);
        const [draft] = await it.sql('select usager_id, consented_at from mandate_draft order by created_at desc limit 1');
        assert.deepEqual([draft?.['usager_id'], draft?.['consented_at']], [null, null], 'no consent is kept');
        await it.sql('update usager set birthplace = $2, birthdate = $3, family_name = $4, gender = $5 where id = $1', [
          jean,
          before?.['birthplace'],
          before?.['birthdate'],
          before?.['family_name'],
          before?.['gender'],
        ]);
      }
      assert.deepEqual(faults(it), []);
    },
  );

  test('U9 an identity without birthplace, given name, gender or a whole birth date makes no row, and a plain page says so', on, async () => {
    const it = world();
    const rows = await people(it);
    const whole = { given_name: 'Zoé', family_name: 'Neuve', gender: 'female', birthdate: '1980-02-03', birthplace: '17299', birthcountry: '99100' };
    for (const [trait, value] of [
      ['birthplace', ''],
      ['birthplace', undefined],
      ['given_name', ''],
      ['given_name', ' \u200b '],
      ['family_name', undefined],
      ['gender', undefined],
      ['gender', 'unspecified'],
      ['birthdate', '1980'],
      ['birthdate', undefined],
      ['birthcountry', ''],
    ] as const) {
      const claims = { ...whole, [trait]: value };
      const found = await it.app.site.usagers.identify({ iss: 'https://fc.example', sub: `zoe ${trait} ${value}`, acr: 'eidas1', claims });
      assert.deepEqual(found, { refused: 'identity_incomplete' }, `${trait} ${value}`);
    }
    const karim = await signedInAidant(it);
    const page = await prepareMandate(karim, it.places, { person: 'incomplete', themes: ['travail'], days: '1' }).catch(() => karim.page);
    assert.match(page ? textOf(page) : '', /L’identité reçue est incomplète/);
    assert.deepEqual(await people(it), rows);
    const abroad = { ...whole, birthplace: '', birthcountry: '99134' };
    assert.ok(
      'usager' in (await it.app.site.usagers.identify({ iss: 'https://fc.example', sub: 'zoe', acr: 'eidas1', claims: abroad })),
      'born abroad',
    );
  });
});
