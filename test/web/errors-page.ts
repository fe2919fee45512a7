import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROBLEMS } from '../../src/web/api/actions.ts';
import { statusOf } from '../../src/web/error-handler.ts';
import { integration as english } from '../../src/web/i18n/en/integration.ts';
import { refusals as englishRefusals } from '../../src/web/i18n/en/refusals.ts';
import { integration as french } from '../../src/web/i18n/fr/integration.ts';
import { refusals as frenchRefusals } from '../../src/web/i18n/fr/refusals.ts';
import type { Refusal } from '../../src/web/i18n/refusal-shape.ts';

/** Writes `docs/errors.md` from the codes themselves (`npm run docs:errors`); a test compares the two. */

const PAGE = resolve(import.meta.dirname, '../../docs/errors.md');

/** Where an OAuth error stands: RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6, RFC 8707, 9126, 9396, 9449, 9470. */
const OAUTH: Readonly<Record<string, string>> = {
  access_denied: 'redirect',
  insufficient_scope: '403',
  insufficient_user_authentication: '401',
  invalid_authorization_details: 'redirect, 400',
  invalid_client: '401',
  invalid_dpop_proof: '400, 401',
  invalid_grant: '400',
  invalid_redirect_uri: 'page, 400',
  invalid_request: 'redirect, 400',
  invalid_request_uri: 'page, 400',
  invalid_scope: 'redirect, 400',
  invalid_target: 'redirect, 400',
  invalid_token: '401',
  login_required: 'redirect',
  registration_not_supported: 'redirect, 400',
  request_not_supported: 'redirect, 400',
  request_uri_not_supported: 'redirect, 400',
  server_error: 'redirect, 500',
  temporarily_unavailable: 'redirect, 503, 429',
  unauthorized_client: 'redirect, 400',
  unmet_authentication_requirements: 'redirect',
  unsupported_grant_type: '400',
  unsupported_response_mode: 'redirect, 400',
  unsupported_response_type: 'redirect',
  use_dpop_nonce: '400, 401',
};

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
const said = (it: Refusal): string => `**${it.title}** ${it.what({})} ${it.changes} ${it.todo}`;

const forServices = (): string[] => {
  const codes = [...new Set([...Object.keys(french.remedies), ...Object.keys(PROBLEMS)])].sort();
  return codes.map((code) => {
    const problem = PROBLEMS[code];
    const french_ = french.remedies[code] ?? (frenchRefusals as Readonly<Record<string, Refusal>>)[code]?.todo ?? '';
    const where = [...(OAUTH[code] ? [OAUTH[code]] : []), ...(problem ? [`API ${statusOf(code)}`] : [])].join(', ');
    return row(`\`${code}\``, where || `API ${statusOf(code)}`, problem?.[0] ?? '', english.remedies[code] ?? problem?.[1] ?? '', french_ || '–');
  });
};

const forPeople = (): string[] =>
  Object.keys(frenchRefusals)
    .sort()
    .map((code) =>
      row(
        `\`${code}\``,
        String(statusOf(code)),
        said((frenchRefusals as Readonly<Record<string, Refusal>>)[code] as Refusal),
        said((englishRefusals as Readonly<Record<string, Refusal>>)[code] as Refusal),
      ),
    );

export const errorsPage = (): string =>
  `${[
    '# Errors, by their codes',
    '<!-- Written by `npm run docs:errors` from src/web; a test compares. -->',
    'A code never changes its meaning. Services compare the code, never the sentence.',
    '',
    '## What a service receives',
    'From `/oidc`, as `error` (RFC 6749 §5.2) in the answer, or on the way back to the service with `state` and `iss`. From `/api/v1` and `/ssf`, as `code` of an',
    '`application/problem+json` (RFC 9457) whose `type` is `urn:relais:problem:` and the code. The last calls of a service, with these remedies, are on the integrator’s page of its administration, as they happen if asked.',
    '',
    row('code', 'where', 'what happened', 'what to do', 'que faire'),
    '|---|---|---|---|---|',
    ...forServices(),
    '',
    '## What a person reads',
    'On a page, with its HTTP status: what happened, what it changes, what to do. Where a name or a time is known, the sentence holds it.',
    '',
    row('code', 'status', 'français', 'English'),
    '|---|---|---|---|',
    ...forPeople(),
  ].join('\n')}\n`;

export const writtenErrors = (): string => readFileSync(PAGE, 'utf8');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(PAGE, errorsPage());
