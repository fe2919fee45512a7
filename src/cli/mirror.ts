import { resolve } from 'node:path';
import { urlReader } from '../journal/log-url.ts';
import { type Mirror, openMirror, type Updated } from '../journal/mirror.ts';
import { serveMirror } from '../journal/mirror-server.ts';
import { readPolicy } from '../journal/policy.ts';
import { LIVE_MS } from '../journal/verify-window.ts';
import { systemClock } from '../kernel/clock.ts';
import { randomToken, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { EXIT, type Io, type LocalCommand } from './command.ts';
import { policyOfKey } from './journal-verify-log.ts';
import { untilStopped } from './witness.ts';

/** What an administration or an association runs to hold a copy of the journal: docs/mirror.md. */

const numberIn = (text: string, name: string, least: number, most: number): number => {
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : -1;
  if (value < least || value > most) throw new Failure('number_malformed', `--${name} takes a number from ${least} to ${most}`);
  return value;
};

const EXITS: Readonly<Record<Updated['kind'], number>> = {
  current: EXIT.done,
  copied: EXIT.done,
  nothing_yet: EXIT.done,
  older_shown: EXIT.continuity,
  unwitnessed: EXIT.checkpoint,
  leaves_differ: EXIT.entry,
  rewritten: EXIT.continuity,
};

/** Looks once and says what is new; what goes on being so is said once. */
const createLook = (mirror: Mirror, io: Io) => {
  let last = '';
  return async (): Promise<number> => {
    let line: Readonly<Record<string, unknown>>;
    let exit: number;
    try {
      const { kind, ...more } = await mirror.update();
      line = { event: kind, ...more };
      exit = EXITS[kind];
      const at = exit === EXIT.done ? await mirror.lastAt() : undefined;
      if (kind === 'current' && at && systemClock.now().getTime() - at.getTime() > LIVE_MS) {
        line = { ...line, event: 'frozen', last: at.toISOString() };
        exit = EXIT.checkpoint;
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      line = { event: 'fault', code: error.code, says: error.detail };
      exit = /^(?:note_|checkpoint_)/.test(error.code) ? EXIT.checkpoint : EXIT.configuration;
    }
    const said = JSON.stringify(line);
    if (said !== last && line['event'] !== 'current') io.out(JSON.stringify({ at: systemClock.now().toISOString(), ...line }));
    last = said;
    return exit;
  };
};

export const mirror: LocalCommand = {
  name: 'mirror',
  where: 'here',
  summary: 'hold a copy of a journal in other hands, until it is stopped: it takes only what continues what it has, and answers for tags',
  flags: [
    { name: 'from', kind: 'text', value: 'URL', help: 'the log, such as https://relais.example/log', required: true },
    { name: 'token-file', kind: 'text', value: 'FILE', help: 'the token that the operator gave to this mirror', required: true },
    {
      name: 'vkey',
      kind: 'text',
      value: 'VKEY',
      help: 'public key of the log, known from elsewhere: the newest, or a former one; the changes are followed',
    },
    {
      name: 'policy',
      kind: 'text',
      value: 'FILE',
      help: 'or a C2SP tlog-policy: the keys of one log, and the witnesses who must have seen what is taken',
    },
    { name: 'dir', kind: 'text', value: 'FOLDER', help: 'where the copy is kept; made if it is missing', required: true },
    { name: 'port', kind: 'text', value: 'PORT', help: 'where it listens; without it, looks once and ends' },
    { name: 'host', kind: 'text', value: 'ADDRESS', help: '127.0.0.1 if left out; put a proxy with HTTPS before it' },
    { name: 'every', kind: 'text', value: 'SECONDS', help: 'how often it looks; 10 if left out' },
  ],
  notes: ['Needs no database and no setting of Relais. Exit codes 4, 6 and 7 when it looks once: see `relais --help`.'],
  run: async (input, io) => {
    const every = numberIn(input.text('every') ?? '10', 'every', 1, 3600) * 1000;
    const port = input.text('port');
    const [vkey, file] = [input.text('vkey'), input.text('policy')];
    if ((vkey === undefined) === (file === undefined)) {
      io.err('--vkey or --policy, one of the two: say whose signature counts; a log cannot say it of itself');
      return EXIT.usage;
    }
    const token = (await io.read(input.must('token-file'))).trim();
    const opened = await openMirror({
      folder: resolve(input.must('dir')),
      reader: urlReader(input.must('from'), token),
      policy: file === undefined ? policyOfKey(vkey ?? '') : readPolicy(await io.read(file)),
      onProgress: (done, size) => {
        if (done % 65_536 === 0) io.err(`${done} of ${size} entries`);
      },
    });
    const look = createLook(opened, io);
    if (port === undefined) return look();
    const host = input.text('host') ?? '127.0.0.1';
    const onFault = (): void => io.out(JSON.stringify({ at: systemClock.now().toISOString(), event: 'fault', code: 'answer' }));
    const server = await serveMirror({ mirror: opened, token, port: numberIn(port, 'port', 0, 65_535), host, onFault });
    io.out(`Mirror of ${opened.origin} on http://${host}:${server.port}, in ${opened.folder}.`);
    let stopped = false;
    const stopping = untilStopped().then(() => {
      stopped = true;
    });
    while (!stopped) {
      await look();
      await Promise.race([stopping, new Promise((resume) => setTimeout(resume, every).unref())]);
    }
    await server.close();
    return EXIT.done;
  },
};

export const mirrorToken: LocalCommand = {
  name: 'journal mirror-token',
  where: 'here',
  summary: 'make the token with which a mirror may copy the leaves of the journal',
  flags: [
    { name: 'name', kind: 'text', value: 'NAME', help: 'whose mirror it is: a word of small letters, figures, points, hyphens', required: true },
  ],
  notes: [
    'The token is shown once and kept nowhere; the line goes into the file that RELAIS_MIRRORS names. Take the line away, and it is worth nothing.',
  ],
  run: async (input, io) => {
    const name = input.must('name');
    if (!/^[a-z0-9][a-z0-9.-]{0,63}$/.test(name)) {
      io.err('--name takes a word of small letters, figures, points and hyphens');
      return EXIT.usage;
    }
    const token = randomToken();
    io.out(`Token for the mirror: ${token}`);
    io.out(`Line for the file of RELAIS_MIRRORS: ${name} ${sha256(token).toString('base64url')}`);
    return EXIT.done;
  },
};
