import type { FastifyInstance } from 'fastify';
import { ACTION_TYPE, VERBS } from '../../actions/action.ts';
import { THEMES } from '../../organisations/theme.ts';
import { ACTIONS_SCOPE, MANDATES_SCOPE } from '../../provider/names.ts';
import type { Site } from '../site.ts';
import { problem } from './actions.ts';

/** The document of `/api/v1` for whoever integrates (OpenAPI 3.1.0). A test holds it against the routes, its examples and real answers against its schemas. */

type Schema = Readonly<Record<string, unknown>>;

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const object = (
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
  more: Schema = { additionalProperties: false },
): Schema => ({
  type: 'object',
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
  ...more,
});
const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });
const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const DIGEST = { pattern: '^[A-Za-z0-9_-]{43}$' };

const LEAF = 'cFhbQ0R2ZTg3bG9uZ2VyX3RoYW5fbmVlZGVkX2hlcmU';
const RECEIPT = { origin: 'journal.relais.example/0a1b2c3d', index: 48213, leaf: LEAF };
const EVENT = {
  specversion: '1.0',
  id: 'evt-2026-11-21-0001',
  source: 'https://allocations.example/aides',
  type: ACTION_TYPE,
  time: '2026-11-21T10:04:00+01:00',
  data: { session: 'dls_0123456789abcdefghjkmnpqrs', verb: 'send', demarche: 'allocations.logement', outcome: 'success', reference: 'AL-2026-118' },
};
const VALIDITY = {
  iss: 'https://relais.example/oidc',
  aud: 'allocations',
  iat: 1_795_255_440,
  jti: '5f7e0a3c-6f0b-4e0e-9d2c-0a1b2c3d4e5f',
  reference: 'M-7K2P-QX4D',
  theme: 'logement',
  at: '2026-11-20T09:30:00.000Z',
  valid: true,
  consent: { method: 'franceconnect', acr: 'eidas1' },
};

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Problem: object(
    {
      type: text('`urn:relais:problem:` and the code'),
      title: text('what happened'),
      status: { type: 'integer', minimum: 400, maximum: 599 },
      code: text('stable: what a program compares (docs/errors.md)'),
      detail: text('what to do, or which member is wrong'),
      receipt: ref('Receipt'),
      acr_values: text('the level to ask an authorization for (RFC 9470)'),
      max_age: { type: 'integer', minimum: 0, description: 'the age of sign-in to ask an authorization for, in seconds (RFC 9470)' },
    },
    ['receipt', 'acr_values', 'max_age'],
  ),
  Receipt: object({
    origin: text('name of the log'),
    index: count('of the entry in the log'),
    leaf: text('SHA-256(0x00 ‖ leaf bytes), base64url', DIGEST),
  }),
  Event: object(
    {
      specversion: { const: '1.0' },
      id: text('of this act, given by the service: the same again is the same act', { maxLength: 128, minLength: 1 }),
      source: text('a URI of the service', { maxLength: 200, minLength: 1 }),
      type: { const: ACTION_TYPE },
      time: text('when it was done, RFC 3339', { format: 'date-time' }),
      datacontenttype: text('`application/json`'),
      data: object(
        {
          session: text('`session` of `authorization_details`', { pattern: '^dls_[0-9a-z]+$' }),
          verb: { enum: [...VERBS] },
          demarche: text('of the catalogue of the service', { maxLength: 100, minLength: 1 }),
          outcome: { enum: ['success', 'failure'] },
          reference: text('what the person can quote to the service', { maxLength: 40, minLength: 1 }),
        },
        ['reference'],
      ),
    },
    ['datacontenttype'],
  ),
  BatchAnswer: object({
    events: {
      type: 'array',
      items: { oneOf: [object({ status: { const: 202 }, receipt: ref('Receipt') }), ref('Problem')] },
      description: 'an answer each, in the order sent',
    },
  }),
  Validity: object(
    {
      iss: text('issuer'),
      aud: text('the service that asked'),
      iat: count('when it was answered, seconds'),
      jti: text('of this answer'),
      reference: text('as it was asked'),
      theme: { enum: [...THEMES] },
      demarche: text('as it was asked'),
      at: text('the instant that was asked about', { format: 'date-time' }),
      valid: { type: 'boolean' },
      consent: object({ method: text('how the person consented'), acr: text('level of the consent') }),
    },
    ['demarche', 'consent'],
  ),
  Erasures: object(
    {
      erasures: { type: 'array', items: object({ index: count('of the entry'), leaf: text('its bytes, whole') }) },
      next: text('where older ones are'),
    },
    ['next'],
  ),
  Entry: object(
    {
      index: count('in the log'),
      type: text('kind of entry (docs/journal-entries.md)'),
      at: text('when', { format: 'date-time' }),
      event: text('identifier of the entry'),
      leaf: object({ hash: text('of the leaf', DIGEST), bytes: text('of the leaf') }),
      sealed: object({ subject: {}, actor: {} }),
      proof: text('where its proof of inclusion is'),
    },
    [],
    { additionalProperties: true },
  ),
  Journal: object(
    {
      log: text('name of the log'),
      checkpoint: text('newest signed checkpoint (C2SP tlog-checkpoint)'),
      tags: object({ role: { const: 'usager' }, key: text('with which she makes her tags again: hers alone') }),
      entries: { type: 'array', items: ref('Entry') },
      next: text('where older ones are'),
    },
    ['checkpoint', 'tags', 'next'],
    { additionalProperties: true },
  ),
};

interface Media {
  readonly type: string;
  readonly schema: Schema;
  readonly example: unknown;
}

const media = ({ type, schema, example }: Media): Schema => ({ [type]: { schema, example } });
const json = (name: string, example: unknown): Schema => media({ type: 'application/json', schema: ref(name), example });
const plain = (example: string): Schema => media({ type: 'text/plain', schema: { type: 'string' }, example });
/** The refusals of an operation, by status, each with its codes as examples. */
const refused = (...codes: readonly string[]): Schema => {
  const byStatus = Map.groupBy(
    codes.map((code) => problem(code)),
    ({ status }) => status,
  );
  return Object.fromEntries(
    [...byStatus].map(([status, problems]) => [
      String(status),
      {
        description: problems.map(({ title }) => title).join('; '),
        content: {
          'application/problem+json': {
            schema: ref('Problem'),
            examples: Object.fromEntries(problems.map((each) => [each.code, { value: each }])),
          },
        },
      },
    ]),
  );
};
const query = (name: string, description: string, schema: Schema = { type: 'string' }, required = false): Schema => ({
  name,
  in: 'query',
  required,
  description,
  schema,
});
const PAGED = [
  query('before', 'index of the last entry of the page before', { type: 'integer', minimum: 0 }),
  query('limit', 'at most 500; 100 if left out', { type: 'integer', minimum: 1 }),
  query('from', 'day, YYYY-MM-DD, included', { type: 'string', format: 'date' }),
  query('until', 'day, YYYY-MM-DD, included', { type: 'string', format: 'date' }),
];
const JOURNAL = { log: RECEIPT.origin, checkpoint: `${RECEIPT.origin}\n48214\nAAAA\n`, entries: [] };
const ALWAYS = ['unavailable'] as const;

const PATHS: Readonly<Record<string, Schema>> = {
  '/api/v1/actions': {
    post: {
      operationId: 'reportActs',
      summary: 'Report what was done for the person',
      description: 'One CloudEvent, or a batch of 500 at most. The same event again gets the same receipt. There is no free text.',
      security: [{ token: [ACTIONS_SCOPE] }],
      requestBody: {
        required: true,
        content: {
          ...media({ type: 'application/cloudevents+json', schema: ref('Event'), example: EVENT }),
          ...media({
            type: 'application/cloudevents-batch+json',
            schema: { type: 'array', items: ref('Event'), minItems: 1, maxItems: 500 },
            example: [EVENT],
          }),
        },
      },
      responses: {
        202: {
          description: 'recorded, with its receipt; for a batch, all of them',
          content: media({ type: 'application/json', schema: { oneOf: [ref('Receipt'), ref('BatchAnswer')] }, example: RECEIPT }),
        },
        207: {
          description: 'a batch of which some were refused',
          content: json('BatchAnswer', { events: [{ status: 202, receipt: RECEIPT }, problem('demarche_unknown')] }),
        },
        ...refused(
          'malformed',
          'invalid_request',
          'token_refused',
          'insufficient_scope',
          'too_many_requests',
          'session_unknown',
          'event_differs',
          'too_large',
          'unsupported_media_type',
          'time_out_of_range',
          'demarche_unknown',
          'outside_mandate',
          'outside_session',
          'insufficient_authentication',
          'session_too_old',
          'journal_unavailable',
          'outcome_unknown',
          ...ALWAYS,
        ),
      },
    },
  },
  '/api/v1/mandates/{ref}/validity': {
    get: {
      operationId: 'checkMandate',
      summary: 'Did this mandate hold for a theme, at an instant?',
      description: 'For a mandate that was used at a service of yours. The person reads that you asked.',
      security: [{ token: [MANDATES_SCOPE] }],
      parameters: [
        {
          name: 'ref',
          in: 'path',
          required: true,
          description: '`urn:uuid:…` of authorization_details, or the printed reference',
          schema: { type: 'string' },
        },
        query('theme', 'one of yours', { enum: [...THEMES] }, true),
        query('at', 'RFC 3339, with its zone; now if left out', { type: 'string', format: 'date-time' }),
        query('demarche', 'a démarche of yours'),
      ],
      responses: {
        200: {
          description: 'yes or no; a JWS (typ mandate-validity+jwt) unless only JSON is accepted',
          content: {
            ...media({ type: 'application/jwt', schema: { type: 'string' }, example: 'eyJhbGciOiJFUzI1NiIs…' }),
            ...json('Validity', VALIDITY),
          },
        },
        ...refused(
          'validity_malformed',
          'time_in_future',
          'token_refused',
          'insufficient_scope',
          'mandate_unknown',
          'too_many_requests',
          'journal_unavailable',
          ...ALWAYS,
        ),
      },
    },
  },
  '/api/v1/journal/me': {
    get: {
      operationId: 'ownJournal',
      summary: 'Her own entries, with what proves them',
      security: [{ session: [] }],
      parameters: PAGED,
      responses: {
        200: { description: 'newest first', content: json('Journal', JOURNAL) },
        ...refused('invalid_request', 'session_expired', 'too_many_requests', ...ALWAYS),
      },
    },
  },
  '/api/v1/journal/org': {
    get: {
      operationId: 'administrationJournal',
      summary: 'The entries of an administration’s own services',
      security: [{ session: [] }],
      parameters: [
        ...PAGED,
        query('service', 'one service'),
        query('type', 'a kind of entry'),
        {
          name: 'Relais-Reason',
          in: 'header',
          required: true,
          description: 'why, one line, percent-encoded: the people concerned read it',
          schema: { type: 'string' },
        },
      ],
      responses: {
        200: { description: 'newest first', content: json('Journal', JOURNAL) },
        ...refused('invalid_request', 'reason_required', 'session_expired', 'second_agent_required', 'too_many_requests', ...ALWAYS),
      },
    },
  },
  '/api/v1/journal/proof/{index}': {
    get: {
      operationId: 'proveEntry',
      summary: 'The proof that an entry is in the log (C2SP tlog-proof)',
      security: [],
      parameters: [
        { name: 'index', in: 'path', required: true, description: 'of the entry', schema: { type: 'integer', minimum: 0 } },
        query('size', 'of a published checkpoint; the newest if left out', { type: 'integer', minimum: 0 }),
      ],
      responses: {
        200: { description: 'text', content: plain('c2sp.org/tlog-proof@v1\nindex 48213\n…') },
        ...refused('invalid_request', 'not_found', ...ALWAYS),
      },
    },
  },
  '/api/v1/journal/consistency': {
    get: {
      operationId: 'proveContinuation',
      summary: 'The proof that the log of one size begins the log of another: one hash a line, base 64',
      security: [],
      parameters: [
        query('from', 'the smaller size', { type: 'integer', minimum: 0 }, true),
        query('to', 'the larger size', { type: 'integer', minimum: 0 }, true),
      ],
      responses: {
        200: { description: 'text', content: plain('psH19QfxPpKh9JuBEFoomKb3yyjB3hWg/YapAtq/+S0=\n') },
        ...refused('invalid_request', 'not_found', ...ALWAYS),
      },
    },
  },
  '/api/v1/journal/erasures': {
    get: {
      operationId: 'erasures',
      summary: 'What was erased of the log, newest first',
      security: [],
      parameters: [query('before', 'index of the last entry of the page before', { type: 'integer', minimum: 0 })],
      responses: {
        200: { description: 'whole leaves', content: json('Erasures', { erasures: [{ index: 4, leaf: '{"c":"…"}' }] }) },
        ...refused('invalid_request', ...ALWAYS),
      },
    },
  },
};

/** The OpenAPI document of an installation. */
export const openApi = (site: Pick<Site, 'publicUrl' | 'issuer'>): Readonly<Record<string, unknown>> => ({
  openapi: '3.1.0',
  info: {
    title: 'Relais',
    version: '1',
    summary: 'What services report and ask, and what anybody may check of the journal',
    description: 'Sign-in itself is OpenID Connect: its addresses are in the metadata of the issuer. Codes of refusals: docs/errors.md.',
  },
  servers: [{ url: site.publicUrl }],
  paths: PATHS,
  components: {
    schemas: SCHEMAS,
    securitySchemes: {
      token: { type: 'openIdConnect', openIdConnectUrl: `${site.issuer}/.well-known/openid-configuration` },
      session: { type: 'apiKey', in: 'cookie', name: '__Host-relais', description: 'somebody signed in with this browser' },
    },
  },
});

/** `GET /api/v1/openapi.json`. */
export const openApiDocument =
  (site: Site) =>
  async (app: FastifyInstance): Promise<void> => {
    const body = JSON.stringify(openApi(site));
    app.get('/api/v1/openapi.json', (_request, reply) =>
      reply.header('cache-control', 'public, max-age=300').type('application/json; charset=utf-8').send(body),
    );
  };
