import { isId, type SessionId } from '../kernel/ids.ts';

/** What a service may say was done (product.md; protocol.md, "Report"). Their French is a word of the screen. */
export const VERBS = ['open', 'read', 'fill', 'send', 'change', 'cancel', 'download', 'request'] as const;
export type Verb = (typeof VERBS)[number];

export const ACTION_TYPE = 'fr.relais.action.v1';

/** One act, as a service reports it: a CloudEvent whose every member is known. */
export interface ActionEvent {
  readonly id: string;
  readonly source: string;
  readonly time: Date;
  readonly session: SessionId;
  readonly verb: Verb;
  readonly demarche: string;
  readonly outcome: 'success' | 'failure';
  readonly reference: string | undefined;
}

export type EventFault = { readonly fault: 'malformed'; readonly detail: string };

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
const unknownMember = (record: object, known: readonly string[]): string | undefined => Object.keys(record).find((member) => !known.includes(member));
const fault = (detail: string): EventFault => ({ fault: 'malformed', detail });

/** One line of printable ASCII or letters: what may stand in a journal without being read as anything else (claims J11, J13). */
const isToken = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= longest && /^[\p{L}\p{N}._:/@#+=-]+$/u.test(value);

/** Reads one event. There is no free text: an unknown member is refused, naming it. */
export const readEvent = (value: unknown): ActionEvent | EventFault => {
  if (!isRecord(value)) return fault('an event must be a JSON object');
  const extra = unknownMember(value, ['specversion', 'id', 'source', 'type', 'time', 'datacontenttype', 'data']);
  if (extra !== undefined) return fault(`unknown member "${printable(extra)}"`);
  const { specversion, id, source, type, time, data } = value;
  if (specversion !== '1.0') return fault('specversion must be "1.0"');
  if (type !== ACTION_TYPE) return fault(`type must be "${ACTION_TYPE}"`);
  if (!isToken(id, 128)) return fault('id must be 1 to 128 letters, digits or ._:/@#+=-');
  if (!isToken(source, 200)) return fault('source must be a URI of at most 200 characters');
  const at =
    typeof time === 'string' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/.test(time) ? new Date(time) : undefined;
  if (!at || Number.isNaN(at.getTime())) return fault('time must be an RFC 3339 instant');
  if (!isRecord(data)) return fault('data must be a JSON object');
  const inner = unknownMember(data, ['session', 'verb', 'demarche', 'outcome', 'reference']);
  if (inner !== undefined) return fault(`unknown member "data.${printable(inner)}"`);
  const { session, verb, demarche, outcome, reference } = data;
  if (!isId('dls', session)) return fault('data.session must be a delegated session (dls_…)');
  if (!VERBS.includes(verb as Verb)) return fault(`data.verb must be one of ${VERBS.join(', ')}`);
  if (!isToken(demarche, 100)) return fault('data.demarche must be a démarche of the catalogue');
  if (outcome !== 'success' && outcome !== 'failure') return fault('data.outcome must be "success" or "failure"');
  if (reference !== undefined && !isToken(reference, 40)) return fault('data.reference must be at most 40 letters, digits or ._:/@#+=-');
  return { id, source, time: at, session, verb: verb as Verb, demarche, outcome, reference };
};

/** A member's name as it may stand in an answer: the caller's own text, cut and made plain. */
const printable = (text: string): string => text.slice(0, 40).replace(/[^\w.-]/g, '?');
