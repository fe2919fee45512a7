import type { Tsa } from '../journal/timestamp.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Translation } from '../web/translations.ts';
import type { Keys } from './keys.ts';
import type { KnownMirror } from './mirrors.ts';
import type { WitnessingConfig } from './witnessing.ts';

/** One upstream federation, as its registration with Relais says (federations.md §2.1, §2.2). */
export interface Upstream {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
}

/** Everything that is decided outside the program, frozen at start. */
export interface Config {
  readonly mode: 'demonstration' | 'production';
  /** Origin of Relais, no trailing slash: `https://relais.example`. */
  readonly publicUrl: string;
  /** `${publicUrl}/oidc`. */
  readonly issuer: string;
  readonly host: string;
  readonly port: number;
  /** `postgres://…`, or undefined for the embedded database in `varFolder`. */
  readonly databaseUrl: string | undefined;
  readonly varFolder: string;
  /** Origin and key name of the log: `journal.<host>/1` until the log id is known. */
  readonly journalHost: string;
  /** Unix socket of `relais journal sign`, or undefined for a worker of this process. */
  readonly signerSocket: string | undefined;
  /** No witnesses, and the default limits, where it is left out. */
  readonly witnessing?: WitnessingConfig | undefined;
  readonly proconnect: Upstream;
  readonly franceconnect: Upstream;
  /** `smtp://…`; undefined in the demonstration, where messages go to a page. */
  readonly smtpUrl: string | undefined;
  readonly mailFrom: string;
  /** Where SMS are posted; undefined where SMS is not offered. Its key is `sms-gateway`. */
  readonly smsUrl?: string | undefined;
  /** SHA-256 of the tokens of those who may copy the leaves of the journal; nobody by default. */
  readonly mirrors?: readonly KnownMirror[];
  /** Who gives a time over checkpoints (RFC 3161); nobody by default. */
  readonly tsa?: Tsa | undefined;
  /** Number shown on every page. */
  readonly helpNumber: string;
  /** The mandate's text in other languages, for people who read French badly. */
  readonly translations: readonly Translation[];
  /** Addresses of proxies whose X-Forwarded-* headers count; none by default. */
  readonly trustedProxies: readonly string[];
  /** True only in the demonstration: services may live on loopback addresses. */
  readonly allowLoopback: boolean;
  readonly logLevel: string;
  /** Where the keys of the journal's sealed parts are, when apart from the database. */
  readonly journalKeysUrl?: string | undefined;
  /** False leaves what is due to `relais journal purge`. */
  readonly purge?: boolean;
  readonly keys: Keys;
}
