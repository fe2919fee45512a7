import { createConnection, type Socket } from 'node:net';

/** The driver: one connection that stays open, one request at a time, as little work of its own as it can. */

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** `name=value` pairs of Set-Cookie, in order. */
  readonly cookies: readonly string[];
  readonly body: string;
}

export interface Ask {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const CRLF = '\r\n';

/** Where a chunked body ends in `bytes`, and its content; undefined while it is not whole. */
const unchunk = (bytes: Buffer, from: number): { body: string; end: number } | undefined => {
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const line = bytes.indexOf(CRLF, at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    const end = line + 2 + size + 2;
    if (bytes.length < end) return undefined;
    if (size === 0) return { body: Buffer.concat(parts).toString(), end };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = end;
  }
};

const read = (bytes: Buffer): { answer: Answer; end: number } | undefined => {
  const top = bytes.indexOf('\r\n\r\n');
  if (top < 0) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, top).split(CRLF);
  const headers = new Map<string, string>();
  const cookies: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'set-cookie') cookies.push(value.split(';', 1)[0] ?? '');
    else headers.set(name, value);
  }
  const status = Number(first.slice(9, 12));
  const answer = (body: string): Answer => ({ status, headers, cookies, body });
  const start = top + 4;
  if (headers.get('transfer-encoding') === 'chunked') {
    const whole = unchunk(bytes, start);
    return whole && { answer: answer(whole.body), end: whole.end };
  }
  const length = status === 204 || status === 304 ? 0 : Number(headers.get('content-length') ?? 0);
  if (bytes.length < start + length) return undefined;
  return { answer: answer(bytes.toString('utf8', start, start + length)), end: start + length };
};

/** Opens a connection to `origin`. */
export class Connection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  constructor(origin: string) {
    const url = new URL(origin);
    this.#host = url.hostname;
    this.#port = Number(url.port);
  }

  #open(): Socket {
    const socket = createConnection({ host: this.#host, port: this.#port, noDelay: true });
    const lost = (error: Error): void => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#waiting?.reject(error);
      this.#waiting = undefined;
    };
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = this.#bytes.length ? Buffer.concat([this.#bytes, chunk]) : chunk;
      const found = read(this.#bytes);
      if (!found) return;
      this.#bytes = this.#bytes.subarray(found.end);
      const { resolve } = this.#waiting ?? {};
      this.#waiting = undefined;
      if (found.answer.headers.get('connection') === 'close') {
        this.#socket = undefined;
        socket.destroy();
      }
      resolve?.(found.answer);
    });
    socket.on('error', lost);
    socket.on('close', () => lost(new Error('the server closed the connection')));
    return socket;
  }

  ask({ method = 'GET', path, headers = {}, body = '' }: Ask): Promise<Answer> {
    this.#socket ??= this.#open();
    const lines = [`${method} ${path} HTTP/1.1`, `host: ${this.#host}:${this.#port}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (body || method === 'POST') lines.push(`content-length: ${Buffer.byteLength(body)}`);
    this.#socket.write(`${lines.join(CRLF)}${CRLF}${CRLF}${body}`);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}
