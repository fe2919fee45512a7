import type { App } from '../../src/app.ts';
import type { UsagerId } from '../../src/kernel/ids.ts';
import type { Days } from '../../src/mandates/mandate.ts';
import type { AcceptFactor } from '../../src/mandates/mandates.ts';
import { createPaperConsents, type PaperConsents } from '../../src/mandates/paper-consents.ts';
import type { Theme } from '../../src/organisations/theme.ts';
import { createMandateStore } from '../../src/persistence/mandates.ts';
import { paperConsentStore } from '../../src/persistence/paper-consents.ts';
import { createUsagerStore } from '../../src/persistence/usagers.ts';
import type { CivilIdentity } from '../../src/usagers/usager.ts';
import { mandatesOf, type Who } from './acting.ts';
import type { World } from './world.ts';

/** The real use cases of paper over an instance, but for the second factor, which is taken as given: codes come one in thirty seconds. */
export const papersOf = (
  app: App,
  world: World,
  database = world.database,
  acceptFactor: AcceptFactor = async () => ({ accepted: true, means: 'totp' }),
): PaperConsents =>
  createPaperConsents({
    transactions: database,
    store: paperConsentStore,
    usagerStore: createUsagerStore(),
    mandateStore: createMandateStore(),
    mandates: mandatesOf(app, world, database),
    journal: app.journal,
    clock: app.site.clock,
    acceptFactor,
  });

/** A person whom nobody knows yet, as she is typed from her identity card. */
export const typedPerson = (more: Partial<CivilIdentity> = {}): CivilIdentity => ({
  givenName: 'Odette Lucie',
  familyName: 'Bernard',
  preferredUsername: undefined,
  gender: 'female',
  birthdate: '1939-02-11',
  birthplace: '17415',
  birthcountry: '99100',
  email: undefined,
  ...more,
});

/** A sheet that waits for its witness. */
export const sheetFor = async (
  world: World,
  who: Who,
  person: UsagerId | CivilIdentity,
  themes: readonly Theme[] = ['logement'],
  days: Days = 31,
) => {
  const drafted = await mandatesOf(world.app, world).draft(who, themes, days);
  if ('refused' in drafted) throw new Error(drafted.refused);
  const done = await papersOf(world.app, world).ask(who, drafted.draft.id, person);
  if ('refused' in done) throw new Error(done.refused);
  return done.asked;
};
