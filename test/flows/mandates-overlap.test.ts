import { passFranceConnect, signInUsager, signMandate } from '../../src/practice/story.ts';
import { type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, backChannel, entriesSince, inesAt, inTheMorning, mandatesOf, mark, personOf, until, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type World } from '../support/world.ts';

/** Inès, at Saintes, prepares a mandate with a person, who signs in to FranceConnect. */
const signInToAgree = async (world: World, ines: Walker, person: string, themes: readonly string[]): Promise<Page> => {
  await ines.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await ines.send('mandate-themes', { themes });
  await ines.send('mandate-days', { days: '31' });
  return passFranceConnect(ines, await ines.send('mandate-consent'), person);
};

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  const consentedAt = async (draft: string) =>
    (await world().sql('select consented_at from mandate_draft where id = $1', [draft]))[0]?.['consented_at'];
  const grants = async (id: string) =>
    (await world().sql('select theme, end_reason from mandate_grant where mandate_id = $1 order by theme', [id])).map(
      (grant) => `${grant['theme']} ${grant['end_reason'] ?? 'lives'}`,
    );
  const draftOf = (page: Page): string => /name="draft" value="(dra_[a-z0-9]+)"/.exec(page.html)?.[1] ?? '';

  test(
    'M22 the person is asked, nothing is chosen for her, and there is no consent before she has answered; stopping ends the theme and tells its service',
    on,
    async () => {
      const it = world();
      inTheMorning(it);
      const channel = await backChannel();
      try {
        const service = await it.service('m22-service', { backchannelLogoutUri: `${channel.origin}/logout` });
        const karim = await signedInAidant(it);
        const other = await agreed(it, 'revoquee', ['logement', 'social']);
        await delegatedTokens(it, karim, service, other.usagerName.replace(/^\S+ /, ''));
        const ines = await inesAt(it, 'Saintes');
        const page = await signInToAgree(it, ines, 'revoquee', ['logement', 'papiers']);
        assert.equal(page.url.pathname, '/consentement/autres-mandats', textOf(page));
        assert.match(textOf(page), /Thénac, pour : Logement/);
        assert.doesNotMatch(textOf(page), /pour : Logement ; Santé|Social, santé/, 'only the themes in common');
        assert.doesNotMatch(page.html, / checked/);
        const draft = draftOf(page);
        const from = await mark(it);
        assert.equal(await consentedAt(draft), null);
        assert.match(
          (await ines.open(`${it.places.relais}/aidant/mandats/brouillon/${draft}/signer`)).url.pathname,
          new RegExp(`${draft}$`),
          'no way round',
        );
        await ines.open(`${it.places.relais}/consentement/autres-mandats`);
        const empty = await ines.send('other-mandates');
        assert.equal(empty.status, 422);
        assert.match(textOf(empty), /garder ou arrêter/);
        assert.equal(await consentedAt(draft), null);
        const signing = await ines.send('other-mandates', { [other.id]: 'stop' });
        assert.match(signing.url.pathname, /\/signer$/, textOf(signing));
        assert.deepEqual(await grants(other.id), ['logement revoked', 'social lives']);
        assert.ok(await consentedAt(draft));
        assert.ok(await until(() => channel.received.length === 1), 'the service is told');
        const entries = (await entriesSince(it, from)).filter(({ type }) => type === 'mandate.revoked' || type === 'mandate.consented');
        assert.deepEqual(
          entries.map(({ type, usager, mandate, detail }) => [type, usager, mandate, (detail as { by?: string }).by]),
          [
            ['mandate.revoked', other.usagerId, other.id, 'usager'],
            ['mandate.consented', other.usagerId, undefined, undefined],
          ],
        );
        const again = await ines.open(`${it.places.relais}/consentement/autres-mandats`);
        assert.equal(again.status, 410, 'answered once');
      } finally {
        await channel.close();
      }
    },
  );

  test('M22 what she keeps goes on, is written down, and her own page flags both with a way to stop either', on, async () => {
    const it = world();
    const other = await agreed(it, 'jean', ['transports']);
    const ines = await inesAt(it, 'Saintes');
    const from = await mark(it);
    await signInToAgree(it, ines, 'jean', ['transports']);
    const signing = await ines.send('other-mandates', { [other.id]: 'keep' });
    assert.match(signing.url.pathname, /\/signer$/);
    await signMandate(ines, it.places, 'Inès Moreau', (places, name) => it.code(places, name));
    assert.deepEqual(await grants(other.id), ['transports lives']);
    const consented = (await entriesSince(it, from)).find(({ type }) => type === 'mandate.consented');
    assert.equal((consented?.detail as { kept?: number } | undefined)?.kept, 1);
    const jean = new Walker();
    const home = await signInUsager(jean, it.places, 'jean');
    assert.equal(textOf(home).match(/Deux structures peuvent agir pour vous pour la même thématique : Transports/g)?.length, 2);
    assert.match(textOf(home), /Vous avez gardé un mandat avec une autre structure/);
    assert.ok(home.html.includes(`/usager/mandats/${other.id}/arreter`));
  });

  test(
    'M22 the database is asked again when she answers: a mandate given meanwhile is asked about too, and an old question is refused',
    on,
    async () => {
      const it = world();
      const who = await whoIs(it, 'ines', 'Saintes');
      const mandates = mandatesOf(it.app, it);
      const usager = await personOf(it, 'colette', {});
      const drafted = await mandates.draft(who, ['loisirs'], 31);
      assert.ok('draft' in drafted);
      const seen = await mandates.overlaps(drafted.draft, usager);
      const given = { method: 'franceconnect', acr: 'eidas1', evidence: Buffer.alloc(32) } as const;
      const late = await agreed(it, 'colette', ['loisirs']);
      const answers = new Map(seen.map(({ mandate }) => [mandate.id, 'keep'] as const));
      const refused = await mandates.consent(who, drafted.draft.id, usager, given, answers);
      assert.deepEqual(refused, { refused: 'overlap_unanswered' });
      assert.equal(await consentedAt(drafted.draft.id), null);
      const stop = await mandates.consent(who, drafted.draft.id, usager, given, answers.set(late.id, 'stop' as never));
      assert.ok('draft' in stop);
      assert.deepEqual(await grants(late.id), ['loisirs revoked']);
      const karim = await inesAt(it, 'Saintes');
      const mine = await agreed(it, 'colette', ['argent']);
      const page = await signInToAgree(it, karim, 'colette', ['argent']);
      it.advance(11 * 60_000);
      assert.equal((await karim.send('other-mandates', { [mine.id]: 'stop' })).status, 410);
      assert.equal(await consentedAt(draftOf(page)), null);
      assert.deepEqual(await grants(mine.id), ['argent lives']);
    },
  );
});
