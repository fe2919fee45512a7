import { after, before, describe } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import * as client from 'openid-client';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { openApi } from '../../src/web/api/openapi.ts';
import { agreed, inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { actionEvent, get, report, sessionOf } from '../support/protocol.ts';
import { routesOf } from '../support/routes.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

type Json = Readonly<Record<string, unknown>>;
const document = openApi({ publicUrl: 'https://relais.example', issuer: 'https://relais.example/oidc' }) as unknown as {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
};
interface Content {
  readonly schema: Json;
  readonly example?: unknown;
  readonly examples?: Record<string, { value: unknown }>;
}
interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Record<string, Content> };
  readonly responses: Record<string, { readonly description: string; readonly content: Record<string, Content> }>;
}

/** Known to the gateway alone (docs/operate.md), and the document itself. */
const APART = ['POST /api/v1/sms/replies', 'POST /api/v1/sms/receipts', 'GET /api/v1/openapi.json'];

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'doc', ...(document as object) });
const faultsOf = (schema: Json, value: unknown): unknown => {
  const check = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"doc#/')) as Json);
  return check(value) ? [] : check.errors;
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test('the document of the API is OpenAPI 3.1, and each example is what its schema says', async () => {
  const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(document)) as Record<string, unknown>);
  assert.deepEqual([valid, errors], [true, undefined]);
  let examples = 0;
  for (const { operation } of operations) {
    const contents = [operation.requestBody?.content, ...Object.values(operation.responses).map(({ content }) => content)];
    for (const content of contents.flatMap((each) => Object.values(each ?? {})))
      for (const value of [...('example' in content ? [content.example] : []), ...Object.values(content.examples ?? {}).map((each) => each.value)]) {
        assert.deepEqual(faultsOf(content.schema, value), [], `${operation.operationId}: ${JSON.stringify(value)}`);
        examples++;
      }
  }
  assert.ok(examples > 40, String(examples));
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
});

describe('the API as it is', () => {
  let world: World;
  before(async () => {
    const [kind] = databases();
    if (!kind) throw new Error('no database');
    world = await openWorld(kind);
    inTheMorning(world);
  });
  after(() => world.close());

  test('the document names every route of the API, and no other', { database: 'pglite' }, () => {
    const served = routesOf(world)
      .filter(({ path, method }) => path.startsWith('/api/v1/') && method !== 'HEAD')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
      .filter((each) => !APART.includes(each));
    assert.deepEqual(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort(), [...new Set(served)].sort());
  });

  test('real answers are what the document says of them', { database: 'pglite' }, async () => {
    const own = (await get(`${world.places.relais}/api/v1/openapi.json`)).json as unknown as typeof document;
    assert.deepEqual(own.paths, JSON.parse(JSON.stringify(document.paths)));
    const service = await world.service('documented');
    await agreed(world, 'colette', ['logement']);
    const { tokens, claims } = await delegatedTokens(world, await signedInAidant(world), service, 'Colette Martin');
    await world.app.flushJournal();
    const fits = async (path: string, method: string, answer: { status: number; headers: Headers; text: string }): Promise<void> => {
      const said = document.paths[path]?.[method]?.responses[String(answer.status)];
      const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
      const content = said?.content[type];
      assert.ok(content, `${method} ${path} ${answer.status} ${type} is in the document`);
      assert.deepEqual(
        faultsOf(content.schema, type.endsWith('json') ? JSON.parse(answer.text) : answer.text),
        [],
        `${path} ${answer.text.slice(0, 300)}`,
      );
    };
    const url = (path: string): string => world.places.relais + path;
    const bearer = { authorization: `Bearer ${tokens.access_token}` };
    const event = actionEvent(service.id, sessionOf(claims));
    const acts = '/api/v1/actions';
    for (const [body, headers] of [
      [event, bearer],
      [[event, { ...event, id: 'evt-other', data: { ...(event['data'] as object), demarche: 'unknown.one' } }], bearer],
      [{ ...event, extra: 1 }, bearer],
      [event, {}],
      [{ ...event, time: new Date(Date.now() - 86_400_000).toISOString() }, bearer],
    ] as const)
      await fits(acts, 'post', await report(url(acts), body, headers));
    await world.sql("update demarche set level = 'eidas2' where service_id = 'documented'");
    const higher = await report(url(acts), { ...event, id: 'evt-higher' }, bearer);
    assert.equal(higher.json['acr_values'], 'urn:relais:acr:delegated:eidas2', higher.text);
    await fits(acts, 'post', higher);
    const asked = await client.clientCredentialsGrant(service.config, { scope: 'mandates:check' });
    const validity = '/api/v1/mandates/{ref}/validity';
    const detail = ((claims?.['authorization_details'] ?? []) as { identifier?: string }[])[0];
    for (const [reference, theme, token] of [
      [detail?.identifier ?? '', 'logement', asked.access_token],
      ['M-2222-2222', 'logement', asked.access_token],
      ['x', 'logement', asked.access_token],
      ['M-2222-2222', 'logement', 'nothing'],
    ] as const) {
      const at = `${url(validity.replace('{ref}', encodeURIComponent(reference)))}?theme=${theme}`;
      await fits(validity, 'get', await get(at, { authorization: `Bearer ${token}` }));
      await fits(validity, 'get', await get(at, { authorization: `Bearer ${token}`, accept: 'application/jwt' }));
    }
    const colette = new Walker();
    await signInUsager(colette, world.places, 'colette');
    const mine = url('/api/v1/journal/me');
    const cookie = colette.cookieHeader(new URL(mine));
    await fits('/api/v1/journal/me', 'get', await get(mine, { cookie }));
    await fits('/api/v1/journal/me', 'get', await get(`${mine}?limit=no`, { cookie }));
    await fits('/api/v1/journal/me', 'get', await get(mine));
    await fits('/api/v1/journal/org', 'get', await get(url('/api/v1/journal/org')));
    await fits('/api/v1/journal/erasures', 'get', await get(url('/api/v1/journal/erasures')));
    await fits('/api/v1/journal/erasures', 'get', await get(url('/api/v1/journal/erasures?before=x')));
    await fits('/api/v1/journal/proof/{index}', 'get', await get(url('/api/v1/journal/proof/1')));
    await fits('/api/v1/journal/proof/{index}', 'get', await get(url('/api/v1/journal/proof/99999999')));
    await fits('/api/v1/journal/consistency', 'get', await get(url('/api/v1/journal/consistency?from=1&to=2')));
    await fits('/api/v1/journal/consistency', 'get', await get(url('/api/v1/journal/consistency')));
  });
});
