import { join } from 'node:path';
import { createApp } from '../src/app.ts';
import type { Config } from '../src/config/config.ts';
import { makeMissingKeys, readKeys } from '../src/config/keys.ts';
import { startSignerWorker } from '../src/journal/signer-client.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { sha256 } from '../src/kernel/crypto.ts';
import type { AidantId, MandateId, OrganisationId, StaffId } from '../src/kernel/ids.ts';
import { Secret } from '../src/kernel/secret.ts';
import { createMandates } from '../src/mandates/mandates.ts';
import { openPostgres } from '../src/persistence/database.ts';
import { createMandateStore } from '../src/persistence/mandates.ts';
import { migrate } from '../src/persistence/migrate.ts';
import { ensureService, seed } from '../src/practice/seed.ts';
import { sealChoice } from '../src/web/hint.ts';
import { createRelying } from './relying.ts';
import { argument, serve } from './server.ts';

/** Relais on PostgreSQL, as `createApp` joins it: journal, sequencer, signer and jobs included. Its people come from the demonstration's seed. */

const { databaseUrl, folder, port } = argument<{ databaseUrl: string; folder: string; port: number }>();
const origin = `http://127.0.0.1:${port}`;
const clock = systemClock;
makeMissingKeys(join(folder, 'keys'));
const keys = readKeys(join(folder, 'keys'));
const upstream = (name: string) => ({ issuer: `http://127.0.0.1:9/${name}`, clientId: 'bench', clientSecret: new Secret('no federation is asked') });
const config: Config = {
  mode: 'demonstration',
  publicUrl: origin,
  issuer: `${origin}/oidc`,
  host: '127.0.0.1',
  port,
  databaseUrl,
  varFolder: folder,
  journalHost: 'localhost',
  signerSocket: undefined,
  proconnect: upstream('proconnect'),
  franceconnect: upstream('franceconnect'),
  smtpUrl: undefined,
  mailFrom: 'relais@demonstration.example',
  translations: [],
  helpNumber: '0 800 00 00 00',
  trustedProxies: [],
  allowLoopback: true,
  logLevel: 'warn',
  keys,
};
const database = await openPostgres(databaseUrl);
await migrate(database);
const app = await createApp({
  config,
  database,
  clock,
  log: (level, line) => {
    if (level !== 'info') console.error(JSON.stringify(line));
  },
  signer: (name) => startSignerWorker({ folder: join(folder, 'signer'), privateKeyPem: keys.pem('journal-ed25519').reveal(), origin: name }),
  sendMessage: async () => undefined,
});
const { site } = app;

const ID = 'bench';
let ready: { aidantId: StaffId; organisationId: OrganisationId; mandates: MandateId[]; secret: string } | undefined;

/** People, mandates and a service, once. */
const prepare = async (count: number): Promise<{ clientId: string; secret: string }> => {
  const mandatesNow = createMandates({
    transactions: database,
    store: createMandateStore(),
    attest: site.attestations.issue,
    journal: app.journal,
    clock,
    endSessions: async () => ({ ended: 0 }),
    acceptFactor: async () => ({ accepted: true, means: 'totp' }),
  });
  const issuers = { proconnect: config.proconnect.issuer, franceconnect: config.franceconnect.issuer };
  await seed({ app, clock, past: () => mandatesNow, issuers, franceconnectClient: 'bench' });
  const [karim] = (await app.aidants.list('aidant')).filter(({ staff, memberships }) => staff.givenName === 'Karim' && memberships.length);
  const organisationId = karim?.memberships[0]?.organisation.id;
  if (!karim || !organisationId) throw new Error('the seed has no aidant');
  const who = { aidantId: karim.staff.id as `aid_${string}`, organisationId };
  const mandates: MandateId[] = [];
  for (let i = 0; i < count; i++) {
    const claims = {
      sub: `bench-${i}`,
      given_name: `Personne ${'abcdefghijklmnopqrstuvwxyz'[i % 26]}`,
      family_name: `Mesure ${'abcdefghijklmnopqrstuvwxyz'[Math.floor(i / 26)]}`,
      gender: 'female',
      birthdate: `19${50 + (i % 40)}-01-15`,
      birthplace: '17444',
      birthcountry: '99100',
    };
    const identified = await site.usagers.identify({ iss: issuers.franceconnect, sub: claims.sub, acr: 'eidas1', claims });
    if ('refused' in identified) throw new Error(identified.refused);
    const drafted = await mandatesNow.draft(who, ['logement'], 31);
    if ('refused' in drafted) throw new Error(drafted.refused);
    const evidence = sha256('bench', String(i));
    const consented = await mandatesNow.consent(who, drafted.draft.id, identified.usager.id, { method: 'franceconnect', acr: 'eidas1', evidence });
    if ('refused' in consented) throw new Error(consented.refused);
    const accepted = await mandatesNow.accept(who, drafted.draft.id, consented.draft.consent?.textHash ?? Buffer.alloc(0), '');
    if ('refused' in accepted) throw new Error(accepted.refused);
    mandates.push(accepted.mandate.id);
  }
  const secret = await ensureService(
    app,
    {
      id: ID,
      name: 'Service de mesure',
      profile: 'standard',
      redirect_uris: ['http://localhost:9/retour'],
      post_logout_redirect_uris: ['http://localhost:9/bye'],
      backchannel_logout_uri: 'http://localhost:9/logout',
      backchannel_logout_session_required: true,
      initiate_login_uri: 'http://localhost:9/connexion',
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
      scopes: ['given_name', 'family_name'],
      themes: ['logement'],
      delegation_supported: true,
      demarches: [{ code: 'bench.logement', label_fr: 'votre demande', label_en: 'your request', themes: ['logement'], effect: 'declare' }],
    },
    'Allocations de démonstration',
    false,
  );
  ready = { aidantId: who.aidantId, organisationId, mandates, secret: secret ?? '' };
  return { clientId: ID, secret: ready.secret };
};

/** Browsers in which the aidant is signed in, each with the hint of one person: where a deep link from the aidant's space begins. */
const browsers = async (count: number): Promise<{ cookie: string; hint: string }[]> => {
  const people = ready;
  if (!people) throw new Error('prepare first');
  const made: { cookie: string; hint: string }[] = [];
  const lane = async (): Promise<void> => {
    while (made.length < count) {
      const mandateId = people.mandates[made.length % people.mandates.length];
      if (!mandateId) throw new Error('no mandate');
      const place = made.push({ cookie: '', hint: '' }) - 1;
      const session = await site.webSessions.renew(
        await site.webSessions.start({}),
        { kind: 'staff', staffId: people.aidantId, organisationId: people.organisationId },
        { signedIn: { acr: 'eidas1', amr: ['pwd', 'otp'], at: clock.now().getTime() } },
      );
      const hint = sealChoice(site.cookieKey.reveal(), session.hash, { mandateId, theme: 'logement' }, clock.now());
      made[place] = { cookie: `relais_session=${session.token}`, hint };
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return made;
};

/** The last mandate that was made is taken out: the other parts go on with theirs. */
const relying = createRelying(app, database, () => {
  const mandateId = ready?.mandates.pop();
  if (!ready || !mandateId) throw new Error('prepare first');
  return { aidantId: ready.aidantId as AidantId, organisationId: ready.organisationId, mandateId };
});

await app.http.listen({ host: '127.0.0.1', port });
serve(
  origin,
  () => ({ ...database.statistics }),
  { prepare, browsers, rely: relying.rely, revoke: relying.revoke, told: relying.told },
  async () => {
    await app.close();
    await database.close();
  },
);
