import type { Evidence } from '../../src/web/evidence.ts';
import type { World } from './world.ts';

/** What a browser does with a page that shows entries, without the browser: the same script, by Node. */

export interface Checked {
  readonly state: 'verified' | 'recorded' | 'sealed' | 'mismatch';
  readonly why?: string;
  readonly problem?: { readonly code: string; readonly entry?: number };
  readonly witnesses?: { readonly at: number; readonly names: readonly string[] };
  readonly entries: readonly CheckedEntry[];
  readonly newest?: { readonly size: number };
}
export interface CheckedEntry {
  readonly index: number;
  readonly leaf: { readonly e: string; readonly t: string };
  readonly fields?: Readonly<Record<string, unknown>> | null;
}
export interface PageLine {
  readonly index: number;
  readonly at: string;
  readonly text: string;
}
type Ed25519 = (signature: Uint8Array, message: Uint8Array, raw: Uint8Array) => Promise<boolean>;

interface Script {
  checkEvidence(evidence: Evidence, options?: { readonly now?: number; readonly ed25519?: Ed25519 }): Promise<Checked>;
  compareLines(
    lines: readonly PageLine[],
    entries: readonly CheckedEntry[],
    evidence: Evidence,
  ): { readonly code: string; readonly entry: number } | undefined;
  expectedWords(entry: CheckedEntry, page: Evidence['page']): string[];
}

const file = new URL('../../src/web/assets/verify-log.js', import.meta.url).href;
/** The script that pages load. */
export const script = (await import(file)) as Script;

/** HTML as it reads. */
export const unescaped = (html: string): string =>
  html.replaceAll('&#39;', "'").replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
const decoded = (html: string): string => unescaped(html.replace(/<p class="links">[\s\S]*?<\/p>/g, ' ').replace(/<[^>]+>/g, ' '));

/** The evidence that a page carries, and the lines of a person's page. */
export const evidenceIn = (html: string): { evidence: Evidence; lines: PageLine[] } => {
  const json = /<template id="evidence">([\s\S]*?)<\/template>/.exec(html)?.[1];
  if (json === undefined) throw new Error('no evidence on this page');
  let day = '';
  const lines: PageLine[] = [];
  for (const [, heading, index, words = ''] of html.matchAll(/<h3 class="day">([\s\S]*?)<\/h3>|<li [^>]*data-entry="(\d+)"[^>]*>([\s\S]*?)<\/li>/g)) {
    if (heading !== undefined) day = heading;
    else lines.push({ index: Number(index), at: /datetime="([^"]+)"/.exec(words)?.[1] ?? '', text: `${day} ${decoded(words)}` });
  }
  for (const [, index, words = ''] of html.matchAll(/<tr data-entry="(\d+)"[^>]*>([\s\S]*?)<\/tr>/g))
    lines.push({ index: Number(index), at: /datetime="([^"]+)"/.exec(words)?.[1] ?? '', text: decoded(words) });
  return { evidence: (JSON.parse(unescaped(json)) as { evidence: Evidence }).evidence, lines };
};

/** Waits until witnesses have seen all that the journal holds. */
export const untilWitnessed = async (world: World): Promise<void> => {
  await world.app.flushJournal();
  const [head] = await world.sql('select size from journal.head');
  for (const end = performance.now() + 8000; performance.now() < end; ) {
    if ((world.app.site.witnessed()?.size ?? 0) >= Number(head?.['size'])) return;
    await new Promise((resume) => setTimeout(resume, 50));
  }
  throw new Error('the witnesses did not come');
};
