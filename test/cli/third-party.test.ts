import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as client from 'openid-client';
import { type Demonstration, startDemonstration } from '../../src/practice/demonstration.ts';
import { confirmDelegation, prepareMandate, signInStaff, signMandate } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';

/** A service that Relais has never heard of, registered by two opérateurs in two commands, then used with an ordinary client library. */

const folder = mkdtempSync(join(tmpdir(), 'relais-third-'));
const varFolder = join(folder, 'var');
const keysFolder = join(folder, 'keys');

/** The demonstration on its embedded database, as `npm start` has it. */
const open = (): Promise<Demonstration> => startDemonstration({ varFolder, keysFolder, port: 0, stopAfterSeconds: 86_400 });

/** Runs the real program in a process of its own. */
const relais = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve, reject) => {
    const { NODE_ENV: _, DATABASE_URL: __, ...environment } = process.env;
    const child = spawn(process.execPath, ['--import', 'tsx', new URL('../../src/cli/main.ts', import.meta.url).pathname, ...args], {
      env: { ...environment, RELAIS_VAR: varFolder, RELAIS_KEYS: keysFolder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.err += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, ...said }));
  });

const REDIRECT = 'http://localhost:9/retour';

const add = (id: string, code: string): Promise<{ code: number; out: string; err: string }> =>
  relais(
    ...['service', 'add', '--id', id, '--name', `Service ${id}`, '--administration', 'Allocations de démonstration', '--profile', 'standard'],
    ...['--redirect-uri', REDIRECT, '--backchannel-logout-uri', 'http://localhost:9/deconnexion', '--theme', 'logement', '--scope', 'given_name'],
    ...['--delegation-supported', '--demarche', `${id}.demande;declare;logement;votre demande;your request`],
    ...['--as', 'alice@demonstration.example', '--code', code, '--json'],
  );
const approve = (id: string, code: string, fingerprint: string) =>
  relais('service', 'approve', id, '--fingerprint', fingerprint, '--as', 'marc@demonstration.example', '--code', code, '--json');
const codeOf = async (demonstration: Demonstration, who: string): Promise<string> =>
  (await demonstration.nextCode(`${who}@demonstration.example`))?.code ?? '';

const discover = (issuer: string, id: string, secret: string): Promise<client.Configuration> =>
  client.discovery(new URL(issuer), id, { client_secret: secret, id_token_signed_response_alg: 'ES256' }, client.ClientSecretBasic(secret), {
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  });

/** An authorization request of this service, and what its answer must match. */
const request = async (config: client.Configuration) => {
  const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope: 'openid given_name dlg:logement',
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  return { url, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true } };
};

test('over the socket of a running demonstration, then with no process: a third-party service is registered in two commands, and works', {
  database: 'pglite',
}, async (t) => {
  let demonstration = await open();
  t.after(async () => {
    await demonstration.close();
    rmSync(folder, { recursive: true, force: true });
  });

  // Two commands, over the socket.
  const added = await add('tiers', await codeOf(demonstration, 'alice'));
  assert.equal(added.code, 0, added.err);
  const { issuer, clientSecret, hash } = JSON.parse(added.out) as { issuer: string; clientSecret: string; hash: string };
  assert.equal(issuer, demonstration.app.site.issuer);
  const config = await discover(issuer, 'tiers', clientSecret);
  const early = await request(config);
  assert.equal((await new Walker().ask(early.url)).status, 400); // registered, not approved: not a client yet
  const approved = await approve('tiers', await codeOf(demonstration, 'marc'), hash);
  assert.equal(approved.code, 0, approved.err);
  assert.deepEqual((({ id, status }) => ({ id, status }))(JSON.parse(approved.out) as { id: string; status: string }), {
    id: 'tiers',
    status: 'approved',
  });

  // And a person is acted for there.
  const aidant = new Walker();
  const code = (): Promise<string> => codeOf(demonstration, 'karim');
  await signInStaff(aidant, demonstration.addresses, 'karim', 'Karim Benali', '/connexion/proconnect?vers=/aidant', code);
  await prepareMandate(aidant, demonstration.addresses, { person: 'colette', themes: ['logement'], days: '1' });
  await signMandate(aidant, demonstration.addresses, 'Karim Benali', code);
  const asked = await request(config);
  const back = await confirmDelegation(aidant, await aidant.open(asked.url, undefined, REDIRECT), 'Colette Martin', REDIRECT);
  const tokens = await client.authorizationCodeGrant(config, back.url, asked.checks);
  assert.equal((await client.fetchUserInfo(config, tokens.access_token, tokens.claims()?.sub ?? ''))['given_name'], 'Colette');
  assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true);
  const [row] = await demonstration.database.asOwner((query) => query("select service_id, theme from delegated_session where service_id = 'tiers'"));
  assert.deepEqual(row, { service_id: 'tiers', theme: 'logement' });

  // The same two commands with nobody at home.
  const codes = { alice: await codeOf(demonstration, 'alice'), marc: await codeOf(demonstration, 'marc') };
  await demonstration.close();
  const alone = await add('seul', codes.alice);
  assert.equal(alone.code, 0, alone.err);
  const second = await approve('seul', codes.marc, (JSON.parse(alone.out) as { hash: string }).hash);
  assert.equal(second.code, 0, second.err);
  demonstration = await open();
  const own = await discover(demonstration.app.site.issuer, 'seul', (JSON.parse(alone.out) as { clientSecret: string }).clientSecret);
  const asking = await new Walker().ask((await request(own)).url);
  assert.equal(asking.status, 303);
  assert.match(asking.headers.get('location') ?? '', /\/interaction\//);
  const verified = await relais('journal', 'verify', '--json');
  assert.equal(verified.code, 0, verified.out + verified.err);
});
