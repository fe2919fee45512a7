import type { Stream, StreamStatus, Wish } from '../../signals/streams.ts';

/** Readers of what receivers send (SSF 1.0 §8.1, RFC 8936 §2.2). Each gives undefined for what is not as the standard says. */

const PUSH = 'urn:ietf:rfc:8935';
const POLL = 'urn:ietf:rfc:8936';
export const METHODS = [PUSH, POLL] as const;

const MOST_EVENTS = 50;
const MOST_SETS = 100;

type Members = Readonly<Record<string, unknown>>;
export const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown, most: number): value is string => typeof value === 'string' && value.length > 0 && value.length <= most;
/** What a header may hold, so that none is added behind it. */
const isHeader = (value: unknown): value is string => isText(value, 2048) && /^[\x20-\x7e]+$/.test(value);
const isText255 = (value: unknown): boolean => typeof value === 'string' && value.length <= 255;

const readDelivery = (value: unknown): Wish['delivery'] | null => {
  if (value === undefined) return undefined;
  if (!isObject(value)) return null;
  const { method, endpoint_url: endpoint, authorization_header: authorization } = value;
  if (method === POLL) return { method: 'poll' };
  if (method !== PUSH || !isText(endpoint, 2000) || (authorization !== undefined && !isHeader(authorization))) return null;
  return { method: 'push', endpoint, ...(authorization === undefined ? {} : { authorization }) };
};

/** Reads what a receiver asks of its stream; what is the transmitter's to say is compared, when it is there, with `stands`. */
export const readWish = (body: unknown, stands: Members): Wish | undefined => {
  if (!isObject(body)) return undefined;
  for (const [member, value] of Object.entries(stands)) if (body[member] !== undefined && body[member] !== value) return undefined;
  const delivery = readDelivery(body['delivery']);
  const { events_requested: requested, description } = body;
  if (delivery === null) return undefined;
  if (requested !== undefined && !(Array.isArray(requested) && requested.length <= MOST_EVENTS && requested.every((each) => isText(each, 300))))
    return undefined;
  if (description !== undefined && description !== null && !isText255(description)) return undefined;
  return { delivery, requested: requested as string[] | undefined, description: description as string | null | undefined };
};

export const readStatus = (body: unknown): { status: StreamStatus; reason: string | undefined } | undefined => {
  if (!isObject(body)) return undefined;
  const { status, reason } = body;
  if (status !== 'enabled' && status !== 'paused' && status !== 'disabled') return undefined;
  if (reason !== undefined && !isText255(reason)) return undefined;
  return { status, reason: reason as string | undefined };
};

/** The subject of one of our SETs: RFC 9493 `iss_sub`, by our own issuer. */
export const readSubject = (body: unknown, issuer: string): string | undefined => {
  const subject = isObject(body) ? body['subject'] : undefined;
  if (!isObject(subject) || subject['format'] !== 'iss_sub' || subject['iss'] !== issuer) return undefined;
  return isText(subject['sub'], 300) ? subject['sub'] : undefined;
};

export interface Poll {
  readonly most: number;
  readonly immediately: boolean;
  readonly taken: readonly string[];
  readonly refused: readonly string[];
}

export const readPoll = (body: unknown): Poll | undefined => {
  if (!isObject(body)) return undefined;
  const { maxEvents: most = MOST_SETS, returnImmediately: immediately = false, ack = [], setErrs = {} } = body;
  if (typeof most !== 'number' || !Number.isInteger(most) || most < 0 || typeof immediately !== 'boolean') return undefined;
  if (!Array.isArray(ack) || ack.length > 1000 || !ack.every((each) => isText(each, 100))) return undefined;
  if (!isObject(setErrs) || Object.keys(setErrs).length > 1000 || !Object.values(setErrs).every((each) => isObject(each) && isText(each['err'], 100)))
    return undefined;
  return { most: Math.min(most, MOST_SETS), immediately, taken: ack as string[], refused: Object.keys(setErrs) };
};

/** A stream as its receiver reads it. What it wants in the Authorization header of a push is not given back. */
export const streamJson = (stream: Stream, publicUrl: string, supported: Readonly<Record<string, string>>): object => ({
  stream_id: stream.id,
  iss: publicUrl,
  aud: stream.serviceId,
  delivery:
    stream.method === 'push' ? { method: PUSH, endpoint_url: stream.endpoint } : { method: POLL, endpoint_url: `${publicUrl}/ssf/poll/${stream.id}` },
  events_supported: Object.values(supported),
  events_requested: stream.requested,
  events_delivered: stream.events.map((name) => supported[name]),
  ...(stream.description === undefined ? {} : { description: stream.description }),
});
