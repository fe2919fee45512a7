import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { equal } from '../kernel/crypto.ts';
import { folderReader } from './log-reader.ts';
import type { Mirror } from './mirror.ts';
import { readTilePath, tileWidth } from './tile-path.ts';
import { TILE_WIDTH } from './tree.ts';

/** Serves a mirror: the log's own files, and where a tag stands. Nobody's name is asked, and nothing of a request is written down. */

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer | string;
  readonly lasting?: boolean;
}

const said = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body });
const ABSENT = said(404, 'nothing is known under this address\n');

/** Leaves are given to whoever has the mirror's own token, and so could read them where they come from. */
const mayRead = (request: IncomingMessage, token: string): boolean => {
  const [, given = ''] = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(request.headers.authorization ?? '') ?? [];
  return given !== '' && equal(given, token);
};

const tile = async (mirror: Mirror, path: string, request: IncomingMessage, token: string): Promise<Answer> => {
  const address = readTilePath(path);
  const held = await mirror.held();
  if (!address || !held || tileWidth(held.size, address.level, address.n) < address.width) return ABSENT;
  if (address.level === 'entries' && !mayRead(request, token)) return said(401, 'leaves need the token of this mirror\n');
  const own = folderReader(mirror.folder);
  const exact = await own.read(`tile/${path}`);
  if (exact) return { status: 200, type: 'application/octet-stream', body: exact, lasting: address.width === TILE_WIDTH };
  const full = address.level === 'entries' ? undefined : await own.read(`tile/${path.replace(/\.p\/\d+$/, '')}`);
  return full ? { status: 200, type: 'application/octet-stream', body: full.subarray(0, 32 * address.width) } : ABSENT;
};

/** `{origin, size, found, index?}`: whether an entry among the first `size` carries the tag. */
const tag = (mirror: Mirror, text: string): Answer => {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== 16 || bytes.toString('base64url') !== text) return said(400, 'a tag is 16 bytes in base64url\n');
  const index = mirror.tags.find(bytes);
  const body = { origin: mirror.origin, size: mirror.tags.size(), found: index !== undefined, ...(index === undefined ? {} : { index }) };
  return { status: 200, type: 'application/json', body: `${JSON.stringify(body)}\n` };
};

const answer = async (mirror: Mirror, request: IncomingMessage, token: string): Promise<Answer> => {
  const [path = '/'] = (request.url ?? '/').split('?');
  if (request.method !== 'GET' && request.method !== 'HEAD') return said(405, 'use GET\n');
  if (path.startsWith('/tile/')) return tile(mirror, path.slice('/tile/'.length), request, token);
  if (path.startsWith('/tag/')) return tag(mirror, path.slice('/tag/'.length));
  const found = ['/checkpoint', '/vkey', '/rotations'].includes(path) ? await folderReader(mirror.folder).read(path.slice(1)) : undefined;
  return found ? said(200, found.toString('utf8')) : ABSENT;
};

const send = (response: ServerResponse, { status, type, body, lasting }: Answer, head: boolean): void => {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': lasting ? 'max-age=31536000, immutable' : 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    // A person's own page asks mirrors from her browser. What they answer is the same for everybody.
    'access-control-allow-origin': '*',
  });
  response.end(head ? undefined : body);
};

export interface MirrorServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `mirror`; `token` is the one with which it reads the log. */
export const serveMirror = async (options: {
  readonly mirror: Mirror;
  readonly token: string;
  readonly port: number;
  readonly host: string;
  readonly onFault?: () => void;
}): Promise<MirrorServer> => {
  const { mirror, token, port, host, onFault = () => undefined } = options;
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000, maxHeaderSize: 8192 }, (request, response) => {
    request.resume();
    answer(mirror, request, token)
      .then((found) => send(response, found, request.method === 'HEAD'))
      .catch(() => {
        onFault();
        if (!response.headersSent) send(response, said(503, 'this mirror has a fault\n'), false);
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
