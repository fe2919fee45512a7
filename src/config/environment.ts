import { readFileSync } from 'node:fs';
import { readTsaCertificates } from '../journal/timestamp.ts';
import { Failure } from '../kernel/failure.ts';
import { Secret } from '../kernel/secret.ts';
import { readTranslations, type Translation } from '../web/translations.ts';
import type { Config } from './config.ts';
import { readKeys } from './keys.ts';
import { type KnownMirror, readMirrors } from './mirrors.ts';
import { readWitnessing } from './witnessing.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The process's environment: this file is its only reader. */
export const environment: Environment = process.env;

/**
 * `DATABASE_URL` puts the demonstration on PostgreSQL; `RELAIS_VAR` and `RELAIS_KEYS` move its folders, `RELAIS_PORT` its ports; `RELAIS_MIRRORS`
 * names those who may copy the leaves.
 */
export const demonstrationSettings = (env: Environment = environment) => ({
  databaseUrl: env['DATABASE_URL'],
  varFolder: env['RELAIS_VAR'] ?? 'var',
  keysFolder: env['RELAIS_KEYS'] ?? 'keys',
  port: Number(env['RELAIS_PORT'] ?? 8400),
  logLevel: env['RELAIS_LOG'] ?? 'warn',
  mirrorsFile: env['RELAIS_MIRRORS'],
  production: env['NODE_ENV'] === 'production',
});

/**
 * Reads the production configuration. Every setting is required unless said; secrets come from files, whose paths are the settings.
 * Fails as `configuration` with every fault at once, each naming its setting (claim C5).
 */
export const productionConfig = (env: Environment = environment): Config => {
  const faults: string[] = [];
  const text = (name: string): string => {
    const value = env[name];
    if (!value) faults.push(`${name} is missing`);
    return value ?? '';
  };
  const https = (name: string): string => {
    const value = text(name);
    if (!value) return '';
    if (/^https:\/\/[^/]+(\/.*)?$/.test(value) && URL.canParse(value)) return value.replace(/\/$/, '');
    faults.push(`${name} must be an https:// address`);
    return '';
  };
  const secretFile = (name: string): Secret => {
    const file = text(name);
    if (!file) return new Secret('');
    try {
      const value = readFileSync(file, 'utf8').trim();
      if (value.length < 32) faults.push(`${name}: the secret in ${file} has fewer than 32 characters`);
      return new Secret(value);
    } catch {
      faults.push(`${name}: ${file} cannot be read`);
      return new Secret('');
    }
  };
  const publicUrl = https('RELAIS_PUBLIC_URL');
  if (publicUrl && new URL(publicUrl).pathname !== '/') faults.push('RELAIS_PUBLIC_URL must be an origin, without a path');
  const databaseUrl = text('DATABASE_URL');
  if (databaseUrl && !/^postgres(ql)?:\/\//.test(databaseUrl)) faults.push('DATABASE_URL must be a postgres:// address');
  const keysFolder = text('RELAIS_KEYS');
  const smtpUrl = text('RELAIS_SMTP_URL');
  if (smtpUrl && !/^smtps?:\/\//.test(smtpUrl)) faults.push('RELAIS_SMTP_URL must be an smtp:// or smtps:// address');
  const port = Number(env['PORT'] ?? 8400);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) faults.push('PORT must be a port number');
  const smsUrl = env['RELAIS_SMS_URL'] ? https('RELAIS_SMS_URL') : undefined;
  let keys: Config['keys'] | undefined;
  if (keysFolder) {
    try {
      keys = readKeys(keysFolder, { signerApart: Boolean(env['RELAIS_SIGNER_SOCKET']) });
    } catch (error) {
      faults.push(`RELAIS_KEYS: ${error instanceof Failure ? (error.detail ?? error.code) : 'cannot be read'}`);
    }
  }
  if (smsUrl && keys && !keys.has('sms-gateway')) faults.push(`RELAIS_SMS_URL needs the key ${keysFolder}/sms-gateway`);
  let translations: Translation[] = [];
  const translationsFolder = env['RELAIS_TRANSLATIONS'];
  if (translationsFolder) {
    try {
      translations = readTranslations(translationsFolder);
    } catch (error) {
      faults.push(`RELAIS_TRANSLATIONS: ${error instanceof Failure ? (error.detail ?? error.code) : `${translationsFolder} cannot be read`}`);
    }
  }
  let mirrors: KnownMirror[] = [];
  const mirrorsFile = env['RELAIS_MIRRORS'];
  if (mirrorsFile) {
    try {
      mirrors = readMirrors(mirrorsFile);
    } catch (error) {
      faults.push(`RELAIS_MIRRORS: ${error instanceof Failure ? (error.detail ?? error.code) : `${mirrorsFile} cannot be read`}`);
    }
  }
  const journalKeysUrl = env['JOURNAL_KEYS_URL'] || undefined;
  if (journalKeysUrl && !/^postgres(ql)?:\/\//.test(journalKeysUrl)) faults.push('JOURNAL_KEYS_URL must be a postgres:// address');
  if (journalKeysUrl && journalKeysUrl === databaseUrl)
    faults.push('JOURNAL_KEYS_URL must be another database than DATABASE_URL; leave it out to keep both in one');
  const purge = (env['RELAIS_PURGE'] ?? 'on') !== 'off';
  if (!/^(?:on|off)$/.test(env['RELAIS_PURGE'] ?? 'on')) faults.push('RELAIS_PURGE must be on or off');
  const tsaUrl = env['RELAIS_TSA_URL'];
  const tsaFile = env['RELAIS_TSA_CA'];
  let tsa: Config['tsa'];
  if (Boolean(tsaUrl) !== Boolean(tsaFile)) faults.push('RELAIS_TSA_URL and RELAIS_TSA_CA go together: one of them is missing');
  else if (tsaUrl && tsaFile) {
    if (!/^https?:\/\/[^/]+/.test(tsaUrl) || !URL.canParse(tsaUrl)) faults.push('RELAIS_TSA_URL must be an http:// or https:// address');
    try {
      tsa = { url: tsaUrl, trusted: readTsaCertificates(readFileSync(tsaFile, 'utf8')) };
    } catch (error) {
      faults.push(`RELAIS_TSA_CA: ${error instanceof Failure ? (error.detail ?? error.code) : `${tsaFile} cannot be read`}`);
    }
  }
  const config = {
    mode: 'production' as const,
    publicUrl,
    issuer: `${publicUrl}/oidc`,
    host: env['HOST'] ?? '0.0.0.0',
    port,
    databaseUrl,
    varFolder: env['RELAIS_VAR'] ?? '/var/lib/relais',
    journalHost: publicUrl ? new URL(publicUrl).host : '',
    signerSocket: text('RELAIS_SIGNER_SOCKET'),
    witnessing: readWitnessing(env, faults),
    proconnect: {
      issuer: https('PROCONNECT_ISSUER'),
      clientId: text('PROCONNECT_CLIENT_ID'),
      clientSecret: secretFile('PROCONNECT_CLIENT_SECRET_FILE'),
    },
    franceconnect: {
      issuer: https('FRANCECONNECT_ISSUER'),
      clientId: text('FRANCECONNECT_CLIENT_ID'),
      clientSecret: secretFile('FRANCECONNECT_CLIENT_SECRET_FILE'),
    },
    smtpUrl,
    mailFrom: text('RELAIS_MAIL_FROM'),
    smsUrl,
    helpNumber: text('RELAIS_HELP_NUMBER'),
    translations,
    mirrors,
    tsa,
    trustedProxies: (env['RELAIS_TRUSTED_PROXIES'] ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
    allowLoopback: false,
    logLevel: env['RELAIS_LOG'] ?? 'info',
    purge,
    journalKeysUrl,
  };
  if (faults.length || !keys) throw new Failure('configuration', faults.join('\n'));
  return Object.freeze({ ...config, keys });
};
