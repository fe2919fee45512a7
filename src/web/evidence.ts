import { type EventType, isEventType } from '../journal/event.ts';
import { type PartyLeaf, type PartySpan, proveAll } from '../journal/evidence.ts';
import type { ProvedEntry } from '../journal/journal.ts';
import { writeVkey } from '../journal/note.ts';
import { readPolicy } from '../journal/policy.ts';
import { KINDS_SEEN, type View, type VisibleEntry, visibleTo } from '../journal/visible.ts';
import { Failure } from '../kernel/failure.ts';
import { type BoxJson, sealedJson, WITHHELD } from './api/entry-json.ts';
import { type Lang, t } from './i18n/language.ts';
import type { Site } from './site.ts';

/** What a page gives to the browser of whoever reads it, so that it checks the page by itself (web/assets/verify-log.js): only what is theirs to see. */

export interface EntryEvidence {
  readonly index: number;
  /** The bytes of the leaf. */
  readonly bytes: string;
  /** In the party's own count. */
  readonly number: number;
  /** SHA-256 of the sealed parts as they are stored. */
  readonly boxes: readonly string[];
  /** Positions in `nodes`; missing while the newest checkpoint does not cover the entry, or when the tree has a hole. */
  readonly path?: readonly number[];
  /** Missing for an entry that is not shown. */
  readonly sealed?: { readonly subject: BoxJson; readonly actor: BoxJson };
}

export interface Evidence {
  readonly log: { readonly origin: string; readonly keys: readonly string[] };
  readonly policy?: {
    readonly witnesses: readonly { readonly name: string; readonly vkey: string }[];
    readonly groups: readonly { readonly name: string; readonly threshold: number; readonly members: readonly string[] }[];
    readonly quorum: string;
  };
  readonly newest?: string;
  readonly witnessed?: string;
  /** From the witnessed to the newest checkpoint: positions in `nodes`. */
  readonly consistency?: readonly number[];
  /** Hashes of the tree, base 64, each once. */
  readonly nodes: readonly string[];
  readonly party: {
    readonly role: View['who'];
    /** The key of the party's tags; missing once it was erased. */
    readonly key?: string;
    /** The party's newest number. */
    readonly last: number;
    /** Numbers that exist, and of which nothing may be said yet. */
    readonly withheld: readonly number[];
    /** The page holds every entry of the party between its first and its last. */
    readonly complete?: { readonly newest: boolean; readonly oldest: boolean };
    /** The last line of the page before: its number is checked, its words stand there. */
    readonly anchor?: number;
    /** Leaves of the page's span that did not come with it: those below the index `below`, in parts, from `href` on. About `total` in all. */
    readonly rest?: { readonly href: string; readonly below: number; readonly total: number };
    /** Where the party's leaves below this page are, down to its first. */
    readonly before?: string;
  };
  /** Newest first. */
  readonly entries: readonly EntryEvidence[];
  /** Whom the page asks whether the party has a number beyond its newest, each at `url`/tag/…; only where the page holds the newest. */
  readonly mirrors?: readonly { readonly name: string; readonly url: string }[];
  /** What the words of the page are compared with. */
  readonly page: {
    readonly lang: Lang;
    /** Entries below this index have no line here. */
    readonly from?: number;
    /** Kinds that have a line. */
    readonly kinds: readonly EventType[];
    readonly words: Readonly<Record<string, unknown>>;
    /** On a page that is a table, or cards: the fields of each, and the name of the field that says the démarche. */
    readonly written?: readonly string[];
    readonly label?: string;
    /** On a receipt: fields that stand beside its words once more, with the hash of the leaf. */
    readonly facts?: readonly string[];
    /** A statement: the oldest line comes first, and each holds the printed code of its leaf. */
    readonly sheets?: true;
    /** Where the same lines are, with newer signatures. */
    readonly again?: string;
  };
}

export interface Shown {
  readonly view: View;
  /** The lines of the page, newest first. */
  readonly lines: readonly ProvedEntry[];
  readonly lang: Lang;
  readonly again?: string;
  /**
   * For a page that leaves nothing of the party's out: from which index up to which, and whether it is the newest or the oldest page. `anchor`: the
   * line of the page before that stands at `to`.
   */
  readonly whole?: { readonly from: number; readonly to: number; readonly newest: boolean; readonly oldest: boolean; readonly anchor?: number };
  /** Where leaves are read that do not come with the page (evidence-rest.ts): from an index up to below another, proved in the tree of `size`. */
  readonly rest?: (span: Span) => string;
  /** How the lines are written; a person's list unless said. */
  readonly as?: 'table' | 'structure' | 'cards' | 'receipt' | 'ends' | 'sheets';
  /** Fields that this page shows beside those of the view: of acts that whoever reads did. */
  readonly also?: readonly string[];
  /** Whoever reads is not the party: the key of its tags is not given. */
  readonly keyless?: boolean;
}

export interface Span {
  readonly from: number;
  readonly before: number;
  readonly size: number;
}

/** What a page carries at most; the rest of its span is read in parts. */
const MOST_LEAVES = 600;

/** Who is trusted to sign: those of the policy that the operator gave, otherwise the key of the signer. */
const trusted = async (site: Site): Promise<Pick<Evidence, 'log' | 'policy'>> => {
  const origin = site.origin();
  if (site.witnessPolicy === undefined) return { log: { origin, keys: [await site.logVkey()] } };
  const { logs, witnesses, groups, quorum } = readPolicy(site.witnessPolicy);
  return {
    log: { origin, keys: logs.filter(({ verifier }) => verifier.name === origin).map(({ verifier }) => writeVkey(verifier)) },
    policy: {
      witnesses: witnesses.map(({ name, verifier }) => ({ name, vkey: writeVkey(verifier) })),
      groups: [...groups].map(([name, group]) => ({ name, ...group })),
      quorum,
    },
  };
};

/** Each hash once, and where it stands. */
export const createNodes = () => {
  const places = new Map<string, number>();
  return {
    place(hash: Buffer): number {
      const text = hash.toString('base64');
      const found = places.get(text) ?? places.size;
      places.set(text, found);
      return found;
    },
    all: () => [...places.keys()],
  };
};

const ROW = ['detail.organisationName', 'theme', 'verb', 'session'];
const STRUCTURE = ['detail.aidantName', 'detail.serviceName', 'theme'];
const ENDED = ['detail.themes', 'detail.theme', 'detail.left'];
const CARD = ['detail.aidantName', 'detail.serviceName', 'detail.administrationName', 'detail.reason', 'theme', 'verb'];

/** A receipt says who ended a mandate in words of its own. */
const NO_TYPES = { 'mandate.revoked': '', 'mandate.renounced': '', 'mandate.replaced': '', 'mandate.ended': '' };

const pageOf = ({ view, lang, as }: Shown): Omit<Evidence['page'], 'again'> => {
  const { journal, themes, administration, structure, contests } = t(lang);
  const { contest, error, barred } = contests.all;
  const whats = { 'action.contested': contest, 'action.error-declared': error, 'mandate.barred': barred, 'session.opened': contests.opened };
  const kinds = KINDS_SEEN[view.who];
  if (as === 'table' || as === 'cards') {
    const { types, verbs, outcomes, outsideMandate: outside, signInAgain } = administration;
    const words = { types: as === 'cards' ? whats : types, verbs, outcomes, outside, signInAgain, themes: themes.label };
    const label = as === 'cards' && lang === 'en' ? 'detail.demarcheLabelEn' : 'detail.demarcheLabel';
    return { lang, kinds, written: as === 'cards' ? CARD : ROW, label, words };
  }
  if (as === 'structure')
    return { lang, kinds, written: STRUCTURE, words: { types: structure.types, verbs: {}, outcomes: {}, themes: themes.label } };
  if (as === 'ends') return { lang, kinds, written: [], facts: ENDED, words: { types: NO_TYPES, verbs: {}, outcomes: {}, themes: themes.label } };
  const { strong, text } = journal.lines.erased();
  return {
    lang,
    kinds,
    ...(as === 'sheets' ? { sheets: true } : {}),
    ...(as === 'receipt' ? { facts: ENDED } : {}),
    words: {
      erased: `${strong} ${text}`,
      outside: journal.lines.outside,
      signInAgain: journal.lines.signInAgain,
      verbs: journal.verbs,
      failed: journal.failed,
      themes: themes.label,
    },
  };
};

export const isWithheld = (leaf: PartyLeaf): boolean => {
  const type = /"e":"([^"]+)"/.exec(leaf.text ?? '')?.[1] ?? '';
  return isEventType(type) && WITHHELD.includes(type);
};

export const proofs = async (site: Site, indices: readonly number[], size: number, grown: number | undefined) => {
  try {
    return await proveAll(site.transactions.auto, site.evidence, { size, indices, grown });
  } catch (error) {
    // A hole in the tree: the page is shown all the same, and whoever checks it sees that nothing proves it.
    if (error instanceof Failure && error.code === 'journal_node_missing') return { paths: new Map<number, Buffer[]>(), consistency: [] };
    throw error;
  }
};

/** What this page shows of an entry. */
const seenOn = ({ view, also = [] }: Shown, line: ProvedEntry): VisibleEntry | undefined => {
  const seen = visibleTo(view, line);
  if (!seen || !also.length) return seen;
  const pick = (of: object | null) => Object.fromEntries(Object.entries(of ?? {}).filter(([name]) => also.includes(name)));
  const { detail, ...parties } = line;
  return { ...pick(parties), ...seen, detail: seen.detail && { ...seen.detail, ...pick(detail) } };
};

/** The leaves that come with the page: as many as it carries, then those of its lines. Beside them, below which index others are left. */
const cut = async (site: Site, { view, lines }: Shown, leaves: readonly PartyLeaf[]): Promise<[readonly PartyLeaf[], number | undefined]> => {
  const last = leaves[MOST_LEAVES - 1];
  if (leaves.length <= MOST_LEAVES || !last) return [leaves, undefined];
  const indices = lines.flatMap(({ index }) => (index < last.index ? [index] : []));
  const own = await site.evidence.leaves(site.transactions.auto, view.who, view.id, { indices }, indices.length + 1);
  return [[...leaves.slice(0, MOST_LEAVES), ...own.leaves], last.index];
};

/** What a page that carries this evidence may ask beyond this site (CSP connect-src). */
export const asksOf = (evidence: Evidence | undefined): readonly string[] => (evidence?.mirrors ?? []).map(({ url }) => `${url}/tag/`);

/** Gathers the evidence of a page in a number of statements that does not depend on its length. Undefined when the signer's key is not known. */
export const evidenceOf = async (site: Site, shown: Shown): Promise<Evidence | undefined> => {
  const { view, lines, whole } = shown;
  const { auto } = site.transactions;
  const span: PartySpan = whole ? { from: whole.from, to: whole.to } : { indices: lines.map(({ index }) => index) };
  const seen = site.witnessed();
  const [range, key, checkpoint, trust] = await Promise.all([
    site.evidence.leaves(auto, view.who, view.id, span, MOST_LEAVES + 1),
    shown.keyless ? undefined : site.journal.tagKey(auto, view.id),
    site.checkpoint(),
    trusted(site).catch(() => undefined),
  ]);
  if (!trust) return undefined;
  const size = checkpoint?.size ?? 0;
  const [within, below] = await cut(site, shown, range.leaves);
  const held = within.filter(isWithheld);
  const leaves = within.filter((leaf) => !held.includes(leaf));
  const witnessed = seen && seen.size <= size ? seen : undefined;
  const covered = leaves.filter(({ index }) => index < size).map(({ index }) => index);
  const { paths, consistency } = await proofs(site, covered, size, witnessed?.size);
  const nodes = createNodes();
  const byIndex = new Map(lines.map((line) => [line.index, line]));
  const entries = leaves.map(({ index, number, text = '', boxes }): EntryEvidence => {
    const line = byIndex.get(index);
    const visible = line && seenOn(shown, line);
    const path = paths.get(index);
    return {
      index,
      bytes: text,
      number,
      boxes,
      ...(path ? { path: path.map(nodes.place) } : {}),
      ...(line && visible ? { sealed: sealedJson(line, visible) } : {}),
    };
  });
  const complete = whole && (below === undefined || shown.rest) ? { newest: whole.newest, oldest: whole.oldest } : undefined;
  const [top, bottom] = [leaves[0], lines.at(-1)];
  const total = (top?.number ?? 0) - (whole?.oldest ? 0 : (bottom?.numbers[view.who] ?? 1) - 1);
  return {
    ...trust,
    ...(checkpoint ? { newest: checkpoint.note } : {}),
    ...(checkpoint && witnessed ? { witnessed: witnessed.note, consistency: consistency.map(nodes.place) } : {}),
    nodes: nodes.all(),
    party: {
      role: view.who,
      ...(key ? { key: key.toString('base64url') } : {}),
      last: whole?.newest ? Math.max(0, ...range.leaves.map(({ number }) => number)) : range.last,
      withheld: held.map(({ number }) => number),
      ...(complete ? { complete } : {}),
      ...(whole?.anchor === undefined ? {} : { anchor: whole.anchor }),
      ...(whole && below !== undefined && shown.rest ? { rest: { href: shown.rest({ from: whole.from, before: below, size }), below, total } } : {}),
      ...(whole?.newest && !whole.oldest && shown.rest ? { before: shown.rest({ from: 0, before: whole.from, size }) } : {}),
    },
    entries,
    ...(complete?.newest && key && site.askedMirrors.length ? { mirrors: site.askedMirrors } : {}),
    page: { ...pageOf(shown), ...(whole ? { from: whole.from } : {}), ...(shown.again === undefined ? {} : { again: shown.again }) },
  };
};
