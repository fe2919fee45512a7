import { mkdirSync } from 'node:fs';
import { readVkey, type Verifier, writeVkey } from '../journal/note.ts';
import { openWitness } from '../journal/witness.ts';
import { holdFolder, serveWitness } from '../journal/witness-server.ts';
import { systemClock } from '../kernel/clock.ts';
import { Failure } from '../kernel/failure.ts';
import { EXIT, type LocalCommand } from './command.ts';

/** Waits for SIGTERM or Ctrl-C. */
export const untilStopped = (): Promise<void> =>
  new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });

const readLog = (text: string): Verifier => {
  const verifier = readVkey(text);
  if (verifier.kind !== 'note') throw new Failure('vkey_malformed', `${verifier.name}: this is the key of a witness, not of a log`);
  return verifier;
};

const readPort = (text: string): number => {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) throw new Failure('port_malformed', `${text} is not a port number`);
  return port;
};

/** What an administration runs to watch a journal: docs/witness.md. */
export const witness: LocalCommand = {
  name: 'witness',
  where: 'here',
  summary: 'run a witness of journals, until it is stopped: it cosigns what continues the same past, and nothing else',
  flags: [
    { name: 'folder', kind: 'text', value: 'FOLDER', help: 'its key and its memory; made if it is missing', required: true },
    { name: 'log', kind: 'list', value: 'VKEY', help: 'public key of a log, from its /log/vkey', required: true },
    { name: 'port', kind: 'text', value: 'PORT', help: 'where it listens', required: true },
    { name: 'host', kind: 'text', value: 'ADDRESS', help: '127.0.0.1 if left out; put a proxy with HTTPS before it' },
    { name: 'name', kind: 'text', value: 'NAME', help: 'its name, such as witness.example/journal; needed at its first start only' },
  ],
  notes: ['Needs no database and no setting of Relais. Never restore its folder from a backup: see docs/witness.md.'],
  run: async (input, io) => {
    const folder = input.must('folder');
    const host = input.text('host') ?? '127.0.0.1';
    const logs = input.list('log').map(readLog);
    const port = readPort(input.must('port'));
    const line = (entry: object): void => io.out(JSON.stringify({ at: systemClock.now().toISOString(), ...entry }));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const release = await holdFolder(folder);
    const opened = openWitness({
      folder,
      name: input.text('name'),
      logs,
      clock: systemClock,
      onSplit: (log, size) => line({ event: 'split_view', log, size, evidence: folder }),
    });
    const server = await serveWitness({ witness: opened, port, host, onEvent: line });
    const vkey = writeVkey(opened.verifier);
    io.out(`Witnessing ${logs.map(({ name }) => name).join(', ')} on http://${host}:${server.port}; memory in ${folder}.`);
    io.out(`Line for the policy of the journal: witness ${opened.verifier.name} ${vkey} https://THE-ADDRESS-OF-THIS-WITNESS`);
    await untilStopped();
    await server.close();
    await release();
    return EXIT.done;
  },
};
