import pino from 'pino';
import { createApp } from './app.ts';
import { productionConfig } from './config/environment.ts';
import { connectSigner } from './journal/signer-client.ts';
import { systemClock } from './kernel/clock.ts';
import { Failure } from './kernel/failure.ts';
import { createSmtp } from './notices/smtp.ts';
import { openPostgres } from './persistence/database.ts';
import { pendingMigrations } from './persistence/migrate.ts';

/** Seconds between "not ready" and the end of listening, so that a proxy has looked. */
const DRAIN_SECONDS = 5;

/** The production process: configuration, database, application, listen, graceful stop. Nothing of `practice` is loaded. */
const start = async (): Promise<void> => {
  const config = productionConfig();
  const logger = pino({ level: config.logLevel, base: { pid: process.pid } });
  const database = await openPostgres(config.databaseUrl ?? '');
  const missing = await pendingMigrations(database);
  if (missing.length) throw new Failure('not_migrated', `run \`relais migrate\` first: ${missing.join(', ')}`);
  const keyDatabase = config.journalKeysUrl === undefined ? undefined : await openPostgres(config.journalKeysUrl, { max: 5 });
  const keyTables = keyDatabase ? await pendingMigrations(keyDatabase, undefined, 'key-store') : [];
  if (keyTables.length) throw new Failure('not_migrated', `run \`relais migrate\` first: ${keyTables.join(', ')} in the database of keys`);
  const smtp = createSmtp({ url: config.smtpUrl ?? '', from: config.mailFrom });
  const app = await createApp({
    config,
    database,
    keyDatabase,
    clock: systemClock,
    signer: (origin) => connectSigner({ path: config.signerSocket ?? '', origin }),
    sendMessage: smtp.send,
    log: (level, line) => logger[level](line),
  });
  await app.http.listen({ host: config.host, port: config.port });
  logger.info({ event: 'started', port: config.port, origin: app.origin });
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    app.drain();
    logger.info({ event: 'draining' });
    await new Promise((resolve) => setTimeout(resolve, DRAIN_SECONDS * 1000));
    await app.close();
    smtp.close();
    await database.close();
    await keyDatabase?.close();
    logger.info({ event: 'stopped' });
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
};

start().catch((error: unknown) => {
  const why = error instanceof Failure ? `${error.code}\n${error.detail ?? ''}` : error instanceof Error ? error.message : 'unknown fault';
  process.stderr.write(`Relais does not start: ${why}\n`);
  // As the command line: 3 when a setting, a key, the database or the port is what it should not be (these errors have a code), 70 for a fault.
  process.exit(error instanceof Error && 'code' in error ? 3 : 70);
});
