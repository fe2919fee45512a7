import { whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { faults } from '../support/protocol.ts';
import { openWorld } from '../support/world.ts';

const kind = postgresOnly();
const TRIES = 40;

if (kind)
  test(`S10 of ${TRIES} wrong codes at once at two instances ten are looked at, then the person is locked, and told once; nobody else is (postgres)`, {
    database: 'postgres',
  }, async () => {
    const world = await openWorld(kind);
    try {
      const { app: other } = await world.secondInstance();
      const { aidantId } = await whoIs(world, 'ines');
      const karim = await whoIs(world);
      const instances = [world.app, other];
      const mails = async () => Number((await world.sql("select count(*)::int n from delivery where kind = 'mail'"))[0]?.['n']);
      const [before, right] = [await mails(), await world.code(world.places, 'Karim Benali')];
      const [his, ...hers] = await Promise.all([
        other.site.means.verifyCode(karim.aidantId, right, 'sign-in'),
        ...Array.from({ length: TRIES }, async (_, i) => instances[i % 2]?.site.means.verifyCode(aidantId, 'x', 'sign-in')),
      ]);
      assert.ok('accepted' in his, 'Karim signs in meanwhile');
      const said = hers.map((answer) => (answer && 'refused' in answer ? answer.refused : 'accepted')).toSorted();
      assert.deepEqual(
        said,
        Array.from({ length: TRIES }, (_, i) => (i < TRIES - 9 ? 'too_many_codes' : 'wrong_code')),
      );
      const [factor] = await world.sql('select locked_until > now() locked from totp where staff_id = $1', [aidantId]);
      assert.equal(factor?.['locked'], true);
      assert.equal(await mails(), before + 1, 'one mail, of the tenth');
      const late = await world.app.site.means.verifyCode(aidantId, await world.code(world.places, 'Inès Moreau'), 'sign-in');
      assert.equal('refused' in late && late.refused, 'too_many_codes', 'the right code, at the other instance');
      assert.deepEqual(await world.sql('select 1 from totp where locked_until is not null and staff_id <> $1', [aidantId]), []);
      assert.deepEqual(faults(world), []);
    } finally {
      await world.close();
    }
  });
