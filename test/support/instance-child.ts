import { type App, createApp } from '../../src/app.ts';
import type { Config } from '../../src/config/config.ts';
import { readKeys } from '../../src/config/keys.ts';
import { startSignerWorker } from '../../src/journal/signer-client.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { openPostgres } from '../../src/persistence/database.ts';

/** One instance of Relais in a process of its own, to be killed at any moment (claim J1). Its argument says where everything is. */
export interface ChildOptions {
  readonly url: string;
  readonly publicUrl: string;
  readonly keysFolder: string;
  readonly varFolder: string;
  readonly proconnect: string;
  readonly franceconnect: string;
}

const configOf = (options: ChildOptions): Config => ({
  mode: 'demonstration',
  publicUrl: options.publicUrl,
  issuer: `${options.publicUrl}/oidc`,
  host: 'localhost',
  port: 0,
  databaseUrl: options.url,
  varFolder: options.varFolder,
  journalHost: 'localhost',
  signerSocket: undefined,
  proconnect: { issuer: options.proconnect, clientId: 'relais-proconnect', clientSecret: new Secret('not used here') },
  franceconnect: { issuer: options.franceconnect, clientId: 'relais-franceconnect', clientSecret: new Secret('not used here') },
  smtpUrl: undefined,
  mailFrom: 'relais@demonstration.example',
  translations: [],
  helpNumber: '0 800 00 00 00',
  trustedProxies: [],
  allowLoopback: true,
  logLevel: 'warn',
  keys: readKeys(options.keysFolder),
});

const start = async (options: ChildOptions): Promise<void> => {
  const config = configOf(options);
  const database = await openPostgres(options.url, { max: 6 });
  const app: App = await createApp({
    config,
    database,
    clock: systemClock,
    log: (level, line) => {
      if (level === 'error') process.stderr.write(`${JSON.stringify(line)}\n`);
    },
    signer: (origin) =>
      startSignerWorker({ folder: `${options.varFolder}/signer`, privateKeyPem: config.keys.pem('journal-ed25519').reveal(), origin }),
    sendMessage: async () => undefined,
  });
  const address = await app.http.listen({ host: '127.0.0.1', port: 0 });
  process.stdout.write(`ready ${address}\n`);
  process.once('SIGTERM', () => void app.close().then(() => database.close()));
};

await start(JSON.parse(process.argv[2] ?? '{}') as ChildOptions);
