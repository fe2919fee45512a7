import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import type * as client from 'openid-client';
import { ALLOWANCES } from '../../src/practice/allowances.ts';
import { startAuthority } from '../../src/practice/check/authority.ts';
import { CASES, SIGNALS } from '../../src/practice/check/cases.ts';
import { checkService, fetchContract } from '../../src/practice/check/check.ts';
import { readContract, type StoredAct } from '../../src/practice/check/contract.ts';
import { badge, type CheckReport, textReport } from '../../src/practice/check/report.ts';
import { startMirror, type Variant } from '../../src/practice/mirror.ts';
import type { MirrorService } from '../../src/practice/mirror-service.ts';
import { freePort } from '../../src/practice/ports.ts';
import { TAXES } from '../../src/practice/taxes.ts';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { answers, printed, printedContract, ROOT } from '../support/integration.ts';

const SECRET = 'a-secret-of-the-check-a-secret-of-the-check';

const checkMirror = async (service: MirrorService, variant: Variant = {}): Promise<CheckReport> => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const mirror = await startMirror(service, {
    port: 0,
    relaisIssuer: `${origin}/oidc`,
    relaisOrigin: origin,
    checked: true,
    variant,
    ...(service.profile === 'standard' ? { credentials: { secret: SECRET } } : {}),
  });
  try {
    const url = new URL(mirror.origin);
    return await checkService({ service: url, contract: await fetchContract(url), port, secret: SECRET });
  } finally {
    await mirror.close();
  }
};

const ALL = [...CASES, ...SIGNALS];
const failedOf = (report: CheckReport): string[] => report.cases.filter(({ passed }) => !passed).map(({ id }) => id);
const findings = (report: CheckReport): string =>
  report.cases.flatMap(({ id, finding }) => (finding === undefined ? [] : `${id}: ${finding}`)).join('\n');

/** What a careless service does: it redeems the code and believes whatever comes. */
const credulous: Variant = {
  relyingParty: (right) => ({
    ...right,
    async redeem(url, pending) {
      const { origin } = new URL((await right.begin({ themes: [] })).url);
      const answer = await fetch(`${origin}/oidc/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`allocations:${SECRET}`)}` },
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code: url.searchParams.get('code') ?? '',
          redirect_uri: `${url.origin}/retour`,
          code_verifier: pending.verifier,
        }),
      });
      const tokens = (await answer.json()) as { access_token: string; id_token: string };
      const given = decodeJwt(tokens.id_token);
      const [detail] = given['authorization_details'] as object[];
      const claims = {
        act: { sub: 'somebody' },
        ...given,
        acr: 'urn:relais:acr:delegated:eidas1',
        authorization_details: [{ ...detail, privileges: ['read', 'declare', 'change'], demarches: undefined }], // nor is the mandate looked at
      };
      return { ...tokens, claims: () => claims, expiresIn: () => 1800 } as unknown as Awaited<ReturnType<typeof client.authorizationCodeGrant>>;
    },
  }),
  reporter: (right) => ({ ...right, holds: async () => 'active' }),
  logoutCheck: () => async (token) => ({ sid: String(decodeJwt(token)['sid']), sub: undefined, jti: 'x', at: new Date() }),
  signalCheck: () => async (token) => ({ session: String(decodeJwt(token)['txn']) }),
};

/** What a service does that was made for people who sign in alone: nobody is named, nothing is told. */
class Forgetful extends Array<StoredAct> {
  override push(...acts: StoredAct[]): number {
    return super.push(...acts.map((act) => ({ ...act, act: { sub: 'somebody' } })));
  }
}
const unaware: Variant = {
  relyingParty: (right) => ({ ...right, userinfo: async (_token, sub) => ({ sub, given_name: 'Somebody', family_name: 'Else' }) }),
  reporter: (right) => ({ ...right, report: async () => ({ kind: 'receipt', index: 1 }) }),
  logoutCheck: () => async (token) => (decodeJwt(token)['sid'] === undefined ? { refused: 'x' } : { refused: 'not_supported' }),
  signalCheck: () => async () => ({ refused: 'invalid_request' }),
  acts: new Forgetful(),
};

test('M24 the mirror service of profile standard passes every case', async () => {
  const report = await checkMirror(ALLOWANCES);
  assert.equal(findings(report), '');
  assert.deepEqual([report.passed, report.failed], [ALL.length, 0]);
});

test('M24 the mirror service of profile fapi2 passes every case', async () => {
  const report = await checkMirror(TAXES);
  assert.equal(findings(report), '');
  assert.deepEqual([report.passed, report.failed, report.profile], [ALL.length, 0, 'fapi2']);
});

test('M24 a mirror that checks nothing, and one that names and tells nobody, fail each case by its name', async () => {
  const believed = await checkMirror(ALLOWANCES, credulous);
  const NAMES = ['banner', 'act-stored', 'reported', 'logout', 'signal', 'signal-again'];
  assert.deepEqual(
    failedOf(believed),
    ALL.map(({ id }) => id).filter((id) => !NAMES.includes(id)),
    findings(believed),
  );
  const quiet = await checkMirror(ALLOWANCES, unaware);
  assert.deepEqual(failedOf(quiet), NAMES, findings(quiet));
  assert.match(findings(quiet), /banner: \/ does not name the person/);
  assert.match(findings(quiet), /act-stored: `act.sub` is not the aidant/);
  assert.match(textReport(quiet), /FAILED {2}reported .*\n.*no report of "send" of allocations\.aide-logement/);
  assert.match(badge(quiet), /6 contrôles en échec/);
});

test('M24 a mirror that refuses an event told twice fails that case alone', async () => {
  const seen = new Set<string>();
  const told = (token: string): boolean => {
    const jti = String(decodeJwt(token).jti);
    return seen.has(jti) || !seen.add(jti);
  };
  const touchy = await checkMirror(ALLOWANCES, {
    signalCheck: (right) => async (token) => (told(token) ? { refused: 'invalid_request' } : right(token)),
  });
  assert.deepEqual(failedOf(touchy), ['signal-again'], findings(touchy));
  assert.match(findings(touchy), /the same event was answered 400/);
});

test('a service that is not there, or whose secret is not given, is not checked: nothing is left listening', async () => {
  const port = await freePort();
  const nowhere = new URL(`http://localhost:${await freePort()}`);
  const contract = printedContract(3000);
  await assert.rejects(checkService({ service: nowhere, contract, port, secret: undefined }), /secret_missing/);
  await assert.rejects(fetchContract(nowhere), /service_unreachable/);
  const taken = await startMirror(ALLOWANCES, { port, relaisIssuer: 'http://localhost:9/oidc', relaisOrigin: 'http://localhost:9' });
  await assert.rejects(checkService({ service: nowhere, contract, port, secret: SECRET }), /port_taken/);
  await assert.rejects(fetchContract(new URL(taken.origin)), /contract_unreadable.*404/, 'a service that is not under test publishes none');
  await taken.close();
  assert.equal(await answers(port), false);
});

test('I4 the authority of a check answers to its own name alone: a site whose name stands for this machine reads nothing', async () => {
  const port = await freePort();
  const authority = await startAuthority({ port, contract: printedContract(3000), secret: SECRET });
  try {
    const ask = (host: string, path: string): Promise<[number, string]> =>
      new Promise((done, failed) => {
        request({ host: 'localhost', port, path, headers: { host } }, (answer) => {
          let text = '';
          answer.on('data', (part: Buffer) => {
            text += part.toString();
          });
          answer.on('end', () => done([answer.statusCode ?? 0, text]));
        })
          .on('error', failed)
          .end();
      });
    for (const path of ['/oidc/.well-known/openid-configuration', '/oidc/jwks', '/oidc/auth?client_id=mon-service', '/api/v1/actions', '/pick/x']) {
      assert.notEqual((await ask(`localhost:${port}`, path))[0], 421, path);
      for (const host of [`evil.example:${port}`, 'evil.example', `localhost.evil.example:${port}`, `localhost:${port}.evil.example`]) {
        const [status, text] = await ask(host, path);
        assert.deepEqual([status, JSON.parse(text).error], [421, 'invalid_request'], `${host} ${path}`);
      }
    }
    assert.equal(authority.opened.length, 0);
  } finally {
    await authority.close();
  }
});

test('M24 a service that expects RS256 is checked with it', async (t) => {
  const [port, authority] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'relais-check-rs-'));
  writeFileSync(join(folder, 'service.mjs'), printed('js').replaceAll("'ES256'", "'RS256'"));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const service = new URL(`http://localhost:${port}/au-revoir`);
  const contract = { ...printedContract(port), id_token_signed_response_alg: 'RS256' as const };
  const checking = checkService({ service, contract, port: authority, secret: SECRET });
  assert.ok(await until(() => answers(authority), 60_000));
  const env = { PATH: process.env['PATH'] ?? '', ISSUER: `http://localhost:${authority}/oidc`, CLIENT_ID: 'mon-service', CLIENT_SECRET: SECRET };
  const child = spawn(process.execPath, ['service.mjs'], { cwd: folder, env: { ...env, PORT: String(port), CHECKED: '1' }, stdio: 'ignore' });
  t.after(() => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const report = await checking;
  assert.equal(findings(report), '');
  assert.equal(report.passed, CASES.length);
});

test('docs/check-service.md names every case, and a contract that is not one is refused by the name of its member', () => {
  const page = readFileSync(join(ROOT, 'docs/check-service.md'), 'utf8');
  for (const { id } of ALL) assert.ok(page.includes(`\`${id}\``), id);
  const right = printedContract(3000);
  for (const member of Object.keys(right).filter((name) => name !== 'post_logout_redirect_uri'))
    assert.throws(() => readContract(JSON.stringify({ ...right, [member]: undefined })), new RegExp(`"${member}" must be`), member);
  for (const wrong of ['', '[]', 'null', '"x"']) assert.throws(() => readContract(wrong), /contract is not/, wrong);
  assert.throws(() => readContract(JSON.stringify({ ...right, pages: ['//elsewhere.example'] })), /"pages" must be/);
});
