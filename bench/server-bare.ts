import { createServer } from 'node:http';
import Provider, { type Adapter, type AdapterPayload, type Configuration } from 'oidc-provider';
import pg from 'pg';
import { makePrivateKeyPem, readPrivateKey, toJwk } from '../src/kernel/crypto.ts';
import { argument, serve } from './server.ts';

/** The library alone: one client, one confirmation page, its own in-memory adapter, or a naive one (JSON in one table) on PostgreSQL. */

const { databaseUrl } = argument<{ databaseUrl?: string }>();
const counts = { statements: 0, commits: 0 };
const pool = databaseUrl ? new pg.Pool({ connectionString: databaseUrl, max: 10 }) : undefined;

const query = async (text: string, values: unknown[], writes: boolean): Promise<Record<string, unknown>[]> => {
  counts.statements++;
  if (writes) counts.commits++;
  return (await pool?.query(text, values))?.rows ?? [];
};

/** What a first evening gives: one row an artefact, unnamed statements, `select *`. */
class NaiveAdapter implements Adapter {
  readonly model: string;
  constructor(model: string) {
    this.model = model;
  }
  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    await query(
      `insert into naive (model, id, payload, grant_id, uid, expires_at) values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')
        on conflict (model, id) do update set payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid, expires_at = excluded.expires_at`,
      [this.model, id, JSON.stringify(payload), payload.grantId ?? null, payload.uid ?? null, expiresIn ?? 3600],
      true,
    );
  }
  async #one(text: string, value: string): Promise<AdapterPayload | undefined> {
    const [found] = await query(text, [this.model, value], false);
    return found && { ...(found['payload'] as AdapterPayload), ...(found['consumed_at'] ? { consumed: true } : {}) };
  }
  find(id: string): Promise<AdapterPayload | undefined> {
    return this.#one('select * from naive where model = $1 and id = $2', id);
  }
  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#one('select * from naive where model = $1 and uid = $2', uid);
  }
  async findByUserCode(): Promise<undefined> {
    return undefined;
  }
  async consume(id: string): Promise<void> {
    await query('update naive set consumed_at = now() where model = $1 and id = $2', [this.model, id], true);
  }
  async destroy(id: string): Promise<void> {
    await query('delete from naive where model = $1 and id = $2', [this.model, id], true);
  }
  async revokeByGrantId(grantId: string): Promise<void> {
    await query('delete from naive where grant_id = $1', [grantId], true);
  }
}

await pool?.query(`create table if not exists naive (model text, id text, payload jsonb not null, grant_id text, uid text, consumed_at timestamptz,
  expires_at timestamptz, primary key (model, id)); create index if not exists naive_grant on naive (grant_id); create index if not exists naive_uid on naive (uid)`);

const REDIRECT = 'http://localhost:9/retour';
const key = { ...toJwk(readPrivateKey(makePrivateKeyPem('es256'))), alg: 'ES256', use: 'sig', kid: 'bench' };
const configuration: Configuration = {
  ...(pool ? { adapter: NaiveAdapter } : {}),
  jwks: { keys: [key] } as NonNullable<Configuration['jwks']>,
  clients: [
    {
      client_id: 'bench',
      client_secret: 'a secret that only this measure knows, long enough',
      redirect_uris: [REDIRECT],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  claims: { openid: ['sub'], given_name: ['given_name'], family_name: ['family_name'] },
  cookies: { keys: ['a key of this measure alone'] },
  features: { devInteractions: { enabled: false }, introspection: { enabled: true } },
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, given_name: 'Jean', family_name: 'Petit' }) }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  scopes: ['openid', 'given_name', 'family_name'],
  ttl: { AccessToken: 1800, AuthorizationCode: 60, Grant: 1800, IdToken: 300, Interaction: 1800, Session: 3600 },
};

const http = createServer();
http.listen(0, '127.0.0.1', () => {
  const address = http.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const provider = new Provider(origin, configuration);
  const handle = provider.callback();
  http.on('request', (request, response) => {
    if (!request.url?.startsWith('/interaction/')) {
      handle(request, response);
      return;
    }
    const answer = async (): Promise<void> => {
      const { uid, params, prompt } = await provider.interactionDetails(request, response);
      if (request.method === 'GET') {
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.end(
          `<!doctype html><html lang="fr"><title>Confirmer</title><form method="post" action="/interaction/${uid}"><p>${String(params['client_id'])} (${prompt.name})</p><button>Confirmer</button></form>`,
        );
        return;
      }
      request.resume();
      const grant = new provider.Grant({ accountId: 'jean', clientId: String(params['client_id']) });
      grant.addOIDCScope(String(params['scope']));
      const grantId = await grant.save();
      await provider.interactionFinished(
        request,
        response,
        { login: { accountId: 'jean' }, consent: { grantId } },
        { mergeWithLastSubmission: false },
      );
    };
    answer().catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  serve(
    origin,
    () => ({ ...counts }),
    {},
    async () => {
      await pool?.end();
    },
  );
});
