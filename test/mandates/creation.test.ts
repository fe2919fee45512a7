import { after, before, describe } from 'node:test';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { prepareMandate } from '../../src/practice/story.ts';
import { formOf } from '../../src/practice/walker.ts';
import { agreed, consented, entriesSince, inTheMorning, mandatesOf, mark, personOf, post, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases, openSecond, postgresOnly } from '../support/database.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

const activeGrants = (world: World, mandate: Pick<Mandate, 'organisationId' | 'usagerId'>) =>
  world.sql('select theme, mandate_id from mandate_grant where organisation_id = $1 and usager_id = $2 and ended_at is null order by theme', [
    mandate.organisationId,
    mandate.usagerId,
  ]);
const countOf = async (world: World, usager: string): Promise<number> =>
  Number((await world.sql('select count(*)::int n from mandate where usager_id = $1', [usager]))[0]?.['n']);

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    test(
      title('M16 the same recap signed twice, from two tabs, at once, and again after a time-out, makes one mandate and uses one code'),
      on,
      async () => {
        const karim = await signedInAidant(world);
        const colette = await personOf(world, 'colette');
        const page = await prepareMandate(karim, world.places, { person: 'colette', themes: ['logement'], days: '31' });
        const secondTab = await karim.open(page.url); // the same page in a second tab
        const forms = [formOf(page, 'mandate-sign'), formOf(secondTab, 'mandate-sign')];
        const code = await world.code(world.places, 'Karim Benali');
        const from = await mark(world);
        const used = await world.sql('select last_step from totp t join staff s on s.id = t.staff_id where s.email like $1', ['karim@%']);
        const answers = await Promise.all(
          [0, 1, 0, 1, 0, 1].map((i) => karim.ask(forms[i]?.action ?? '', { ...forms[i]?.fields, said_aloud: 'yes', code })),
        );
        const late = await karim.ask(forms[0]?.action ?? '', { ...forms[0]?.fields, said_aloud: 'yes', code }); // the answer was lost: sent again
        assert.deepEqual(
          [...answers, late].map((answer) => answer.status),
          Array.from({ length: 7 }, () => 303),
        );
        assert.equal(new Set([...answers, late].map((answer) => answer.headers.get('location'))).size, 1, 'all lead to the one mandate');
        assert.equal(await countOf(world, colette), 1);
        const entries = await entriesSince(world, from);
        const of = (type: string): number => entries.filter((entry) => entry.type === type).length;
        assert.deepEqual([of('mandate.created'), of('mandate.refused'), of('mandate.replaced'), of('factor.accepted')], [1, 0, 0, 1]);
        const [step] = await world.sql('select last_step from totp t join staff s on s.id = t.staff_id where s.email like $1', ['karim@%']);
        assert.ok(Number(step?.['last_step']) > Number(used[0]?.['last_step']), 'one code was used');
        const [draft] = await world.sql('select closed_at from mandate_draft where usager_id = $1', [colette]);
        assert.notEqual(draft?.['closed_at'], null);
      },
    );

    test(title('M16 the code typed for one recap does not sign another, and a refusal leaves it unused'), on, async () => {
      const who = await whoIs(world);
      const real = world.app.site.mandates;
      const jean = await personOf(world, 'jean');
      const first = await consented(world, real, who, jean, ['social']);
      const second = await consented(world, real, who, jean, ['travail']);
      world.advance(60_000);
      const code = await world.code(world.places, 'Karim Benali');
      assert.deepEqual(await real.accept(who, first.id, Buffer.alloc(32), code), { refused: 'usager_mismatch' });
      assert.ok('mandate' in (await real.accept(who, first.id, first.hash, code)));
      assert.deepEqual(await real.accept(who, second.id, second.hash, code), { refused: 'code_already_used' });
      assert.deepEqual(await world.sql("select 1 from mandate_grant where usager_id = $1 and theme = 'travail'", [jean]), []);
      const again = await real.accept(who, first.id, first.hash, '000000');
      assert.ok('mandate' in again && again.again, 'the same recap again needs no code: it is done');
    });

    test(
      title('a new mandate replaces the themes of the older one at the same instant, each replacement an entry; the rest of it lives on'),
      on,
      async () => {
        const older = await agreed(world, 'noms-longs', ['famille', 'logement', 'travail']);
        const service = await world.service(`replace-${kind.kind}`);
        const karim = await signedInAidant(world);
        const { tokens } = await delegatedTokens(world, karim, service, 'Vandenbroucke', 'openid dlg:logement');
        const from = await mark(world);
        const newer = await agreed(world, 'noms-longs', ['logement', 'famille'], 182);
        assert.deepEqual(
          await activeGrants(world, newer),
          [
            ...(await activeGrants(world, newer)).filter((row) => !['famille', 'logement', 'travail'].includes(String(row['theme']))),
            { theme: 'famille', mandate_id: newer.id },
            { theme: 'logement', mandate_id: newer.id },
            { theme: 'travail', mandate_id: older.id },
          ].sort((a, b) => (String(a['theme']) < String(b['theme']) ? -1 : 1)),
        );
        const ended = await world.sql(
          'select theme, ended_at, end_reason from mandate_grant where mandate_id = $1 and ended_at is not null order by theme',
          [older.id],
        );
        assert.deepEqual(ended, [
          { theme: 'famille', ended_at: newer.startsAt, end_reason: 'replaced' },
          { theme: 'logement', ended_at: newer.startsAt, end_reason: 'replaced' },
        ]);
        assert.deepEqual((await world.app.site.mandates.find(older.id))?.state, { kind: 'active' }, 'one theme is left: the older one lives');
        const entries = await entriesSince(world, from);
        assert.deepEqual(
          entries
            .filter((entry) => /mandate\.(replaced|created)|session\.ended/.test(entry.type))
            .map((entry) => [entry.type, entry.mandate, entry.theme]),
          [
            ['mandate.replaced', older.id, 'famille'],
            ['session.ended', older.id, 'logement'],
            ['mandate.replaced', older.id, 'logement'],
            ['mandate.created', newer.id, undefined],
          ],
        );
        const { introspectAt } = await import('../support/acting.ts');
        assert.deepEqual(await introspectAt(world, service, tokens.access_token), { active: false }, 'the session of the replaced grant has ended');
        const last = await agreed(world, 'noms-longs', ['travail']);
        const gone = (await world.app.site.mandates.find(older.id))?.state;
        assert.deepEqual(gone, { kind: 'ended', at: last.startsAt, reason: 'replaced' }, 'with its last theme it ends');
      },
    );

    test(title('the grant of another structure for the same theme is untouched'), on, async () => {
      const there = await whoIs(world, 'ines', 'Saintes');
      const theirs = await agreed(world, 'etranger', ['logement', 'famille'], 182, there);
      const before = await world.sql('select to_jsonb(g) row from mandate_grant g where mandate_id = $1 order by theme', [theirs.id]);
      const from = await mark(world);
      const ours = await agreed(world, 'etranger', ['logement']);
      assert.deepEqual(await world.sql('select to_jsonb(g) row from mandate_grant g where mandate_id = $1 order by theme', [theirs.id]), before);
      assert.deepEqual((await world.app.site.mandates.find(theirs.id))?.state, { kind: 'active' });
      assert.ok((await entriesSince(world, from)).every((entry) => entry.mandate === undefined || entry.mandate === ours.id));
      const stopped = await world.app.site.mandates.revokeByUsager(ours.usagerId, ours.id);
      assert.ok('mandate' in stopped);
      assert.deepEqual(await world.sql('select to_jsonb(g) row from mandate_grant g where mandate_id = $1 order by theme', [theirs.id]), before);
    });

    test(title('a mandate whose time is over is replaced as expired, even before the job has said so'), on, async () => {
      const old = await agreed(world, 'deux-structures', ['transports'], 1);
      world.advance(old.endsAt.getTime() - Date.now() + 1000);
      const fresh = await agreed(world, 'deux-structures', ['transports'], 31);
      assert.deepEqual(
        (await activeGrants(world, fresh)).filter((row) => row['theme'] === 'transports'),
        [{ theme: 'transports', mandate_id: fresh.id }],
      );
      const state = (await world.app.site.mandates.find(old.id))?.state;
      assert.ok(state?.kind === 'ended' && state.reason === 'expired');
    });

    test(title('a recap waits one hour, and its day: afterwards it signs nothing'), on, async () => {
      const who = await whoIs(world);
      const mandates = mandatesOf(world.app, world);
      const jean = await personOf(world, 'jean');
      const before = await countOf(world, jean);
      const late = await consented(world, mandates, who, jean, ['loisirs']);
      world.advance(3_600_000);
      assert.deepEqual(await mandates.accept(who, late.id, late.hash, ''), { refused: 'draft_expired' });
      const midnight = new Date();
      midnight.setUTCHours(22, 45, 0, 0); // before midnight in Paris in summer as in winter
      world.advance(midnight.getTime() + (midnight.getTime() < Date.now() ? 86_400_000 : 0) - Date.now());
      const evening = await consented(world, mandates, who, jean, ['loisirs'], 1);
      world.advance(1_800_000);
      const crossed = new Intl.DateTimeFormat('fr-FR', { timeZone: 'Europe/Paris', hour: 'numeric', hourCycle: 'h23' }).format(new Date());
      const answer = await mandates.accept(who, evening.id, evening.hash, '');
      // In winter 23:15 UTC is the next day in Paris: the text named another first day. In summer both are on the same side of midnight.
      assert.deepEqual('refused' in answer ? answer.refused : 'made', /^0/.test(crossed) && !/^01/.test(crossed) ? 'draft_expired' : 'made');
      assert.equal(await countOf(world, jean), before + ('refused' in answer ? 0 : 1));
    });
    void post;
  });

const kind = postgresOnly();
if (kind)
  describe('two instances', () => {
    let world: World;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    test('M16 the same recap signed at two instances at once is one mandate, with one code (postgres)', { database: 'postgres' }, async () => {
      const { app, origin } = await world.secondInstance();
      void app;
      const karim = await signedInAidant(world);
      const colette = await personOf(world, 'colette');
      for (let round = 0; round < 5; round++) {
        const page = await prepareMandate(karim, world.places, { person: 'colette', themes: ['logement'], days: '31' });
        const form = formOf(page, 'mandate-sign');
        const code = await world.code(world.places, 'Karim Benali');
        const from = await mark(world);
        const made = await countOf(world, colette);
        const answers = await Promise.all(
          [undefined, origin, undefined, origin].map((at) =>
            post(world, karim, form.action.pathname, { ...form.fields, said_aloud: 'yes', code }, at),
          ),
        );
        assert.deepEqual(
          answers.map((answer) => answer.status),
          [303, 303, 303, 303],
        );
        assert.equal(new Set(answers.map((answer) => answer.headers.get('location'))).size, 1);
        assert.equal(await countOf(world, colette), made + 1);
        const types = (await entriesSince(world, from)).map((entry) => entry.type);
        assert.deepEqual(
          [types.filter((type) => type === 'mandate.created').length, types.filter((type) => type === 'factor.accepted').length],
          [1, 1],
        );
      }
    });

    test('two recaps for the same themes, signed at once at two instances: one active grant a theme, the other replaced, both entries (postgres)', {
      database: 'postgres',
    }, async () => {
      const second = await openSecond(world.fresh.url ?? '');
      const { app } = await world.secondInstance();
      const here = mandatesOf(world.app, world);
      const there = mandatesOf(app, world, second);
      const who = await whoIs(world);
      const ines = await whoIs(world, 'ines', 'Thénac');
      const jean = await personOf(world, 'jean');
      for (let round = 0; round < 15; round++) {
        const one = await consented(world, here, who, jean, ['justice', 'papiers']);
        const two = await consented(world, there, ines, jean, ['papiers', 'justice', 'etranger']);
        const from = await mark(world);
        const answers = await Promise.all([here.accept(who, one.id, one.hash, ''), there.accept(ines, two.id, two.hash, '')]);
        const [first, other] = answers.map((answer) => ('mandate' in answer ? answer.mandate : undefined));
        assert.ok(first && other, JSON.stringify(answers));
        const grants = await world.sql(
          "select theme, count(*)::int n from mandate_grant where usager_id = $1 and ended_at is null and theme in ('justice', 'papiers', 'etranger') group by theme order by theme",
          [jean],
        );
        assert.deepEqual(grants, [
          { theme: 'etranger', n: 1 },
          { theme: 'justice', n: 1 },
          { theme: 'papiers', n: 1 },
        ]);
        const owners = await world.sql(
          "select distinct mandate_id from mandate_grant where usager_id = $1 and ended_at is null and theme in ('justice', 'papiers')",
          [jean],
        );
        assert.equal(owners.length, 1, 'both themes have one and the same owner');
        const winner = owners[0]?.['mandate_id'];
        const loser = [first.id, other.id].find((id) => id !== winner);
        const entries = await entriesSince(world, from);
        assert.deepEqual(
          entries
            .filter((entry) => entry.type === 'mandate.replaced' && entry.mandate === loser)
            .map((entry) => entry.theme)
            .sort(),
          ['justice', 'papiers'],
        );
        assert.equal(entries.filter((entry) => entry.type === 'mandate.created').length, 2);
      }
      await second.close();
    });
  });
