import { Failure } from '../kernel/failure.ts';
import { LOOPBACK } from '../services/address.ts';
import { EXIT, type Io, JSON_FLAG, type LocalCommand } from './command.ts';
import { type Credentials, member, type Relais, reachRelais } from './listen-relais.ts';

/** What an integrator runs beside a service on a machine that Relais cannot reach: it polls what the service would be told, and pushes it there. */

const TIMEOUT_MS = 30_000;
const AGAIN_MS = 2_000;
const SAID = 200;

interface Asked {
  readonly from: string;
  readonly clientId: string;
  readonly credentials: Credentials;
  readonly stream: string | undefined;
  readonly to: string | undefined;
  readonly logoutTo: string | undefined;
  readonly authorization: string | undefined;
  readonly once: boolean;
  readonly json: boolean;
}

/** One thing to forward: where it is polled, where it goes, and how it is posted. */
interface Channel {
  readonly poll: string;
  readonly to: string;
  readonly post: (token: string) => RequestInit;
  readonly taken: readonly number[];
  /** Relais answers once there is something. */
  readonly held: boolean;
}

const text = (value: unknown, name: string): string => {
  const found = member(value, name);
  if (typeof found !== 'string') throw new Failure('stream_malformed', `no ${name} in the answer of Relais`);
  return found;
};

/** The stream's poll address: the one that stands, or a new one. A stream that is pushed somewhere else is left as it is. */
const pollAddress = async (relais: Relais, wanted: string | undefined, from: string): Promise<string> => {
  const { streams } = relais;
  if (!streams) throw new Failure('stream_none', `${from} has no streams of signals`);
  const found = (await relais.ask('GET', streams)).body;
  const [stands] = Array.isArray(found) ? found : [];
  const stream = stands ?? (await relais.ask('POST', streams, {})).body;
  if (wanted !== undefined && member(stream, 'stream_id') !== wanted) throw new Failure('stream_unknown', `this service has no stream ${wanted}`);
  const delivery = member(stream, 'delivery');
  if (member(delivery, 'method') !== 'urn:ietf:rfc:8936')
    throw new Failure('stream_pushed', `stream ${text(stream, 'stream_id')} is pushed; change it to poll (urn:ietf:rfc:8936) first`);
  return text(delivery, 'endpoint_url');
};

/** What the service answered; `status` 0 when nobody did. */
const push = async ({ to, post }: Channel, token: string): Promise<{ status: number; said: string }> => {
  try {
    const answer = await fetch(to, { ...post(token), method: 'POST', redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const said = (await answer.text()).replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').trim();
    return { status: answer.status, said: said.slice(0, SAID) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : 'no answer';
    return { status: 0, said: cause };
  }
};

/** What a token is about: `session-revoked` or `logout`, and the session it names. */
const aboutOf = (token: string): { event: string; session: string } => {
  const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const [[uri, event] = ['', undefined]] = Object.entries((member(payload, 'events') as object | undefined) ?? {});
  const session = member(event, 'session') ?? member(payload, 'sid') ?? '';
  return { event: uri.endsWith('backchannel-logout') ? 'logout' : uri.replace(/^.*[/:]/, ''), session: String(session) };
};

/** Says what was forwarded, and what the service made of it. */
const tell = (asked: Asked, io: Io, to: string, line: { jti: string; status: number; said: string; taken: boolean }, token: string): void => {
  const about = aboutOf(token);
  const { jti, status, said, taken } = line;
  if (asked.json) {
    io.out(JSON.stringify({ jti, ...about, status, taken, ...(said ? { said } : {}) }));
    return;
  }
  const answered = status ? `${status}${said && !taken ? ` ${said}` : ''}` : `nobody answers at ${to} (${said})`;
  const time = new Date().toTimeString().slice(0, 8);
  io.out(`${time} ${[about.event, about.session].filter(Boolean).join(' ')}: ${answered}${taken ? ', taken' : '; not taken, it comes again'}`);
};

/** Forwards until it is stopped, or what waits now; false when something was not taken. */
const forward = async (asked: Asked, relais: Relais, channel: Channel, io: Io, stopped: () => boolean): Promise<boolean> => {
  let ack: string[] = [];
  let all = true;
  do {
    const { status, body } = await relais.ask('POST', channel.poll, { ack, ...(asked.once ? { returnImmediately: true } : {}) });
    if (status !== 200) throw new Failure('stream_unreachable', `${channel.poll} answered ${status}`);
    ack = [];
    const sets = Object.entries((member(body, 'sets') as Record<string, string> | undefined) ?? {});
    let refused = false;
    for (const [jti, token] of sets) {
      const answer = await push(channel, token);
      const taken = channel.taken.includes(answer.status);
      if (taken) ack.push(jti);
      else refused = true;
      tell(asked, io, channel.to, { jti, ...answer, taken }, token);
    }
    if (refused) all = false;
    // What the service did not take is asked for again, not at once; nor is what is answered without waiting for something.
    if ((refused || (!sets.length && !channel.held)) && !asked.once && !stopped()) await new Promise((done) => setTimeout(done, AGAIN_MS));
  } while (!asked.once && !stopped());
  if (ack.length) await relais.ask('POST', channel.poll, { ack, maxEvents: 0 });
  return all;
};

const follow = async (asked: Asked, io: Io, stopped: () => boolean): Promise<number> => {
  const relais = await reachRelais(asked.from, asked.clientId, asked.credentials);
  const channels: Channel[] = [];
  if (asked.to !== undefined) {
    const headers = {
      'content-type': 'application/secevent+jwt',
      accept: 'application/json',
      ...(asked.authorization === undefined ? {} : { authorization: asked.authorization }),
    };
    const poll = await pollAddress(relais, asked.stream, asked.from);
    channels.push({ poll, to: asked.to, post: (token) => ({ headers, body: token }), taken: [200, 202, 204], held: true });
  }
  if (asked.logoutTo !== undefined) {
    const post = (token: string): RequestInit => ({ body: new URLSearchParams({ logout_token: token }) });
    channels.push({ poll: `${asked.from}/ssf/logout`, to: asked.logoutTo, post, taken: [200, 204], held: false });
  }
  for (const { poll, to } of channels) io.out(asked.json ? JSON.stringify({ event: 'listening', poll, to }) : `what waits at ${poll} goes to ${to}`);
  const all = await Promise.all(channels.map((channel) => forward(asked, relais, channel, io, stopped)));
  return asked.once && all.includes(false) ? EXIT.refused : EXIT.done;
};

const isWeb = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
const isHere = (url: string): boolean => isWeb(url) && LOOPBACK.has(new URL(url).hostname);

export const listen: LocalCommand = {
  name: 'listen',
  where: 'here',
  summary: 'forward what a service is told (signals, logout tokens) to that service on this machine, until it is stopped',
  flags: [
    { name: 'from', kind: 'text', value: 'URL', help: 'Relais, such as https://relais.example', required: true },
    { name: 'client', kind: 'text', value: 'ID', help: 'client_id of the service', required: true },
    { name: 'secret-file', kind: 'text', value: 'FILE', help: 'its client secret (profile standard)' },
    { name: 'key-file', kind: 'text', value: 'FILE', help: 'its private key instead, a JWK or PKCS #8 PEM (profile fapi2)' },
    { name: 'to', kind: 'text', value: 'URL', help: 'where the service takes signals, such as http://localhost:3000/signals' },
    { name: 'logout-to', kind: 'text', value: 'URL', help: 'where it takes logout tokens, such as http://localhost:3000/logout' },
    { name: 'stream', kind: 'text', value: 'ID', help: 'its stream; made, to be polled, if the service has none' },
    { name: 'authorization-file', kind: 'text', value: 'FILE', help: 'what the service wants in the Authorization header of a signal' },
    { name: 'once', kind: 'switch', help: 'take what waits, and end: 0 when the service took all of it' },
    JSON_FLAG,
  ],
  notes: [
    'relais listen --from https://relais.example --client caf --secret-file secret --to http://localhost:3000/signals --logout-to http://localhost:3000/logout',
    '',
    'Needs no database and no setting of Relais. Each line says what came and what the service answered. Only what it took (2xx) is acknowledged; the rest comes again.',
    'A logout token comes here when the address that the service registered did not take it.',
    'Relais itself never calls an address inside: this command does, from where it runs, to this machine alone.',
  ],
  run: async (input, io) => {
    const usage = (says: string): number => {
      io.err(says);
      return EXIT.usage;
    };
    const from = input.must('from').replace(/\/$/, '');
    const [to, logoutTo, secretFile, keyFile] = ['to', 'logout-to', 'secret-file', 'key-file'].map((name) => input.text(name));
    // A secret and what is told go there: not in clear, but on this machine.
    if (!isWeb(from) || (new URL(from).protocol === 'http:' && !isHere(from)))
      return usage('--from is not an address, such as https://relais.example');
    if (to === undefined && logoutTo === undefined) return usage('say where it goes, with --to or --logout-to');
    if (to !== undefined && !isHere(to)) return usage('--to is not an address of this machine, such as http://localhost:3000/signals');
    if (logoutTo !== undefined && !isHere(logoutTo))
      return usage('--logout-to is not an address of this machine, such as http://localhost:3000/logout');
    if ((secretFile === undefined) === (keyFile === undefined)) return usage('give --secret-file, or --key-file at profile fapi2');
    const authorization = input.text('authorization-file');
    let over = false;
    const stop = (): void => {
      over = true;
    };
    process.once('SIGTERM', stop).once('SIGINT', stop);
    const credential = (await io.read(secretFile ?? keyFile ?? '')).trim();
    const asked: Asked = {
      from,
      clientId: input.must('client'),
      credentials: secretFile === undefined ? { key: credential } : { secret: credential },
      to,
      logoutTo,
      stream: input.text('stream'),
      authorization: authorization === undefined ? undefined : (await io.read(authorization)).trim(),
      once: input.on('once'),
      json: input.on('json'),
    };
    return follow(asked, io, () => over).finally(() => void process.off('SIGTERM', stop).off('SIGINT', stop));
  },
};
