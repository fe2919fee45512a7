import type { Mandate } from '../../src/mandates/mandate.ts';
import { signInStaff } from '../../src/practice/story.ts';
import { agreed, begin, confirm, confirmation, csrfOf, inTheMorning } from './acting.ts';
import { assert } from './check.ts';
import { registrationOf, twoOperateurs } from './services.ts';
import { granted } from './staff.ts';
import { signedInAidant, type World } from './world.ts';

/** Karim, a service of which one démarche asks for a sign-in of five minutes, another service, and mandates for one use. */
export const oneUse = async (world: World) => {
  inTheMorning(world);
  const service = await world.service('une-fois');
  const other = await world.service('une-autre');
  const [alice, marc] = await twoOperateurs(world);
  const now = await registrationOf(world.app, service.id);
  const fresh = { code: `${service.id}.frais`, labelFr: 'votre dossier', labelEn: 'your file', themes: ['logement'], effect: 'declare', maxAge: 300 };
  granted(await world.app.services.change({ ...now, demarches: [...now.demarches, fresh] }, { askedBy: alice }));
  granted(await world.app.services.approve(service.id, marc));
  world.advance(1_500);
  const karim = await signedInAidant(world);

  const once = (person: string): Promise<Mandate> => agreed(world, person, ['logement'], 31, undefined, undefined, { singleUse: true });
  const signInAnew = async (): Promise<void> => {
    world.advance(60_000);
    await signInStaff(karim, world.places, 'karim', 'Karim Benali', '/connexion/proconnect?vers=/aidant', world.code);
  };
  /** The confirmation of a mandate of one use is refused. */
  const refused = async (mandate: Mandate, why: RegExp, at = service): Promise<void> => {
    const answer = await confirm(world, karim, await begin(karim, at), confirmation(mandate, 'logement', await csrfOf(world, karim)));
    assert.equal(answer.status, 410);
    assert.match(await answer.text(), why);
  };
  const sessions = (mandate: Mandate) =>
    world.sql('select id, end_reason, continued_by, expires_at from delegated_session where mandate_id = $1 order by opened_at', [mandate.id]);
  return { service, other, karim, once, signInAnew, refused, sessions };
};
