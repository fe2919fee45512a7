import type { App } from '../../src/app.ts';
import type { Registration, Service } from '../../src/services/service.ts';
import type { World } from './world.ts';

/** Two who may approve what the other asked. */
export const twoOperateurs = async (world: World): Promise<[string, string]> => {
  const [alice, marc] = await Promise.all(
    ['alice', 'marc'].map(async (id) => (await world.app.aidants.findByEmail('operateur', `${id}@demonstration.example`))[0]?.id ?? ''),
  );
  return [alice ?? '', marc ?? ''];
};

/** What a service has, as a change of it would begin. */
export const registrationOf = async (app: App, id: string): Promise<Registration> => {
  const {
    administrationName: _a,
    status: _s,
    version: _v,
    revision: _r,
    createdAt: _c,
    clientSecretHash: _h,
    formerSecret: _f,
    ...registration
  } = (await app.services.find(id)) as Service;
  return registration;
};
