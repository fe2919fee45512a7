import { spawn } from 'node:child_process';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demonstrationSettings } from '../config/environment.ts';
import { Failure } from '../kernel/failure.ts';
import { LOOPBACK } from '../services/address.ts';
import { EXIT, JSON_FLAG, type LocalCommand } from './command.ts';

const PORT = 8490;

/** HTTPS, or this machine; the paths of Relais are below it. */
const isIssuer = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash, origin } = new URL(text);
  const safe = protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname));
  return safe && pathname === '/oidc' && !search && !hash && text === `${origin}/oidc`;
};

/** Checks a service under test, in a process of its own: the authority that it plays is of the demonstration, never of production. */
export const checkService: LocalCommand = {
  name: 'check-service',
  where: 'here',
  summary: 'play the authority against a service under test, wrong answers included, and report what it does',
  subject: { name: 'URL', help: 'where the service under test is, such as http://localhost:3000 or https://essai.example' },
  flags: [
    { name: 'contract', kind: 'text', value: 'FILE', help: 'instead of what the service publishes at /.well-known/relais-service.json' },
    { name: 'secret-file', kind: 'text', value: 'FILE', help: 'the client secret that the service was given for this check (profile standard)' },
    { name: 'port', kind: 'text', value: 'PORT', help: `of the authority; ${PORT} if left out` },
    { name: 'host', kind: 'text', value: 'ADDRESS', help: 'where the authority listens; localhost if left out' },
    {
      name: 'issuer',
      kind: 'text',
      value: 'URL',
      help: 'where the service reaches the authority, such as https://autorite.example/oidc: what has that address leads to --host and --port',
    },
    { name: 'badge', kind: 'text', value: 'FILE', help: 'write a badge there (SVG)' },
    JSON_FLAG,
  ],
  notes: [
    `Configure the service for the issuer http://localhost:${PORT}/oidc, or that of --issuer, first. It acts for an invented person: never check a service in production.`,
    'A service on another machine: have a proxy or a tunnel with HTTPS lead to this command, and give its address. Example:',
    '  relais check-service https://essai.example --issuer https://autorite.example/oidc --port 8490 --contract contract.json --secret-file secret',
    'Meanwhile whoever reaches that address can sign in there as the invented person: the service under test must hold nothing real.',
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
    const issuer = input.text('issuer');
    if (issuer !== undefined && !isIssuer(issuer)) {
      io.err('--issuer is not an address with HTTPS whose path is /oidc, such as https://autorite.example/oidc');
      return EXIT.usage;
    }
    const asked = {
      service: input.subject,
      port,
      host: input.text('host'),
      issuer,
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
