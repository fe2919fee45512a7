import { join } from 'node:path';
import { demonstrationSettings, environment, productionConfig } from '../config/environment.ts';
import type { WitnessingConfig } from '../config/witnessing.ts';

/** What the command line needs of the configuration, in either mode. */
export interface Settings {
  readonly mode: 'demonstration' | 'production';
  readonly publicUrl: string;
  readonly databaseUrl: string | undefined;
  readonly journalKeysUrl?: string | undefined;
  readonly varFolder: string;
  readonly keysFolder: string;
  /** Host part of the journal's origin; in the demonstration without its port, which may change while the journal goes on. */
  readonly journalHost: string;
  readonly signerSocket: string | undefined;
  readonly witnessing?: WitnessingConfig | undefined;
  /** What is told to people: by SMS only where there is a gateway, which the instances call. */
  readonly sms?: boolean;
  readonly helpNumber?: string;
}

/** Reads the settings: production when NODE_ENV says so, and then every fault at once (`configuration`). */
export const readSettings = (): Settings => {
  const demonstration = demonstrationSettings();
  if (demonstration.production) {
    const { keys, smsUrl, helpNumber, ...config } = productionConfig();
    const { mode, publicUrl, databaseUrl, journalKeysUrl, varFolder, journalHost, signerSocket, witnessing } = config;
    const told = { sms: smsUrl !== undefined, helpNumber };
    return { mode, publicUrl, databaseUrl, journalKeysUrl, varFolder, keysFolder: keys.folder, journalHost, signerSocket, witnessing, ...told };
  }
  const { databaseUrl, varFolder, keysFolder, port } = demonstration;
  return {
    mode: 'demonstration',
    publicUrl: `http://localhost:${port}`,
    databaseUrl,
    varFolder,
    keysFolder,
    journalHost: 'localhost',
    signerSocket: undefined,
  };
};

/** The folders and the socket, before anything else is configured: what `keys make` and `journal sign` need. */
export const readFolders = (): Pick<Settings, 'keysFolder' | 'varFolder' | 'signerSocket'> => {
  const { keysFolder, varFolder, production } = demonstrationSettings();
  const inProduction = production && environment['RELAIS_VAR'] === undefined; // the same default as the application's
  return { keysFolder, varFolder: inProduction ? '/var/lib/relais' : varFolder, signerSocket: environment['RELAIS_SIGNER_SOCKET'] };
};

/** The socket of the process that holds the embedded database. */
export const socketPath = (varFolder: string): string => join(varFolder, 'relais.sock');
