import { statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHold } from 'node:net';
import { Failure } from '../kernel/failure.ts';
import { writeVkey } from './note.ts';
import type { Refusal, Witness } from './witness.ts';
import { WITNESS_POLICY, witnessPage } from './witness-page.tsx';
import { LONGEST_BODY, readAddRequest } from './witness-wire.ts';

/** C2SP tlog-witness over HTTP: `POST add-checkpoint`, and what it last cosigned for whoever asks. */

const STATUS: Readonly<Record<Refusal['refused'], number>> = {
  malformed: 400,
  old_beyond_new: 400,
  not_signed: 403,
  unknown_log: 404,
  other_size: 409,
  inconsistent_proof: 422,
  split_view: 422,
};

/** One line of the witness's log: a refusal, a contradiction, a fault. Nothing of what was sent but the code. */
export interface WitnessEvent {
  readonly event: 'refused' | 'fault';
  readonly code: string;
}

/** The body, as long as it is at most `LONGEST_BODY` bytes. */
const bodyOf = async (request: IncomingMessage): Promise<string | undefined> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length; // no encoding is set: chunks are bytes
    if (length > LONGEST_BODY) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const send = (response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void => {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': WITNESS_POLICY,
    ...headers,
  });
  response.end(text);
};

const add = async (witness: Witness, request: IncomingMessage, response: ServerResponse, tell: (event: WitnessEvent) => void): Promise<void> => {
  const body = await bodyOf(request);
  if (body === undefined) {
    send(response, 413, `more than ${LONGEST_BODY} bytes\n`, { connection: 'close' });
    return;
  }
  const asked = readAddRequest(body);
  const answer = asked ? witness.add(asked) : { refused: 'malformed' as const };
  if ('cosigned' in answer) {
    send(response, 200, answer.cosigned);
    return;
  }
  if (answer.refused !== 'other_size') tell({ event: 'refused', code: answer.refused });
  if (answer.refused === 'other_size') send(response, 409, `${answer.size}\n`, { 'content-type': 'text/x.tlog.size' });
  else send(response, STATUS[answer.refused], `${answer.refused}\n`);
};

const show = (witness: Witness, path: string, response: ServerResponse): void => {
  if (path === '/') {
    const page = witnessPage({ name: witness.verifier.name, vkey: writeVkey(witness.verifier), logs: witness.watched() });
    send(response, 200, page, { 'content-type': 'text/html; charset=utf-8' });
    return;
  }
  const [, id] = /^\/checkpoint\/([0-9a-f]{64})$/.exec(path) ?? [];
  const note = id === undefined ? undefined : witness.last(id);
  if (note === undefined) send(response, 404, 'nothing is known under this address\n');
  else send(response, 200, note);
};

const route = async (witness: Witness, request: IncomingMessage, response: ServerResponse, tell: (event: WitnessEvent) => void): Promise<void> => {
  const [path = ''] = (request.url ?? '/').split('?');
  const reads = request.method === 'GET' || request.method === 'HEAD';
  const adds = path === '/add-checkpoint';
  if (adds && request.method === 'POST') await add(witness, request, response, tell);
  else if (!adds && reads) show(witness, path, response);
  else send(response, 405, `use ${adds ? 'POST' : 'GET'}\n`, { allow: adds ? 'POST' : 'GET, HEAD' });
};

/**
 * Holds a folder for this process, so that two witnesses never share one memory: by a socket of Linux's abstract namespace, which ends with the
 * process and leaves no file. Fails as `witness_folder_in_use`.
 */
export const holdFolder = async (folder: string): Promise<() => Promise<void>> => {
  const { dev, ino } = statSync(folder);
  const hold = createHold((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    hold.once('error', (cause) => reject(new Failure('witness_folder_in_use', `another witness uses ${folder}: stop it first`, { cause })));
    hold.listen(`\0relais-witness-${dev}-${ino}`, resolve);
  });
  hold.unref();
  return () => new Promise((resolve) => hold.close(() => resolve()));
};

export interface WitnessServer {
  readonly port: number;
  /** Answers what is being asked, then ends. */
  close(): Promise<void>;
}

/** Serves a witness. */
export const serveWitness = async (options: {
  readonly witness: Witness;
  readonly port: number;
  readonly host: string;
  readonly onEvent?: (event: WitnessEvent) => void;
}): Promise<WitnessServer> => {
  const { witness, port, host, onEvent = () => undefined } = options;
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000, keepAliveTimeout: 65_000, maxHeaderSize: 8192 }, (request, response) => {
    route(witness, request, response, onEvent).catch((error: unknown) => {
      if (request.errored || response.destroyed) return; // whoever asked has left
      onEvent({ event: 'fault', code: error instanceof Failure ? error.code : 'fault' });
      if (response.headersSent) response.destroy();
      else send(response, 500, 'the witness could not answer: its operator has been told\n', { connection: 'close' });
    });
  });
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Failure('no_free_port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
};
