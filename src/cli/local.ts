import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nextJournalKey } from '../config/keys.ts';
import { openSigner } from '../journal/signer.ts';
import { serveSigner } from '../journal/signer-server.ts';
import { readIfThere } from '../journal/signer-state.ts';
import { Failure } from '../kernel/failure.ts';
import { checkService } from './check-service.ts';
import { EXIT, type LocalCommand } from './command.ts';
import { signerFolder } from './journal.ts';
import { compare } from './journal-compare.ts';
import { checkProof } from './journal-proof.ts';
import { keysMake } from './keys.ts';
import { listen } from './listen.ts';
import { mirror, mirrorToken } from './mirror.ts';
import { readFolders } from './settings.ts';
import { keysNext } from './signing-keys.ts';
import { checkStatement } from './statement.ts';
import { untilStopped, witness } from './witness.ts';

/** Commands that need no database. */

const sign: LocalCommand = {
  name: 'journal sign',
  where: 'here',
  summary: 'run the signer of the journal on its socket, until it is stopped',
  flags: [
    { name: 'socket', kind: 'text', value: 'PATH', help: 'instead of RELAIS_SIGNER_SOCKET' },
    { name: 'state', kind: 'text', value: 'FOLDER', help: 'its memory; var/signer if left out' },
    { name: 'group', kind: 'switch', help: 'the socket is 0660, for an application that runs as another user of the same group' },
  ],
  notes: [
    'Needs journal-ed25519.pem in RELAIS_KEYS (or keys/), no other key, and no access to the database. Never restore its memory with the database.',
  ],
  run: async (input, io) => {
    const settings = readFolders();
    const path = input.text('socket') ?? settings.signerSocket ?? join(settings.varFolder, 'signer.sock');
    const folder = input.text('state') ?? signerFolder(settings.varFolder);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = join(settings.keysFolder, 'journal-ed25519.pem'); // no other key: the signer's machine need not hold them
    const signer = openSigner({ folder, privateKeyPem: readFileSync(file, 'utf8'), nextKeyPem: readIfThere(nextJournalKey(settings.keysFolder)) });
    const server = await serveSigner({ signer, path, ...(input.on('group') ? { mode: 0o660 } : {}) });
    io.out(`Signing on ${path}; memory in ${folder}.`);
    await untilStopped();
    await server.close();
    return EXIT.done;
  },
};

/** Runs the demonstration in a process of its own, with this one's terminal: what `npm start` runs. */
const demo: LocalCommand = {
  name: 'demo',
  where: 'here',
  summary: 'start the demonstration (Relais, simulators, mirror services); --once plays the story and ends',
  flags: [{ name: 'once', kind: 'switch', help: 'play the whole story over HTTP, verify the journal, end with 0 or name the step' }],
  run: async (input) => {
    const here = fileURLToPath(import.meta.url);
    const program = join(dirname(here), '..', 'practice', `${input.on('once') ? 'demo' : 'start'}${extname(here)}`);
    const child = spawn(process.execPath, [...process.execArgv, program, ...(input.on('once') ? ['--once'] : [])], { stdio: 'inherit' });
    process.on('SIGINT', () => undefined); // Ctrl-C reaches the child too; it ends first
    return new Promise((resolve, reject) => {
      child.once('error', (cause) => reject(new Failure('demo_not_started', undefined, { cause })));
      child.once('exit', (code) => resolve(code ?? EXIT.fault));
    });
  },
};

export const localCommands: readonly LocalCommand[] = [
  keysMake,
  keysNext,
  sign,
  checkProof,
  compare,
  witness,
  mirror,
  mirrorToken,
  checkStatement,
  checkService,
  listen,
  demo,
];
