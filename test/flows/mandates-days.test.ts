import { after, before, describe } from 'node:test';
import { prepareMandate, signInUsager, signMandate } from '../../src/practice/story.ts';
import { formOf, type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { introspectAt } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

/** Days on which a mandate is made, and what must then be shown and enforced; the hour changes in between. Time only goes forward. */
const DAYS = [
  {
    made: '2027-02-26T23:30:00+01:00',
    days: '31',
    says: '28 mars 2027',
    validTo: '2027-03-29T00:00:00+02:00',
    end: '2027-03-28T22:00:00Z',
    why: 'the last day is the one on which the clocks go forward',
  },
  {
    made: '2027-10-01T12:00:00+02:00',
    days: '31',
    says: '31 octobre 2027',
    validTo: '2027-11-01T00:00:00+01:00',
    end: '2027-10-31T23:00:00Z',
    why: 'the last day is the one on which the clocks go back',
  },
  {
    made: '2028-03-26T00:10:00+01:00',
    days: '1',
    says: '26 mars 2028',
    validTo: '2028-03-27T00:00:00+02:00',
    end: '2028-03-26T22:00:00Z',
    why: 'twenty-three hours',
  },
  {
    made: '2028-10-29T00:10:00+02:00',
    days: '1',
    says: '29 octobre 2028',
    validTo: '2028-10-30T00:00:00+01:00',
    end: '2028-10-29T23:00:00Z',
    why: 'twenty-five hours',
  },
  {
    made: '2032-02-29T08:00:00+01:00',
    days: '365',
    says: '27 février 2033',
    validTo: '2033-02-28T00:00:00+01:00',
    end: '2033-02-27T23:00:00Z',
    why: 'a year from a leap day',
  },
] as const;

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let service: TestService;
    before(async () => {
      world = await openWorld(kind);
      service = await world.service('days-service');
    });
    after(() => world.close());
    const to = (instant: string | number): void => world.advance(new Date(instant).getTime() - Date.now());

    for (const { made, days, says, validTo, end, why } of DAYS)
      test(`the end that is shown is the end that is enforced: ${why} (${kind.kind})`, { database: kind.kind }, async () => {
        const shows = (page: Page, where: string): void => {
          const told = textOf(page).includes(says) || (days === '1' && /aujourd’hui/i.test(textOf(page)));
          assert.ok(told, `${where} says ${says}: ${textOf(page).slice(0, 900)}`);
        };
        to(made);
        const karim = await signedInAidant(world);
        const sign = await prepareMandate(karim, world.places, { person: 'colette', themes: ['logement'], days });
        shows(sign, 'the page that signs');
        shows(await karim.open(`${sign.url.href.replace('/signer', '/texte')}`), 'the text');
        karim.page = sign;
        const done = await signMandate(karim, world.places, 'Karim Benali', (places, name) => world.code(places, name));
        const id = /man_[a-z0-9]+/.exec(done.url.pathname)?.[0] ?? '';
        shows(await karim.open(`${world.places.relais}/aidant/mandats/${id}`), 'the mandate');
        shows(await karim.open(`${world.places.relais}/aidant`), 'the list');
        const usager = new Walker();
        shows(await signInUsager(usager, world.places, 'colette'), 'her own page');
        shows(await usager.open(`${world.places.relais}/usager/mandats/${id}`), 'her text');
        const [row = {}] = await world.sql('select ends_at from mandate where id = $1', [id]);
        assert.equal((row['ends_at'] as Date).toISOString(), new Date(end).toISOString());

        to(Date.parse(end) - 60_000);
        const last = await signedInAidant(world);
        to(Date.parse(end) - 2_000);
        const { tokens, claims } = await delegatedTokens(world, last, service, 'Colette Martin');
        const [detail] = (claims?.['authorization_details'] ?? []) as { valid_to: string }[];
        assert.equal(detail?.valid_to, validTo);
        to(Date.parse(end) - 1);
        assert.ok((await introspectAt(world, service, tokens.access_token)).active, 'until the last millisecond');
        to(end);
        assert.deepEqual(await introspectAt(world, service, tokens.access_token), { active: false }, 'at midnight it is over');
        const home = await last.open(`${world.places.relais}/aidant`);
        assert.ok(formOf(home, 'sign-out') && !textOf(home).includes('Colette Martin'));
      });
  });
