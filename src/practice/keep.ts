import './guard.ts';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateKeyPem, randomToken } from '../kernel/crypto.ts';

/** What the practice programs must find again at the next start, because Relais's database remembers its other half. */
export interface PracticeSecrets {
  readonly proconnect: string;
  readonly franceconnect: string;
  readonly taxesKeyPem: string;
  /** Drawn by Relais when the service was registered; undefined until then. */
  readonly allowances: string | undefined;
  /** Keeps the secret that Relais drew. */
  saveAllowances(secret: string): void;
}

/** Reads, or makes at the first start, the secrets of the simulators and mirror services, each in a file of its own (0600). */
export const practiceSecrets = (folder: string): PracticeSecrets => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = (name: string): string => join(folder, name);
  const read = (name: string): string | undefined => (existsSync(path(name)) ? readFileSync(path(name), 'utf8').trim() : undefined);
  const write = (name: string, text: string): string => {
    writeFileSync(path(name), `${text}\n`, { mode: 0o600 });
    return text.trim();
  };
  return {
    proconnect: read('proconnect-secret') ?? write('proconnect-secret', randomToken()),
    franceconnect: read('franceconnect-secret') ?? write('franceconnect-secret', randomToken()),
    taxesKeyPem: read('impots-es256.pem') ?? write('impots-es256.pem', makePrivateKeyPem('es256')),
    allowances: read('allocations-secret'),
    saveAllowances: (secret) => {
      write('allocations-secret', secret);
    },
  };
};
