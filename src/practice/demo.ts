import './guard.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as client from 'openid-client';
import { demonstrationSettings } from '../config/environment.ts';
import { readKeys } from '../config/keys.ts';
import { verifierOf } from '../journal/note.ts';
import { verify } from '../journal/verify.ts';
import { publicKeyOf, readPrivateKey } from '../kernel/crypto.ts';
import { journalSource } from '../persistence/journal-source.ts';
import { type Demonstration, startDemonstration } from './demonstration.ts';
import { ensureService } from './seed.ts';
import { confirmDelegation, prepareMandate, signInStaff, signInUsager, signMandate } from './story.ts';
import { textOf, Walker } from './walker.ts';

/** A service of the demonstration's own, that listens for logout tokens and is an ordinary client otherwise. */
const openService = async (demonstration: Demonstration) => {
  const received: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      const token = new URLSearchParams(body).get('logout_token');
      if (token) received.push(token);
      response.writeHead(token ? 200 : 400).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const address = server.address();
  const origin = `http://localhost:${typeof address === 'object' && address ? address.port : 0}`;
  const secret = await ensureService(
    demonstration.app,
    {
      id: 'guichet-logement',
      name: 'Guichet logement de démonstration',
      profile: 'standard',
      redirect_uris: [`${origin}/retour`],
      post_logout_redirect_uris: [],
      backchannel_logout_uri: `${origin}/deconnexion`,
      backchannel_logout_session_required: true,
      initiate_login_uri: `${origin}/connexion`,
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
      scopes: ['given_name', 'family_name'],
      themes: ['logement'],
      delegation_supported: true,
      demarches: [
        {
          code: 'guichet-logement.demande',
          label_fr: 'votre demande de logement',
          label_en: 'your housing application',
          themes: ['logement'],
          effect: 'declare',
        },
      ],
    },
    'Allocations de démonstration',
    false,
  );
  const config = await client.discovery(
    new URL(demonstration.app.site.issuer),
    'guichet-logement',
    { client_secret: secret ?? '', id_token_signed_response_alg: 'ES256' },
    client.ClientSecretBasic(secret ?? ''),
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
  );
  return { origin, config, received, close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
};

type Step = readonly [name: string, work: () => Promise<string>];

const expect = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what);
};

/** The story, step by step. Every step goes through HTTP as a browser or a service would; none looks inside. */
const story = async (demonstration: Demonstration, service: Awaited<ReturnType<typeof openService>>): Promise<Step[]> => {
  const places = demonstration.addresses;
  const aidant = new Walker();
  const usager = new Walker();
  const agent = new Walker();
  const { config, origin } = service;
  let token = '';
  let session = '';
  const report = (id: string, at: Date) =>
    client.fetchProtectedResource(
      config,
      token,
      new URL(`${places.relais}/api/v1/actions`),
      'POST',
      JSON.stringify({
        specversion: '1.0',
        id,
        source: origin,
        type: 'fr.relais.action.v1',
        time: at.toISOString(),
        data: { session, verb: 'send', demarche: 'guichet-logement.demande', outcome: 'success', reference: '2026-11893' },
      }),
      new Headers({ 'content-type': 'application/cloudevents+json' }),
    );

  return [
    [
      'an aidant signs in with ProConnect and a one-time code',
      async () => {
        const page = await signInStaff(aidant, places, 'karim', 'Karim Benali', '/connexion/proconnect?vers=/aidant');
        expect(page.url.pathname === '/aidant', `the aidant's page, not ${page.url.pathname}`);
        return 'Karim Benali, Mairie de Thénac';
      },
    ],
    [
      'a mandate is agreed on by two people',
      async () => {
        const recap = await prepareMandate(aidant, places, { person: 'colette', themes: ['logement'], days: '1' });
        expect(textOf(recap).includes('Colette Martin'), 'the recap names Colette Martin');
        const done = await signMandate(aidant, places, 'Karim Benali');
        const reference = /id="mandate-reference"[^>]*>([^<]+)</.exec(done.html)?.[1];
        expect(reference !== undefined, `the mandate has a reference: ${textOf(done).slice(0, 200)}`);
        return `mandate ${reference}`;
      },
    ],
    [
      'the aidant acts for her at a service',
      async () => {
        const verifier = client.randomPKCECodeVerifier();
        const state = client.randomState();
        const nonce = client.randomNonce();
        const url = client.buildAuthorizationUrl(config, {
          redirect_uri: `${origin}/retour`,
          scope: 'openid given_name family_name dlg:logement',
          state,
          nonce,
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
        });
        const back = await confirmDelegation(aidant, await aidant.open(url), 'Colette Martin', `${origin}/retour`);
        const tokens = await client.authorizationCodeGrant(config, back.url, {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        });
        const claims = tokens.claims();
        const [detail] = (claims?.['authorization_details'] ?? []) as { session?: string; organisation?: { name?: string } }[];
        token = tokens.access_token;
        session = detail?.session ?? '';
        expect(
          claims?.['acr'] === 'urn:relais:acr:delegated:eidas1' && typeof claims['act'] === 'object' && session.startsWith('dls_'),
          'the id_token says who acts, for whom, under what',
        );
        const info = await client.fetchUserInfo(config, token, claims?.sub ?? '');
        expect(info['given_name'] === 'Colette', 'userinfo is about Colette');
        const checked = await client.tokenIntrospection(config, token);
        expect(checked.active && checked.sub === claims?.sub, 'introspection answers the same');
        return `session ${session}, for ${String(detail?.organisation?.name)}, journal entry ${String((claims?.['journal'] as { index?: number } | undefined)?.index)}`;
      },
    ],
    [
      'the service reports the act, and reports it again',
      async () => {
        const at = new Date();
        const first = (await (await report('evt-1', at)).json()) as { index?: number };
        const again = (await (await report('evt-1', at)).json()) as { index?: number };
        expect(typeof first.index === 'number' && first.index === again.index, `one receipt for one act: ${JSON.stringify([first, again])}`);
        return `journal entry ${first.index}`;
      },
    ],
    [
      'she reads what was done for her',
      async () => {
        const page = await signInUsager(usager, places, 'colette');
        expect(
          /Karim, mairie de Thénac, a envoyé votre demande de logement/i.test(textOf(page)),
          `the sentence is there: ${textOf(page).slice(0, 600)}`,
        );
        return 'Karim, Mairie de Thénac, a envoyé votre demande de logement';
      },
    ],
    [
      'the administration reads the same, gives its reason, and she sees it',
      async () => {
        const page = await signInStaff(agent, places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration');
        expect(page.url.pathname === '/administration', `the administration's page, not ${page.url.pathname}`);
        const results = await agent.send('journal-query', { reason: 'vérification du dossier 2026-11893' });
        expect(results.html.includes(session), 'the entry is in the journal of the administration');
        const hers = await usager.open(`${places.relais}/usager`);
        expect(textOf(hers).includes('vérification du dossier 2026-11893'), 'the usager sees who read, and why');
        return 'motif : vérification du dossier 2026-11893';
      },
    ],
    [
      'she stops the mandate, and the service knows',
      async () => {
        const stop = /href="(\/usager\/mandats\/[^"/]+\/arreter)"/.exec((await usager.open(`${places.relais}/usager`)).html)?.[1];
        await usager.open(new URL(stop ?? '/', places.relais));
        await usager.send('stop-mandate');
        const checked = await client.tokenIntrospection(config, token);
        expect(!checked.active, 'introspection says active: false');
        const late = await report('evt-2', new Date()).then(
          (response) => response.status,
          () => 401,
        );
        expect(late === 401, `the act is refused: ${late}`);
        const began = performance.now();
        while (!service.received.length && performance.now() - began < 5000) await new Promise((resolve) => setTimeout(resolve, 20));
        expect(service.received.length === 1, 'the logout token reached the service');
        return `logout token received after ${Math.round(performance.now() - began)} ms`;
      },
    ],
    [
      'the journal verifies',
      async () => {
        await demonstration.app.flushJournal();
        const keys = readKeys(settings.keysFolder);
        const report = await verify({
          source: journalSource(demonstration.database),
          origin: demonstration.app.origin,
          trusted: [verifierOf(demonstration.app.origin, publicKeyOf(readPrivateKey(keys.pem('journal-ed25519').reveal())))],
          keys: (asked) => demonstration.app.keyStore.load(demonstration.database.auto, asked),
        });
        expect(report.ok, `first fault: ${JSON.stringify(report.faults[0])}`);
        return `${report.checked} entries, ${report.sealed} under a signed checkpoint`;
      },
    ],
  ];
};

const fresh = mkdtempSync(join(tmpdir(), 'relais-demo-'));
const given = demonstrationSettings();
const settings = { ...given, varFolder: join(fresh, 'var'), keysFolder: join(fresh, 'keys'), port: 0 };

const play = async (): Promise<number> => {
  const began = performance.now();
  const demonstration = await startDemonstration({
    ...settings,
    log: (level, line) => {
      if (level === 'error') process.stderr.write(`${JSON.stringify(line)}\n`);
    },
  });
  process.stdout.write(`  started on ${demonstration.database.kind} (${Math.round(performance.now() - began)} ms)\n`);
  const service = await openService(demonstration);
  try {
    for (const [name, work] of await story(demonstration, service)) {
      const at = performance.now();
      try {
        const result = await work();
        process.stdout.write(`✓ ${name} (${Math.round(performance.now() - at)} ms)\n    ${result}\n`);
      } catch (error) {
        process.stdout.write(`✗ ${name}\n    ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
        return 1;
      }
    }
    process.stdout.write(`The whole story: ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
    return 0;
  } finally {
    await service.close();
    await demonstration.close();
  }
};

if (process.argv.includes('--once')) {
  process.exitCode = await play().catch((error: unknown) => {
    process.stderr.write(`✗ start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  });
  rmSync(fresh, { recursive: true, force: true });
} else {
  process.stdout.write(
    'usage: npm run demo -- --once      plays the story on a database of its own (DATABASE_URL: on that one), and ends with 0 or names the step\n',
  );
  rmSync(fresh, { recursive: true, force: true });
  process.exitCode = process.argv.length > 2 && !process.argv.includes('--help') ? 2 : 0;
}
