import type { App } from '../src/app.ts';
import type { AidantId, MandateId, OrganisationId } from '../src/kernel/ids.ts';
import type { Database } from '../src/persistence/database.ts';
import { ensureService } from '../src/practice/seed.ts';
import { sealChoice } from '../src/web/hint.ts';

/** Services that rely on one mandate, each with a session that is open, in the process that is measured. */

interface Who {
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly mandateId: MandateId;
}

export const API = 'https://api.bench.example';

const register = async (app: App, id: string, uri: string, resources: readonly string[] = []): Promise<string> => {
  const secret = await ensureService(
    app,
    {
      id,
      name: `Service ${id}`,
      profile: 'standard',
      redirect_uris: ['http://localhost:9/retour'],
      post_logout_redirect_uris: ['http://localhost:9/bye'],
      backchannel_logout_uri: uri,
      backchannel_logout_session_required: true,
      initiate_login_uri: 'http://localhost:9/connexion',
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
      scopes: ['given_name', 'family_name'],
      themes: ['logement'],
      delegation_supported: true,
      demarches: [{ code: `${id}.logement`, label_fr: 'votre demande', label_en: 'your request', themes: ['logement'], effect: 'read' }],
      ...(resources.length ? { resources } : {}),
    },
    'Allocations de démonstration',
    false,
  );
  return secret ?? '';
};

export const createRelying = (app: App, database: Database, next: () => Who) => {
  const { site } = app;
  let who: Who | undefined;

  const browser = async (of: Who) => {
    const session = await site.webSessions.renew(
      await site.webSessions.start({}),
      { kind: 'staff', staffId: of.aidantId, organisationId: of.organisationId },
      { signedIn: { acr: 'eidas1', amr: ['pwd', 'otp'], at: site.clock.now().getTime() } },
    );
    const hint = sealChoice(site.cookieKey.reveal(), session.hash, { mandateId: of.mandateId, theme: 'logement' }, site.clock.now());
    return { session, cookie: `relais_session=${session.token}`, hint };
  };

  return {
    /** Registers a service at each address, and opens a session there; two more services are given to the driver, to sign in by itself. */
    async rely({ addresses }: { addresses: readonly string[] }) {
      const of = next();
      who = of;
      for (const [i, address] of addresses.entries()) {
        const id = `bench-relying-${i}`;
        await register(app, id, `${address}/logout`);
        const { session } = await browser(of);
        const opened = await site.sessions.open({
          webSession: session.hash,
          aidantId: of.aidantId,
          organisationId: of.organisationId,
          aidantAcr: 'eidas1',
          aidantAmr: ['pwd', 'otp'],
          authTime: site.clock.now(),
          mandateId: of.mandateId,
          theme: 'logement',
          serviceId: id,
          asked: ['logement'],
        });
        if ('refused' in opened) throw new Error(`${id}: ${opened.refused}`);
      }
      const [first = ''] = addresses;
      const secrets = [await register(app, 'bench-asks', `${first}/asks`), await register(app, 'bench-verifies', `${first}/verifies`, [API])];
      const browsers = await Promise.all(secrets.map(() => browser(of)));
      return secrets.map((secret, i) => ({ secret, cookie: browsers[i]?.cookie ?? '', hint: browsers[i]?.hint ?? '' }));
    },
    /** Stops the mandate; returns when its commit was known to the process. */
    async revoke(): Promise<number> {
      if (!who) throw new Error('rely first');
      const mandate = await site.mandates.find(who.mandateId);
      if (!mandate) throw new Error('no mandate');
      const done = await site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      const at = Date.now();
      site.nudgeDeliveries();
      if ('refused' in done) throw new Error(String(done.refused));
      return at;
    },
    /** When each service acknowledged, in milliseconds since 1970; null for those that have not. */
    told: async (): Promise<(number | null)[]> =>
      (
        await database.asOwner((query) =>
          query("select acknowledged_at at from delivery where mandate_id = $1 and kind = 'logout' and reason = 'revoked'", [who?.mandateId]),
        )
      ).map(({ at }) => (at instanceof Date ? at.getTime() : null)),
  };
};
