import { canonical, type Json } from '../kernel/canonical.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { Config } from './config.ts';

const KEYS = ['op-es256', 'op-rs256', 'journal-ed25519', 'attestation-ed25519', 'journal-mac', 'payload-kek', 'totp-kek', 'pairwise'] as const;

const digest = (value: Json): string => sha256('relais/setting/v1\n', canonical(value)).toString('base64url');
const hostOf = (url: string | undefined): string | null => (url === undefined ? null : new URL(url).host);

/**
 * Says of each setting that counts a digest, SHA-256 base64url: what changes between two starts is told in the journal. No secret is among them,
 * and nothing that differs between two instances of the same installation (addresses that they listen on, folders, the database's address).
 */
export const effectiveSettings = (config: Config): ReadonlyMap<string, string> => {
  const { keys, proconnect, franceconnect, witnessing } = config;
  const values: Readonly<Record<string, Json>> = {
    mode: config.mode,
    publicUrl: config.publicUrl,
    journalHost: config.journalHost,
    proconnect: [proconnect.issuer, proconnect.clientId],
    franceconnect: [franceconnect.issuer, franceconnect.clientId],
    smtp: hostOf(config.smtpUrl),
    mailFrom: config.mailFrom,
    sms: hostOf(config.smsUrl),
    mirrors: (config.mirrors ?? []).map(({ hash, url }) => `${hash.toString('hex')}${url === undefined ? '' : ` ${url}`}`),
    timestamps: hostOf(config.tsa?.url),
    witnesses: witnessing?.policy?.text ?? null,
    helpNumber: config.helpNumber,
    translations: config.translations.map(({ lang }) => lang),
    trustedProxies: [...config.trustedProxies],
    allowLoopback: config.allowLoopback,
    logLevel: config.logLevel,
    ...Object.fromEntries(KEYS.flatMap((name) => (keys.has(name) ? [[`key ${name}`, keys.fingerprint(name)]] : []))),
  };
  return new Map(Object.entries(values).map(([name, value]) => [name, digest(value)]));
};
