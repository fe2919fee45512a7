import { Failure } from '../kernel/failure.ts';
import type { LogReader } from './log-reader.ts';

/** No answer is larger: a bundle of 256 leaves of 1 KB is 262,656 bytes. */
const LARGEST = 1_048_576;
const PATIENCE_MS = 30_000;
const TRIES = 4;

/** Reads at most `LARGEST` bytes: the other end is not trusted with our memory. */
const bodyOf = async (answer: Response): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    length += part.length;
    if (length > LARGEST) throw new Failure('log_unreachable', 'an answer is longer than any tile');
    parts.push(part);
  }
  return Buffer.concat(parts);
};

/** Reads over HTTP below `address` (`https://relais.example/log`), with the token of a mirror if there is one. */
export const urlReader = (address: string, token?: string): LogReader => {
  if (!URL.canParse(address)) throw new Failure('log_address_malformed', `${address} is not an address`);
  const { protocol, hostname } = new URL(address);
  if (token && protocol !== 'https:' && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))
    throw new Failure('log_address_unsafe', `the token of a mirror goes to https:// addresses alone, not to ${address}`);
  const base = address.replace(/\/+$/, '');
  const once = async (path: string): Promise<Buffer | 'again' | undefined> => {
    const url = `${base}/${path}`;
    try {
      // A redirect would carry the token elsewhere.
      const answer = await fetch(url, {
        redirect: 'error',
        signal: AbortSignal.timeout(PATIENCE_MS),
        headers: token && path.startsWith('tile/entries/') ? { authorization: `Bearer ${token}` } : {},
      });
      if (answer.status === 200) return await bodyOf(answer);
      await answer.body?.cancel();
      if (answer.status === 404) return undefined;
      if (answer.status === 401 || answer.status === 403) throw new Failure('log_forbidden', `${url} answers ${answer.status}`);
      if (answer.status === 429 || answer.status >= 500) return 'again';
      throw new Failure('log_unreachable', `${url} answers ${answer.status}`);
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      return 'again';
    }
  };
  return {
    async read(path) {
      for (let tries = 1; tries <= TRIES; tries++) {
        const found = await once(path);
        if (found !== 'again') return found;
        if (tries < TRIES) await new Promise((resume) => setTimeout(resume, 25 * 4 ** tries));
      }
      throw new Failure('log_unreachable', `${base}/${path} does not answer`);
    },
  };
};
