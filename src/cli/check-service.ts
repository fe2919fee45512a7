import { spawn } from 'node:child_process';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demonstrationSettings } from '../config/environment.ts';
import { Failure } from '../kernel/failure.ts';
import { EXIT, JSON_FLAG, type LocalCommand } from './command.ts';

const PORT = 8490;

/** Checks a service under test, in a process of its own: the authority that it plays is of the demonstration, never of production. */
export const checkService: LocalCommand = {
  name: 'check-service',
  where: 'here',
  summary: 'play the authority against a service under test, wrong answers included, and report what it does',
  subject: { name: 'URL', help: 'where the service under test is, such as http://localhost:3000' },
  flags: [
    { name: 'contract', kind: 'text', value: 'FILE', help: 'instead of what the service publishes at /.well-known/relais-service.json' },
    { name: 'secret-file', kind: 'text', value: 'FILE', help: 'the client secret that the service was given for this check (profile standard)' },
    { name: 'port', kind: 'text', value: 'PORT', help: `of the authority; ${PORT} if left out` },
    { name: 'badge', kind: 'text', value: 'FILE', help: 'write a badge there (SVG)' },
    JSON_FLAG,
  ],
  notes: [
    `Configure the service for the issuer http://localhost:${PORT}/oidc first. It acts for an invented person: never check a service in production.`,
    'A service that reads the metadata of its issuer when it starts is started after this command (within 30 seconds), with --contract.',
    'What the service must offer: docs/check-service.md. Ends with 0 when every case passed, 1 when one failed, 3 when nothing could be checked.',
  ],
  run: async (input, io) => {
    if (demonstrationSettings().production) {
      io.err('configuration: a service is checked from a machine that is not in production (NODE_ENV)');
      return EXIT.configuration;
    }
    const port = Number(input.text('port') ?? PORT);
    if (!URL.canParse(input.subject) || !/^https?:$/.test(new URL(input.subject).protocol)) {
      io.err('URL is not an address, such as http://localhost:3000');
      return EXIT.usage;
    }
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      io.err('--port is not a port');
      return EXIT.usage;
    }
    const asked = {
      service: input.subject,
      port,
      contract: input.text('contract'),
      secretFile: input.text('secret-file'),
      badge: input.text('badge'),
      json: input.on('json'),
    };
    const here = fileURLToPath(import.meta.url);
    const program = join(dirname(here), '..', 'practice', 'check', `main${extname(here)}`);
    const child = spawn(process.execPath, [...process.execArgv, program, JSON.stringify(asked)], { stdio: 'inherit' });
    process.on('SIGINT', () => undefined); // Ctrl-C reaches the child too; it ends first
    return new Promise((resolve, reject) => {
      child.once('error', (cause) => reject(new Failure('check_not_started', undefined, { cause })));
      child.once('exit', (code) => resolve(code ?? EXIT.fault));
    });
  },
};
