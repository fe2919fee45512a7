import { Failure } from '../kernel/failure.ts';
import { LOOPBACK } from '../services/address.ts';
import { EXIT, type Io, type LocalCommand } from './command.ts';

/** What an integrator runs beside a service on a machine that Relais cannot reach: it polls the service's own stream, and pushes each event to it. */

const TIMEOUT_MS = 30_000;
const AGAIN_MS = 2_000;

interface Asked {
  readonly from: string;
  readonly clientId: string;
  readonly secret: string;
  readonly stream: string | undefined;
  readonly to: string;
  readonly authorization: string | undefined;
  readonly once: boolean;
}

type Members = Readonly<Record<string, unknown>>;

const json = async (url: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> => {
  try {
    const answer = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await answer.text();
    return { status: answer.status, body: text ? JSON.parse(text) : undefined };
  } catch (cause) {
    throw new Failure('stream_unreachable', url, { cause });
  }
};

const member = (value: unknown, name: string): unknown => (typeof value === 'object' && value !== null ? (value as Members)[name] : undefined);
const text = (value: unknown, name: string): string => {
  const found = member(value, name);
  if (typeof found !== 'string') throw new Failure('stream_malformed', `no ${name} in the answer of Relais`);
  return found;
};

/** A token of the service's own, and how to ask with it; another one is taken when it is too old. */
const createCaller = async ({ from, clientId, secret }: Asked) => {
  const configuration = (await json(`${from}/.well-known/ssf-configuration`)).body;
  const authority = member((await json(`${from}/.well-known/oauth-protected-resource`)).body, 'authorization_servers');
  const endpoint = text((await json(`${String((authority as unknown[] | undefined)?.[0])}/.well-known/openid-configuration`)).body, 'token_endpoint');
  const credentials = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64');
  const take = async (): Promise<string> => {
    const { status, body } = await json(endpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials&scope=ssf.manage',
    });
    if (status !== 200) throw new Failure('stream_token_refused', `Relais refuses the client or its secret (${status})`);
    return text(body, 'access_token');
  };
  let token = await take();
  const ask = async (method: string, url: string, body?: object): Promise<{ status: number; body: unknown }> => {
    const once = () =>
      json(url, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    const answer = await once();
    if (answer.status !== 401) return answer;
    token = await take();
    return once();
  };
  return { ask, streams: text(configuration, 'configuration_endpoint') };
};

/** The stream's poll address: the one that stands, or a new one. A stream that is pushed somewhere else is left as it is. */
const pollAddress = async (caller: Awaited<ReturnType<typeof createCaller>>, wanted: string | undefined): Promise<string> => {
  const found = (await caller.ask('GET', caller.streams)).body;
  const [stands] = Array.isArray(found) ? found : [];
  const stream = stands ?? (await caller.ask('POST', caller.streams, {})).body;
  if (wanted !== undefined && member(stream, 'stream_id') !== wanted) throw new Failure('stream_unknown', `this service has no stream ${wanted}`);
  const delivery = member(stream, 'delivery');
  if (member(delivery, 'method') !== 'urn:ietf:rfc:8936')
    throw new Failure('stream_pushed', `stream ${text(stream, 'stream_id')} is pushed; change it to poll (urn:ietf:rfc:8936) first`);
  return text(delivery, 'endpoint_url');
};

/** Pushes one event as Relais would (RFC 8935); true when it was taken. */
const push = async (asked: Asked, set: string): Promise<number> => {
  try {
    const answer = await fetch(asked.to, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        'content-type': 'application/secevent+jwt',
        accept: 'application/json',
        ...(asked.authorization === undefined ? {} : { authorization: asked.authorization }),
      },
      body: set,
    });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return 0;
  }
};

const eventOf = (set: string): string => {
  const payload: unknown = JSON.parse(Buffer.from(set.split('.')[1] ?? '', 'base64url').toString());
  return Object.keys((member(payload, 'events') as object | undefined) ?? {}).join(' ');
};

const follow = async (asked: Asked, io: Io, stopped: () => boolean): Promise<number> => {
  const caller = await createCaller(asked);
  const address = await pollAddress(caller, asked.stream);
  io.out(JSON.stringify({ event: 'listening', stream: address.split('/').at(-1), to: asked.to }));
  let taken: string[] = [];
  let exit: number = EXIT.done;
  do {
    const { status, body } = await caller.ask('POST', address, { ack: taken, ...(asked.once ? { returnImmediately: true } : {}) });
    if (status !== 200) throw new Failure('stream_unreachable', `${address} answered ${status}`);
    taken = [];
    const sets = Object.entries((member(body, 'sets') as Record<string, string> | undefined) ?? {});
    let refused = false;
    for (const [jti, set] of sets) {
      const answered = await push(asked, set);
      if ([200, 202, 204].includes(answered)) taken.push(jti);
      else refused = true;
      io.out(JSON.stringify({ jti, event: eventOf(set), status: answered }));
    }
    if (refused) exit = EXIT.refused;
    // What the service did not take is asked for again, not at once.
    if (refused && !asked.once && !stopped()) await new Promise((done) => setTimeout(done, AGAIN_MS));
  } while (!asked.once && !stopped());
  if (taken.length) await caller.ask('POST', address, { ack: taken, maxEvents: 0 });
  return asked.once ? exit : EXIT.done;
};

export const listen: LocalCommand = {
  name: 'listen',
  where: 'here',
  summary: 'poll a service’s stream of signals and push each one to a service on this machine, until it is stopped',
  flags: [
    { name: 'from', kind: 'text', value: 'URL', help: 'Relais, such as https://relais.example', required: true },
    { name: 'client', kind: 'text', value: 'ID', help: 'client_id of the service', required: true },
    { name: 'secret-file', kind: 'text', value: 'FILE', help: 'its client secret (profile standard)', required: true },
    { name: 'stream', kind: 'text', value: 'ID', help: 'its stream; made, to be polled, if the service has none' },
    { name: 'to', kind: 'text', value: 'URL', help: 'where the service takes events, such as http://localhost:3000/signals', required: true },
    { name: 'authorization-file', kind: 'text', value: 'FILE', help: 'what the service wants in the Authorization header' },
    { name: 'once', kind: 'switch', help: 'take what waits, and end: 0 when the service took all of it' },
  ],
  notes: [
    'Needs no database and no setting of Relais. Only an event that the service took (200, 202 or 204) is acknowledged; the others come again.',
    'Relais itself never calls an address inside: this command does, from where it runs, to this machine alone.',
  ],
  run: async (input, io) => {
    const [from, to] = [input.must('from').replace(/\/$/, ''), input.must('to')];
    if (!URL.canParse(from) || !/^https?:$/.test(new URL(from).protocol)) {
      io.err('--from is not an address, such as https://relais.example');
      return EXIT.usage;
    }
    if (!URL.canParse(to) || !LOOPBACK.has(new URL(to).hostname) || !/^https?:$/.test(new URL(to).protocol)) {
      io.err('--to is not an address of this machine, such as http://localhost:3000/signals');
      return EXIT.usage;
    }
    const authorization = input.text('authorization-file');
    let over = false;
    const stop = (): void => {
      over = true;
    };
    process.once('SIGTERM', stop).once('SIGINT', stop);
    return follow(
      {
        from,
        to,
        clientId: input.must('client'),
        secret: (await io.read(input.must('secret-file'))).trim(),
        stream: input.text('stream'),
        authorization: authorization === undefined ? undefined : (await io.read(authorization)).trim(),
        once: input.on('once'),
      },
      io,
      () => over,
    ).finally(() => void process.off('SIGTERM', stop).off('SIGINT', stop));
  },
};
