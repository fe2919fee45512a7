import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { decodeJwt } from 'jose';
import type * as client from 'openid-client';
import { ALLOWANCES } from '../../src/practice/allowances.ts';
import { CASES } from '../../src/practice/check/cases.ts';
import { checkService, fetchContract } from '../../src/practice/check/check.ts';
import { readContract, type StoredAct } from '../../src/practice/check/contract.ts';
import { badge, type CheckReport, textReport } from '../../src/practice/check/report.ts';
import { startMirror, type Variant } from '../../src/practice/mirror.ts';
import type { MirrorService } from '../../src/practice/mirror-service.ts';
import { TAXES } from '../../src/practice/taxes.ts';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { answers, freePort, printed, ROOT } from '../support/integration.ts';

const SECRET = 'a-secret-of-the-check-a-secret-of-the-check';
const folder = mkdtempSync(join(tmpdir(), 'relais-check-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true, force: true });
});

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
      const claims = { act: { sub: 'somebody' }, ...decodeJwt(tokens.id_token), acr: 'urn:relais:acr:delegated:eidas1' };
      return { ...tokens, claims: () => claims, expiresIn: () => 1800 } as unknown as Awaited<ReturnType<typeof client.authorizationCodeGrant>>;
    },
  }),
  reporter: (right) => ({ ...right, holds: async () => 'active' }),
  logoutCheck: () => async (token) => ({ sid: String(decodeJwt(token)['sid']), sub: undefined, jti: 'x', at: new Date() }),
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
  acts: new Forgetful(),
};

test('M24 the mirror service of profile standard passes every case', async () => {
  const report = await checkMirror(ALLOWANCES);
  assert.equal(findings(report), '');
  assert.deepEqual([report.passed, report.failed], [CASES.length, 0]);
});

test('M24 the mirror service of profile fapi2 passes every case', async () => {
  const report = await checkMirror(TAXES);
  assert.equal(findings(report), '');
  assert.deepEqual([report.passed, report.failed, report.profile], [CASES.length, 0, 'fapi2']);
});

test('M24 a mirror that checks nothing, and one that names and tells nobody, fail each case by its name', async () => {
  const believed = await checkMirror(ALLOWANCES, credulous);
  const NAMES = ['banner', 'act-stored', 'reported', 'logout'];
  assert.deepEqual(
    failedOf(believed),
    CASES.map(({ id }) => id).filter((id) => !NAMES.includes(id)),
    findings(believed),
  );
  const quiet = await checkMirror(ALLOWANCES, unaware);
  assert.deepEqual(failedOf(quiet), NAMES, findings(quiet));
  assert.match(findings(quiet), /banner: \/ does not name the person/);
  assert.match(findings(quiet), /act-stored: `act.sub` is not the aidant/);
  assert.match(textReport(quiet), /FAILED {2}reported .*\n.*no report of "send" of allocations\.aide-logement/);
  assert.match(badge(quiet), /4 contrôles en échec/);
});

test('M24 the service that docs/integrate.md prints passes, by the command, with the contract that docs/check-service.md prints', async () => {
  const [port, authority] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'service.mjs'), printed('js'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/check-service.md'), 'utf8')) ?? [];
  writeFileSync(join(folder, 'contract.json'), json.replaceAll('localhost:3000', `localhost:${port}`));
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  const service = `http://localhost:${port}`;
  const command = async (...more: string[]): Promise<{ code: number | null; out: string; err: string }> => {
    const args = ['--import', 'tsx', 'src/cli/main.ts', 'check-service', service, '--port', String(authority), ...more];
    const child = spawn(process.execPath, args, { cwd: ROOT });
    children.push(child);
    let [out, err] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    const code = await new Promise<number | null>((ended) => child.once('close', ended));
    return { code, out, err };
  };
  const nobody = await command();
  assert.equal(nobody.code, 3, nobody.err);
  assert.match(nobody.err, /configuration: .* does not answer/);

  const checking = command(
    '--contract',
    join(folder, 'contract.json'),
    '--secret-file',
    join(folder, 'secret'),
    '--badge',
    join(folder, 'b.svg'),
    '--json',
  );
  assert.ok(await until(() => answers(authority), 10_000), 'the authority is there before the service');
  const env = { PATH: process.env['PATH'] ?? '', ISSUER: `http://localhost:${authority}/oidc`, CLIENT_ID: 'mon-service', CLIENT_SECRET: SECRET };
  children.push(spawn(process.execPath, ['service.mjs'], { cwd: folder, env: { ...env, PORT: String(port), CHECKED: '1' }, stdio: 'ignore' }));
  const done = await checking;
  const report = JSON.parse(done.out) as CheckReport;
  assert.equal(findings(report), '');
  assert.deepEqual([done.code, report.passed, report.failed], [0, CASES.length, 0]);
  assert.match(readFileSync(join(folder, 'b.svg'), 'utf8'), new RegExp(`conforme, ${CASES.length} contrôles`));
});

test('docs/check-service.md names every case, and a contract that is not one is refused by the name of its member', () => {
  const page = readFileSync(join(ROOT, 'docs/check-service.md'), 'utf8');
  for (const { id } of CASES) assert.ok(page.includes(`\`${id}\``), id);
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  const right = readContract(json);
  for (const member of Object.keys(right).filter((name) => name !== 'post_logout_redirect_uri'))
    assert.throws(() => readContract(JSON.stringify({ ...right, [member]: undefined })), new RegExp(`"${member}" must be`), member);
  for (const wrong of ['', '[]', 'null', '"x"']) assert.throws(() => readContract(wrong), /contract is not/, wrong);
  assert.throws(() => readContract(JSON.stringify({ ...right, pages: ['//elsewhere.example'] })), /"pages" must be/);
});
