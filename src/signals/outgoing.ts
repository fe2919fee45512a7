import { lookup, Resolver } from 'node:dns/promises';
import { request as plainRequest } from 'node:http';
import { type RequestOptions, request as secureRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { Failure } from '../kernel/failure.ts';
import { LOOPBACK } from '../services/address.ts';
import { isLoopback, isSpecialAddress } from '../services/special-addresses.ts';

const TIMEOUT_MS = 5_000;
const MOST_BYTES = 4096;

interface Answer {
  readonly status: number;
  /** Its first 4 KiB. */
  readonly body: string;
}

/** Speaks to addresses that services registered: the only file of the house that does (claim I3). */
export interface Outgoing {
  /**
   * Posts once. The name is resolved once, every address found must be one of the public Internet, and the connection goes to what was checked.
   * A redirect is an answer like another: it is not followed. Rejects with `address_refused`, or as the network does, after 5 s at most whatever
   * the other side does.
   */
  post(address: URL, message: { readonly headers: Readonly<Record<string, string>>; readonly body: string }): Promise<Answer>;
  /** Says whether a name now stands for addresses that would be refused. One that does not resolve yet is not refused. */
  refuses(address: URL): Promise<boolean>;
}

type Found = readonly { readonly address: string; readonly family: number }[];

/** `node:net` asks as `dns.lookup` does: for one address or for all. Both get only what was checked. */
const pinned =
  (found: Found): LookupFunction =>
  (_host, options, callback) => {
    const fits = found.filter(({ family }) => !options.family || family === options.family || options.family === `IPv${family}`);
    const [first] = fits;
    if (!first) return callback(Object.assign(new Error('no address of this family'), { code: 'ENOTFOUND' }), '', 0);
    return options.all ? callback(null, [...fits]) : callback(null, first.address, first.family);
  };

/**
 * Asks the name servers for every address of a name. `dns.lookup` would wait in one of the few threads that the whole process shares: one service's
 * silent name server would hold back everybody else's names, and the federations'.
 */
const byNameServers =
  (servers: readonly string[] | undefined) =>
  async (host: string): Promise<Found> => {
    const resolver = new Resolver({ timeout: 1500, tries: 2 });
    if (servers) resolver.setServers(servers);
    const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const addresses = found.flatMap((each, i) => (each.status === 'fulfilled' ? each.value.map((address) => ({ address, family: i ? 6 : 4 })) : []));
    const [refused] = found.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    if (!addresses.length) throw refused;
    return addresses;
  };

export const createOutgoing = (parts: {
  /** The demonstration's services live on this machine: names of loopback, over http too, and nothing else that is special. */
  readonly allowLoopback: boolean;
  readonly timeoutMs?: number;
  readonly resolve?: (host: string) => Promise<Found>;
  /** Name servers, in place of those of this machine. */
  readonly servers?: readonly string[];
}): Outgoing => {
  const named = parts.resolve ?? byNameServers(parts.servers);
  const own = parts.resolve ?? ((host: string) => lookup(host, { all: true })); // of this machine: names of loopback alone

  const find = async (address: URL): Promise<{ found: Found; allowed: boolean }> => {
    const host = address.hostname.replace(/^\[|\]$/g, '');
    const mine = LOOPBACK.has(address.hostname);
    const local = parts.allowLoopback && mine;
    const family = isIP(host);
    const found = family ? [{ address: host, family }] : await (mine ? own : named)(host);
    const fits = (ip: string): boolean => (local ? isLoopback(ip) : !isSpecialAddress(ip));
    const schemes = local ? ['https:', 'http:'] : ['https:'];
    return { found, allowed: schemes.includes(address.protocol) && found.length > 0 && found.every((each) => fits(each.address)) };
  };

  const send = (address: URL, found: Found, message: Parameters<Outgoing['post']>[1], signal: AbortSignal): Promise<Answer> =>
    new Promise((done, failed) => {
      const options: RequestOptions = {
        method: 'POST',
        agent: false,
        signal,
        lookup: pinned(found),
        headers: { ...message.headers, 'content-length': Buffer.byteLength(message.body), 'user-agent': 'Relais' },
      };
      const request = (address.protocol === 'https:' ? secureRequest : plainRequest)(address, options, (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        const end = (): void => {
          done({ status: response.statusCode ?? 0, body: Buffer.concat(parts).subarray(0, MOST_BYTES).toString() });
          request.destroy();
        };
        response.on('data', (part: Buffer) => {
          parts.push(part);
          size += part.length;
          if (size >= MOST_BYTES) end();
        });
        response.on('end', end);
        response.on('error', failed);
      });
      request.on('error', failed);
      request.end(message.body);
    });

  /** Whatever is waited for is over when the time is. */
  const inTime = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const signal = AbortSignal.timeout(parts.timeoutMs ?? TIMEOUT_MS);
    const late = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    return Promise.race([work(signal), late]);
  };

  return {
    post: (address, message) =>
      inTime(async (signal) => {
        const { found, allowed } = await find(address);
        if (!allowed) throw new Failure('address_refused');
        signal.throwIfAborted();
        return send(address, found, message, signal);
      }),
    async refuses(address) {
      try {
        return !(await inTime(() => find(address))).allowed;
      } catch {
        return false;
      }
    },
  };
};
